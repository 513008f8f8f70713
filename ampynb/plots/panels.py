"""Which panels draw a fit: those of curves, or those of images."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from ampynb.analysis.panel import Panel
from ampynb.plots.fit import FitPanels, is_drawable
from ampynb.plots.image import ImagePanels, is_image

__all__ = ["can_draw", "panels_for"]


def can_draw(fit: Any) -> bool:
    """Whether a fit has one- or two-dimensional ``data`` and ``model``."""
    return is_drawable(fit) or is_image(fit)


def panels_for(figure: Figure, panel: Panel, fit: Any) -> FitPanels | ImagePanels:
    """Lay out the panels of a fit in a figure.

    Both kinds have ``artists``, which move, ``moving(fit)``, where to, ``limits(fit)``
    and ``rescale(limit)`` for the residuals' scale, and ``update(fit)``.
    """
    if is_image(fit):
        return ImagePanels(figure, panel, fit)
    return FitPanels(figure, panel, fit)
