"""Which panels draw a fit: those of one, or those of each of several side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import FigureBase

from ampynb.analysis.joint import JointFit
from ampynb.plots.fit import FitPanels, is_drawable

__all__ = ["JointPanels", "can_draw", "columns_of", "panels_for"]

MOST_COLUMNS = 3
MARGINS = {"left": 0.18, "right": 0.97, "top": 0.9, "bottom": 0.13}


def can_draw(fit: Any) -> bool:
    """Whether a fit, or one of a joint fit, has what can be drawn."""
    if isinstance(fit, JointFit):
        return any(map(can_draw, fit.fits.values()))
    return is_drawable(fit)


def columns_of(fit: Any) -> tuple[int, int]:
    """Return how many panels of fits are beside each other, and in how many rows."""
    if not isinstance(fit, JointFit):
        return 1, 1
    drawn = max(sum(map(can_draw, fit.fits.values())), 1)
    columns = min(drawn, MOST_COLUMNS)
    return columns, -(-drawn // columns)


def panels_for(figure: FigureBase, panel: Any, fit: Any) -> FitPanels | JointPanels:
    """Lay out the panels of a fit in a figure, or in a part of one.

    Both kinds have ``artists``, which move, ``update(fit)``, ``set_title(text)``,
    ``add_band(fits, mass)`` and ``add_best(fit)``.

    Parameters
    ----------
    figure : matplotlib figure or subfigure
    panel : Panel, or mapping of str to Panel
        What `Analysis.panel` gives: by name for a joint analysis.
    fit : object
    """
    if isinstance(fit, JointFit):
        return JointPanels(figure, panel, fit)
    return FitPanels(figure, panel, fit)


class JointPanels:
    """The panels of each fit of a joint one, side by side under their names.

    Fits that cannot be drawn are left out.

    Parameters
    ----------
    figure : matplotlib figure or subfigure
        Empty.
    panels : mapping of str to Panel
    fit : JointFit
    """

    def __init__(self, figure: FigureBase, panels: Mapping[str, Any], fit: JointFit):
        drawn = {name: one for name, one in fit.fits.items() if can_draw(one)}
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

    @property
    def artists(self) -> list:
        """What `update` changes."""
        return [artist for panels in self.panels.values() for artist in panels.artists]

    def set_title(self, text: str) -> None:
        """Write the name of each fit above it, and a text beside the name."""
        for name, panels in self.panels.items():
            panels.set_title(f"{name}: {text}" if text else name)

    def update(self, fit: JointFit) -> bool:
        """Move all to another joint fit; return whether any axes changed too."""
        changed = [panels.update(fit[name]) for name, panels in self.panels.items()]
        return any(changed)

    def add_band(self, fits: JointFit, mass: float = 0.68) -> None:
        """Shade the central ``mass`` of the models of a batch of joint fits."""
        for name, panels in self.panels.items():
            panels.add_band(fits[name], mass)

    def add_best(self, fit: JointFit) -> None:
        """Add the models of the best joint fit, dashed."""
        for name, panels in self.panels.items():
            panels.add_best(fit[name])
