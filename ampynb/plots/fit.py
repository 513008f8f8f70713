"""Data, model and residuals of a one-dimensional fit."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import FigureBase

from ampynb.analysis.panel import Panel
from ampynb.analysis.visualization import each_fit
from ampynb.plots.figure import BEST, COLOURS, GREY, tidy

__all__ = ["FitPanels", "is_drawable", "residual_limits", "residuals_of"]

MANY_POINTS = 200
RESIDUAL_LIMITS = (4.0, 10.0, 40.0, 200.0, 1e3, 1e4, 1e6)


def is_drawable(fit: Any) -> bool:
    """Whether a fit has one-dimensional ``data`` and ``model`` to be drawn."""
    return all(np.ndim(getattr(fit, name, 0.0)) == 1 for name in ("data", "model"))


class FitPanels:
    """Two panels in a figure: data with the model, and residuals in sigma.

    The figure is laid out once. `update` moves the model's lines and the residuals
    and nothing else, so that they can be blitted.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty, or with room for two more axes.
    panel : Panel
        Axes and groups.
    fit : object
        With one-dimensional ``data`` and ``model``; ``noise``, ``residuals`` and
        ``curve`` are used where there are any.
    """

    margins = True  # to be set by who makes the figure

    def __init__(self, figure: FigureBase, panel: Panel, fit: Any):
        if not is_drawable(fit):
            raise TypeError(
                "expected a fit with one-dimensional data and model to draw; got "
                f"{type(fit).__qualname__}; return for instance ampynb.GaussianFit"
            )
        self.panel = panel
        self.upper, self.lower = figure.subplots(
            2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1], "hspace": 0.06}
        )
        self.groups = _groups(panel, np.size(fit.data))
        self.x = (
            np.arange(np.size(fit.data)) if panel.x is None else np.asarray(panel.x)
        )
        self._draw_data(fit)
        self._draw_lines(fit)
        self.update(fit)

    @property
    def artists(self) -> list:
        """What `update` changes."""
        return [*self.lines, *self.points]

    @property
    def changing(self) -> list:
        """The axes that `rescale` changes."""
        return [self.lower]

    def _draw_data(self, fit: Any) -> None:
        data = np.asarray(fit.data)
        noise = getattr(fit, "noise", None)
        noise = None if noise is None else np.broadcast_to(noise, data.shape)
        few = len(data) < MANY_POINTS
        for colour, (name, rows) in zip(_colours(), self.groups, strict=False):
            self.upper.errorbar(
                self.x[rows],
                data[rows],
                None if noise is None else noise[rows],
                fmt="o",
                ms=4 if few else 2,
                elinewidth=1 if few else 0.4,
                color=colour,
                label=name,
                alpha=0.9 if few else 0.5,
            )
        for axes in (self.upper, self.lower):
            tidy(axes)
        self.upper.set_xscale(self.panel.xscale)
        self.upper.set_yscale(self.panel.yscale)
        self.upper.set_ylabel(self.panel.ylabel)
        self.lower.set_xlabel(self.panel.xlabel)
        self.lower.set_ylabel(r"residual [$\sigma$]")
        self.lower.axhline(0.0, color=GREY, lw=1)
        self.upper.set_ylim(self.upper.get_ylim())  # the model must not move the axes
        if self.panel.curve_x is not None:
            self.upper.set_xlim(np.min(self.panel.curve_x), np.max(self.panel.curve_x))
        self.upper.set_xlim(self.upper.get_xlim())
        self.rescale(RESIDUAL_LIMITS[0])

    def _draw_lines(self, fit: Any) -> None:
        curves = self.curves(fit)
        colours = _colours() if len(curves) > 1 else iter([BEST])
        self.lines = [
            self.upper.plot(x, y, color=colour, lw=1.8, zorder=3)[0]
            for colour, (x, y) in zip(colours, curves, strict=False)
        ]
        self.points = [
            self.lower.plot(
                [],
                [],
                "o",
                ms=3 if np.size(fit.data) < MANY_POINTS else 1.5,
                color=colour,
            )[0]
            for colour, _ in zip(_colours(), self.groups, strict=False)
        ]
        if len(self.groups) > 1:
            self.upper.legend(frameon=False, fontsize=8, ncols=2)

    def curves(self, fit: Any) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the abscissa and the model of each group.

        The model may have a leading axis of draws. Without a ``curve`` it is taken at
        the data, in the order of their abscissa.
        """
        curve = getattr(fit, "curve", None)
        if curve is not None and self.panel.curve_x is not None:
            x = np.asarray(self.panel.curve_x)
            if len(self.groups) == 1:
                return [(x, np.asarray(curve))]
            rows = np.moveaxis(np.asarray(curve), -2, 0)
            return [(x, row) for row in rows]
        model = np.asarray(fit.model)
        ordered = [rows[np.argsort(self.x[rows])] for _, rows in self.groups]
        return [(self.x[rows], model[..., rows]) for rows in ordered]

    def moving(self, fit: Any) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the abscissa and the ordinate of each of `artists`.

        The fit may be a batch: the ordinates then have its leading axis.
        """
        residuals = residuals_of(fit, axes=1)
        points = [(self.x[rows], residuals[..., rows]) for _, rows in self.groups]
        return [*self.curves(fit), *points]

    def limits(self, fit: Any) -> np.ndarray:
        """Return the limit of the residuals' axis, of the batch's shape [sigma]."""
        return residual_limits(residuals_of(fit, axes=1), axes=1)

    def rescale(self, limit: float) -> None:
        """Set the limit of the residuals' axis [sigma]."""
        if limit == self.lower.get_ylim()[1]:
            return
        self.lower.set_ylim(-limit, limit)
        self.lower.set_yticks([-limit / 2, 0.0, limit / 2])

    def update(self, fit: Any) -> bool:
        """Move the model and the residuals to another fit.

        Returns
        -------
        bool
            Whether the axes changed too, so that a kept background is stale.
        """
        for artist, (x, y) in zip(self.artists, self.moving(fit), strict=True):
            artist.set_data(x, y)
        limit = float(self.limits(fit))
        changed = limit != self.lower.get_ylim()[1]
        if changed:
            self.rescale(limit)
        return changed

    def set_title(self, text: str) -> None:
        """Write a text above the panels."""
        self.upper.set_title(text, fontsize=9, loc="left")

    def add_band(
        self, fits: Any, mass: float = 0.68, colour: str | None = None
    ) -> None:
        """Shade the central ``mass`` of the models of a batch of fits.

        In the colour of the curve, where none is given.
        """
        tails = (0.5 - mass / 2, 0.5 + mass / 2)
        for line, (x, y) in zip(self.lines, self.curves(fits), strict=True):
            low, high = np.quantile(y, tails, axis=0)
            shade = colour or line.get_color()
            self.upper.fill_between(
                x, low, high, color=shade, alpha=0.22, lw=0, zorder=1
            )

    def add_best(self, fit: Any) -> None:
        """Add the model of the best fit, dashed."""
        for x, y in self.curves(fit):
            self.upper.plot(x, y, color="#111827", lw=0.9, ls="--", zorder=4)

    def add_ghost(self, fit: Any) -> None:
        """Add the model of a fit to compare with, in grey."""
        for x, y in self.curves(fit):
            self.upper.plot(x, y, color=GREY, lw=1.2, alpha=0.8, zorder=2.5)


