"""Data, model and residuals of a fit to an image."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ampynb.analysis.panel import Panel
from ampynb.plots.figure import GREY
from ampynb.plots.fit import RESIDUAL_LIMITS, residual_limits, residuals_of

__all__ = ["ImagePanels", "is_image"]

OUTER_SHARE = 0.5  # [%] of the data's pixels that may lie beyond each end of the scale


def is_image(fit: Any) -> bool:
    """Whether a fit has two-dimensional ``data`` and ``model``."""
    return all(np.ndim(getattr(fit, name, 0.0)) == 2 for name in ("data", "model"))


class ImagePanels:
    """Three images in a figure: data and model on one scale, and residuals in sigma.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty.
    panel : Panel
        Axes, extent, and the colour map.
    fit : object
        With two-dimensional ``data``, ``model`` and ``residuals``.
    """

    margins = False  # the layout engine sets them

    def __init__(self, figure: Figure, panel: Panel, fit: Any):
        self.panel = panel
        figure.set_layout_engine("constrained", w_pad=0.04, h_pad=0.02)
        width, height = figure.get_size_inches()
        beside = width > 1.2 * height
        rows, columns = (1, 3) if beside else (3, 1)
        self.axes = figure.subplots(
            rows, columns, sharex=True, sharey=True, squeeze=False
        ).ravel()
        data = np.asarray(fit.data, dtype=float)
        low, high = np.nanpercentile(data, [OUTER_SHARE, 100 - OUTER_SHARE])
        scale = {"vmin": low, "vmax": high if high > low else low + 1.0}
        limit = RESIDUAL_LIMITS[0]
        signed = {"vmin": -limit, "vmax": limit}
        colours = panel.colour_map
        looks = ((colours, scale), (colours, scale), ("RdBu_r", signed))
        images = [
            axes.imshow(
                data,
                cmap=cmap,
                origin="lower",
                extent=panel.extent,
                interpolation="nearest",
                **ends,
            )
            for axes, (cmap, ends) in zip(self.axes, looks, strict=True)
        ]
        self.artists = images[1:]
        self._label(figure, images, beside)
        self.update(fit)
        for _ in range(2):  # the second time knows how wide the tick labels are
            figure.draw_without_rendering()
        figure.set_layout_engine("none")  # the axes stay where they are now

    def _label(self, figure: Figure, images: list, beside: bool) -> None:
        side = "bottom" if beside else "right"
        titles = ("data", "model", r"residual [$\sigma$]")
        labels = (self.panel.colour_label, self.panel.colour_label, "")
        for axes, image, title, label in zip(
            self.axes, images, titles, labels, strict=True
        ):
            axes.set_title(title, fontsize=10)
            axes.tick_params(color=GREY, labelsize=8)
            bar = figure.colorbar(image, ax=axes, location=side, label=label)
            self.changing = [bar.ax]  # of the residuals, in the end
            bar.ax.tick_params(labelsize=8, color=GREY)
            bar.ax.locator_params(nbins=4)
        for axes in self.axes if beside else self.axes[-1:]:
            axes.set_xlabel(self.panel.xlabel)
        for axes in self.axes[:1] if beside else self.axes:
            axes.set_ylabel(self.panel.ylabel)

    def moving(self, fit: Any) -> list[tuple[None, np.ndarray]]:
        """Return None, as there is no abscissa, and the image of each of `artists`."""
        return [(None, np.asarray(fit.model)), (None, residuals_of(fit, axes=2))]

    def limits(self, fit: Any) -> np.ndarray:
        """Return the limit of the residuals' scale, of the batch's shape [sigma]."""
        return residual_limits(residuals_of(fit, axes=2), axes=2)

    def rescale(self, limit: float) -> None:
        """Set the limit of the residuals' scale [sigma]."""
        if limit != self.artists[1].get_clim()[1]:
            self.artists[1].set_clim(-limit, limit)

    def normalised(
        self, artist: Any, values: np.ndarray, limits: np.ndarray
    ) -> np.ndarray:
        """Return pixels on the artist's scale, 0 to 1, each row with its limit."""
        if artist is self.artists[1]:
            return 0.5 + values / (2 * limits[:, None])
        low, high = artist.get_clim()
        return (values - low) / (high - low)

    def update(self, fit: Any) -> bool:
        """Show another fit; return whether the residuals' scale changed with it."""
        for artist, (_, image) in zip(self.artists, self.moving(fit), strict=True):
            artist.set_data(image)
        limit = float(self.limits(fit))
        changed = limit != self.artists[1].get_clim()[1]
        self.rescale(limit)
        return changed
