"""Which panels draw a fit: those of curves, of images, or of several fits together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import FigureBase

from ampynb.analysis.joint import JointFit
from ampynb.plots.fit import FitPanels, is_drawable
from ampynb.plots.image import ImagePanels, is_image

__all__ = ["JointPanels", "can_draw", "columns_of", "has_curves", "panels_for"]

MOST_COLUMNS = 3
MARGINS = {"left": 0.18, "right": 0.97, "top": 0.9, "bottom": 0.13}


def can_draw(fit: Any) -> bool:
    """Whether a fit has one- or two-dimensional ``data`` and ``model``.

    Of a joint fit one with a curve is enough.
    """
    return has_curves(fit) or is_image(fit)


def has_curves(fit: Any) -> bool:
    """Whether a fit, or one of a joint fit, has one-dimensional data and model."""
    return bool(_curves_of(fit))


def columns_of(fit: Any) -> tuple[int, int]:
    """Return how many panels of fits are beside each other, and in how many rows."""
    drawn = max(len(_curves_of(fit)), 1)
    columns = min(drawn, MOST_COLUMNS)
    return columns, -(-drawn // columns)


def _curves_of(fit: Any) -> dict[str, Any]:
    """Return the fits with a curve, by name."""
    if isinstance(fit, JointFit):
        return {name: one for name, one in fit.fits.items() if has_curves(one)}
    return {"": fit} if is_drawable(fit) else {}


def panels_for(
    figure: Any, panel: Any, fit: Any
) -> FitPanels | ImagePanels | JointPanels:
    """Lay out the panels of a fit in a figure, or in a part of one.

    All kinds have ``artists``, which move, ``moving(fit)``, where to, ``limits(fit)``
    and ``rescale(limit)`` for the residuals' scale, and ``update(fit)``; those with
    curves also ``set_title(text)``, ``add_band(fits, mass)``, ``add_best(fit)`` and
    ``add_ghost(fit)``.

    Parameters
    ----------
    figure : matplotlib figure, or a part of one where there are curves
    panel : Panel, or mapping of str to Panel
        What `Analysis.panel` gives: by name for a joint analysis.
    fit : object
    """
    if isinstance(fit, JointFit):
        return JointPanels(figure, panel, fit)
    if is_image(fit):
        return ImagePanels(figure, panel, fit)
    return FitPanels(figure, panel, fit)


class JointPanels:
    """The panels of each fit of a joint one, side by side under their names.

    Fits without a curve are left out. All residuals have one scale.

    Parameters
    ----------
    figure : matplotlib figure or subfigure
        Empty.
    panels : mapping of str to Panel
    fit : JointFit
    """

    margins = False  # set here

    def __init__(self, figure: FigureBase, panels: Mapping[str, Any], fit: JointFit):
        drawn = _curves_of(fit)
        if not drawn:
            raise TypeError(
                "expected a joint fit of which one can be drawn; got "
                f"{', '.join(fit.fits) or 'no fits'}; return for instance "
                "ampynb.GaussianFit from fit_from of each analysis"
            )
        columns, rows = columns_of(fit)
        parts: Any = figure.subfigures(rows, columns, squeeze=False)
        self.panels: dict[str, Any] = {}
        for part, (name, one) in zip(parts.ravel(), drawn.items(), strict=False):
            self.panels[name] = panels_for(part, panels[name], one)
            part.subplots_adjust(**MARGINS)
        self.set_title("")
        self.update(fit)

    @property
    def artists(self) -> list:
        """What `update` changes."""
        return [artist for panels in self.panels.values() for artist in panels.artists]

    @property
    def changing(self) -> list:
        """The axes that `rescale` changes."""
        return [axes for panels in self.panels.values() for axes in panels.changing]

    def set_title(self, text: str) -> None:
        """Write the name of each fit above it, and a text beside the name."""
        for name, panels in self.panels.items():
            panels.set_title(f"{name}: {text}" if text else name)

    def moving(self, fit: JointFit) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the abscissa and the ordinate of each of `artists`."""
        return [
            one
            for name, panels in self.panels.items()
            for one in panels.moving(fit[name])
        ]

    def limits(self, fit: JointFit) -> np.ndarray:
        """Return the limit of all residuals' axes, of the batch's shape [sigma]."""
        each = [panels.limits(fit[name]) for name, panels in self.panels.items()]
        return np.max(each, axis=0)

    def rescale(self, limit: float) -> None:
        """Set the limit of all residuals' axes [sigma]."""
        for panels in self.panels.values():
            panels.rescale(limit)

    def update(self, fit: JointFit) -> bool:
        """Move all to another joint fit; return whether the axes changed too."""
        for artist, (x, y) in zip(self.artists, self.moving(fit), strict=True):
            artist.set_data(x, y)
        limit = float(self.limits(fit))
        changed = limit != self.changing[0].get_ylim()[1]
        self.rescale(limit)
        return changed

    def add_band(
        self, fits: JointFit, mass: float = 0.68, colour: str | None = None
    ) -> None:
        """Shade the central ``mass`` of the models of a batch of joint fits."""
        for name, panels in self.panels.items():
            panels.add_band(fits[name], mass, colour)

    def add_best(self, fit: JointFit) -> None:
        """Add the models of the best joint fit, dashed."""
        for name, panels in self.panels.items():
            panels.add_best(fit[name])

    def add_ghost(self, fit: JointFit) -> None:
        """Add the models of a joint fit to compare with, in grey."""
        for name, panels in self.panels.items():
            panels.add_ghost(fit[name])