def _colours() -> Any:
    while True:
        yield from COLOURS


def _groups(panel: Panel, size: int) -> list[tuple[str | None, np.ndarray]]:
    if panel.groups is None:
        return [(None, np.arange(size))]
    names = np.asarray(panel.groups).astype(str)
    order = list(dict.fromkeys(names))
    return [(name, np.flatnonzero(names == name)) for name in order]


def residual_limits(residuals: np.ndarray, axes: int) -> np.ndarray:
    """Return the least of a few round limits that holds all residuals [sigma].

    Parameters
    ----------
    residuals : array
        Its last ``axes`` axes are of one fit, those before of a batch.
    """
    data_axes = tuple(range(-axes, 0))
    size = np.where(np.isfinite(residuals), np.abs(residuals), 0.0)
    steps = np.searchsorted(RESIDUAL_LIMITS, size.max(axis=data_axes, initial=0.0))
    return np.asarray(RESIDUAL_LIMITS)[np.minimum(steps, len(RESIDUAL_LIMITS) - 1)]


def residuals_of(fit: Any, axes: int) -> np.ndarray:
    """Return the residuals of a fit, or of each of a batch, of the model's shape.

    Parameters
    ----------
    fit : object
        Its ``model`` has ``axes`` axes, and in a batch one more.
    """
    model = np.asarray(fit.model)
    if model.ndim > axes:  # a noise, say, may be one number in each fit
        return np.stack([residuals_of(one, axes) for one in each_fit(fit)])
    if hasattr(fit, "residuals"):
        return np.broadcast_to(fit.residuals, model.shape)
    return np.asarray(fit.data) - model
