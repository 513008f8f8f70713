"""Figures without pyplot: nothing global, and they show themselves in a notebook."""

from __future__ import annotations

import io
import threading
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

__all__ = [
    "BEST",
    "COLOURS",
    "GREY",
    "RENDER_LOCK",
    "BlitCanvas",
    "NotebookFigure",
    "padded_range",
    "tidy",
]

# Okabe and Ito (2008): distinct for every kind of colour vision. The yellow is left
# out, being faint on white.
COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
)
BEST = "#D55E00"
GREY = "#6b7280"

MOST_BINS = 1000  # whose edges must differ in double precision

# Matplotlib's text and font caches are shared by all figures of the process.
RENDER_LOCK = threading.RLock()


class NotebookFigure(Figure):
    """A matplotlib figure that is shown as PNG when it is a cell's last expression."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        FigureCanvasAgg(self)

    def _repr_png_(self) -> bytes:
        with RENDER_LOCK:
            stream = io.BytesIO()
            self.savefig(stream, format="png", dpi=110, bbox_inches="tight")
        return stream.getvalue()


class BlitCanvas:
    """Redraws a few artists of a figure over a kept background.

    A full draw takes tens of milliseconds, this one a few. Set ``stale`` after a
    change to axes or to anything that is not among the artists.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        With an Agg canvas.
    artists : list of matplotlib artists
        Those that change.
    """

    def __init__(self, figure: Figure, artists: list):
        self.figure, self.artists = figure, artists
        self.stale = True
        for artist in artists:
            artist.set_animated(True)

    def png(self) -> bytes:
        """Return the figure as it is now, as a PNG."""
        with RENDER_LOCK:
            canvas: Any = self.figure.canvas
            if self.stale:
                canvas.draw()
                self._background = canvas.copy_from_bbox(self.figure.bbox)
                self.stale = False
            else:
                canvas.restore_region(self._background)
            for artist in self.artists:
                artist.axes.draw_artist(artist)
            pixels = np.asarray(canvas.buffer_rgba())[..., :3]
            stream = io.BytesIO()
            Image.fromarray(pixels).save(stream, format="png", compress_level=1)
        return stream.getvalue()


def padded_range(low: Any, high: Any, share: float) -> tuple[Any, Any]:
    """Return the limits of axes that show what lies from ``low`` to ``high``.

    A range that is empty, or too narrow for the edges of bins to differ, is widened.

    Parameters
    ----------
    low, high : float or array
    share : float
        Room on each side, as a share of the range.
    """
    finest = MOST_BINS * np.spacing(np.maximum(np.abs(low), np.abs(high)))
    is_wide = high - low > finest
    pad = np.where(is_wide, share * (high - low), np.maximum(0.5, finest))
    return low - pad, high + pad


def tidy(axes: Any) -> None:
    """Give axes the look of all our plots: no box, quiet ticks, a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(color=GREY, labelsize=9)
    axes.grid(color=GREY, alpha=0.2, linewidth=0.6)  # on light and on dark
    axes.set_axisbelow(True)
