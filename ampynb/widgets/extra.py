"""Panels that the user draws, below the picture of the fit."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

from ampynb.plots.figure import RENDER_LOCK, NotebookFigure, tidy
from ampynb.plots.scene import DPI, paint

__all__ = ["ExtraPanels"]

HEIGHT = 260  # of each panel [px]


class ExtraPanels:
    """Axes that callables draw on from a fit, in full each time.

    Parameters
    ----------
    panels : sequence of callable
        Each takes a fit and empty axes. One that raises has its error written there.
    """

    def __init__(self, panels: Sequence[Callable[[Any, Any], Any]]):
        for panel in panels:
            if not callable(panel):
                raise TypeError(
                    "expected panels as functions that draw a fit on axes, draw(fit, "
                    f"axes); got {type(panel).__qualname__}; write for instance "
                    "panels=[lambda fit, axes: axes.hist(fit.residuals)]"
                )
        self.panels = tuple(panels)

    def png(self, fit: Any, width: int, ratio: float, dark: bool) -> bytes:
        """Return the panels of a fit, side by side or, in a narrow page, stacked."""
        count = len(self.panels)
        columns = max(1, min(count, width // 320))
        rows = -(-count // columns)
        with RENDER_LOCK:
            figure = NotebookFigure(
                figsize=(width / DPI, rows * HEIGHT / DPI),
                dpi=DPI * ratio,
                layout="constrained",
            )
            grid = figure.subplots(rows, columns, squeeze=False).ravel()
            for panel, axes in zip(self.panels, grid, strict=False):
                tidy(axes)
                _draw(panel, fit, axes)
            for axes in grid[count:]:
                axes.set_visible(False)
            paint(figure, dark)
            stream = io.BytesIO()
            figure.savefig(stream, format="png", dpi=DPI * ratio)
        return stream.getvalue()


def _draw(panel: Callable[[Any, Any], Any], fit: Any, axes: Any) -> None:
    try:
        panel(fit, axes)
    except Exception as error:  # shown where the picture would be
        axes.clear()
        axes.set_axis_off()
        text = f"{type(error).__name__}: {error}"
        axes.text(0.5, 0.5, text, ha="center", va="center", wrap=True, fontsize=9)
