"""Corner plots and traces under samples that others draw, and can be clicked.

Matplotlib draws contours, histograms and axes once, as a transparent PNG. With it
comes which box shows which columns of the samples, and over which range.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from ampynb.plots.corner import plot_corner
from ampynb.plots.figure import COLOURS, RENDER_LOCK, NotebookFigure, tidy
from ampynb.plots.scene import DPI, INK, PAPER, encoded, paint

__all__ = ["SampleScene", "Trace", "corner_scene", "scatter_scene", "trace_scene"]

TRACE_ROW, TRACE_AXIS = (
    68,
    40,
)  # heights of a parameter's row, and of what is below [px]
MOST_CHAINS, MOST_STEPS = 8, 600
STILL = (0.5, 0.5, 0.5, 0.35)  # on light and on dark
SMALL = {"label_kwargs": {"fontsize": 8}, "max_n_ticks": 3, "labelpad": 0.06}
LINES_ONLY = {"plot_density": False, "no_fill_contours": True, "show_titles": False}


@dataclass(frozen=True)
class Trace:
    """What a trace shows of one result.

    Attributes
    ----------
    abscissa : array, (n_draws,)
        A step, or whatever orders the draws.
    position : array, (n_draws, nwalkers, k)
        Chains to be drawn as lines; of no walkers where there are none.
    """

    abscissa: np.ndarray
    position: np.ndarray


class SampleScene:
    """A figure whose axes show columns of samples.

    Parameters
    ----------
    figure : NotebookFigure
        At `DPI` times ``ratio`` dots per inch.
    panels : list of (axes, int, int or None)
        Axes, and the columns of abscissa and ordinate; None for a histogram.
    ratio : float
        Device pixels for each of the page's.
    dark : bool
        Whether it is to be read on dark ground.
    """

    def __init__(
        self, figure: NotebookFigure, panels: list, ratio: float = 1.0, dark=False
    ):
        self.figure, self.panels, self.ratio, self.dark = figure, panels, ratio, dark
        with RENDER_LOCK:
            paint(figure, dark)
            figure.canvas.draw()
            self._pixels = np.array(figure.canvas.buffer_rgba())  # type: ignore

    def layout(self) -> dict[str, Any]:
        """Return the PNG, its size, and where which columns are, for the page."""
        rows, columns = self._pixels.shape[:2]
        height = rows / self.ratio
        panels = []
        for axes, x, y in self.panels:
            box = axes.get_window_extent()
            sides = (box.x0, rows - box.y1, box.width, box.height)
            panels.append(
                {
                    "x": x,
                    "y": y,
                    "box": [float(side / self.ratio) for side in sides],
                    "xlim": [float(edge) for edge in axes.get_xlim()],
                    "ylim": [float(edge) for edge in axes.get_ylim()],
                }
            )
        return {
            "width": columns / self.ratio,
            "height": height,
            "ratio": self.ratio,
            "panels": panels,
            "png": encoded(self._pixels),
        }

    def picture(
        self,
        samples: Sequence[np.ndarray],
        mark: np.ndarray | None = None,
        histograms: bool = False,
    ) -> bytes:
        """Return the whole picture with samples, one of them marked, as a PNG.

        Parameters
        ----------
        samples : sequence of array, (n, columns)
            Those of each result.
        mark : array, (columns,), optional
        histograms : bool
            Whether the samples' own histograms are drawn, and their points larger.
        """
        look = {"ms": 5, "alpha": 0.8} if histograms else {"ms": 2.6, "alpha": 0.35}
        with RENDER_LOCK:
            drawn = []
            for axes, x, y in self.panels:
                for colour, values in zip(_colours(), samples, strict=False):
                    if y is not None:
                        dots = values[:, [x, y]].T
                        drawn += axes.plot(
                            *dots, ".", zorder=0.5, mew=0, color=colour, **look
                        )
                    elif histograms:
                        drawn.append(_draw_histogram(axes, values[:, x], colour))
                if mark is not None:
                    drawn += _draw_mark(axes, mark, x, y, INK[self.dark])
            canvas: Any = self.figure.canvas
            canvas.draw()
            whole = Image.fromarray(np.array(canvas.buffer_rgba()))
            for artist in drawn:
                artist.remove()
        ground = Image.new("RGBA", whole.size, PAPER[self.dark])
        return encoded(np.asarray(Image.alpha_composite(ground, whole))[..., :3])


def _draw_histogram(axes: Any, values: np.ndarray, colour: str) -> Any:
    """Draw a histogram as high as the axes."""
    counts, edges = np.histogram(values, 30, axes.get_xlim())
    heights = 0.92 * axes.get_ylim()[1] * counts / max(counts.max(), 1)
    return axes.stairs(heights, edges, color=colour, lw=1.4)


def _draw_mark(axes: Any, mark: np.ndarray, x: int, y: int | None, ink: str) -> list:
    if y is None:
        return [axes.axvline(mark[x], color=ink, lw=1.2)]
    look = {"mfc": "none", "mec": ink, "mew": 1.5, "ms": 7, "zorder": 9}
    return axes.plot([mark[x]], [mark[y]], "o", **look)


def corner_scene(
    draws: Mapping[str, np.ndarray],
    labels: Sequence[str],
    width: int,
    ratio: float = 1.0,
    dark: bool = False,
) -> SampleScene:
    """Return a corner plot of draws, to be read at a width [px].

    Parameters
    ----------
    draws : dict of str to array, (n_draws, k)
    labels : sequence of str, (k,)
    """
    side = len(labels)
    figure, room = _square(width, ratio)
    axes = plot_corner(figure, draws, labels, **SMALL, **LINES_ONLY)
    figure.subplots_adjust(left=room, bottom=room, right=0.985, top=0.985)
    for legend in figure.legends:
        for text in legend.get_texts():
            text.set_fontsize(9)
    for one in figure.axes:
        one.tick_params(labelsize=7, length=2, pad=1)
    _place_labels(axes, width)
    panels = []
    for i in range(side):
        panels.append((axes[i, i], i, None))
        panels += [(axes[i, j], j, i) for j in range(i)]
    return SampleScene(figure, panels, ratio, dark)


def scatter_scene(
    ranges: Sequence[tuple[float, float]],
    labels: Sequence[str],
    draws: np.ndarray,
    width: int,
    ratio: float = 1.0,
    dark: bool = False,
) -> SampleScene:
    """Return the axes of a corner plot for samples that move, with some that stay.

    Parameters
    ----------
    ranges : sequence of (float, float), (k,)
    labels : sequence of str, (k,)
    draws : array, (n_draws, k)
        Drawn in grey, to compare with.
    """
    side = len(labels)
    figure, room = _square(width, ratio)
    axes = figure.subplots(side, side, squeeze=False)
    figure.subplots_adjust(room, room, 0.985, 0.985, wspace=0.05, hspace=0.05)
    panels = []
    for i, j in itertools.product(range(side), range(side)):
        one = axes[i, j]
        if j > i:
            one.set_visible(False)
            continue
        one.set_xlim(ranges[j])
        one.locator_params(nbins=3)
        one.tick_params(labelsize=7, length=2, pad=1)
        one.tick_params(axis="x", labelrotation=45, labelbottom=i == side - 1)
        one.tick_params(axis="y", labelleft=0 == j < i)
        if i == j:
            one.hist(draws[:, i], bins=40, range=ranges[i], density=True, color=STILL)
            one.set_yticks([])
        else:
            one.set_ylim(ranges[i])
            one.plot(*draws[:, [j, i]].T, ".", ms=1.5, color=STILL, zorder=0)
        panels.append((one, j, None if i == j else i))
    for i in range(side):
        axes[-1, i].set_xlabel(labels[i], fontsize=8)
        if i:
            axes[i, 0].set_ylabel(labels[i], fontsize=8)
    _place_labels(axes, width)
    return SampleScene(figure, panels, ratio, dark)


def _square(width: int, ratio: float) -> tuple[NotebookFigure, float]:
    """Return the figure of a corner plot, and the share of it that labels take."""
    figure = NotebookFigure(figsize=(width / DPI,) * 2, dpi=DPI * ratio)
    return figure, min(0.24, 62 / width)


def _place_labels(axes: Any, width: int) -> None:
    """Put the labels of a corner plot in line, so far from its axes [px]."""
    side = len(axes)
    for i in range(side):
        axes[i, 0].yaxis.set_label_coords(-52 / width * side, 0.5)
        axes[-1, i].xaxis.set_label_coords(0.5, -48 / width * side)


def trace_scene(
    traces: Sequence[Trace],
    ranges: Sequence[tuple[float, float]],
    labels: Sequence[str],
    xlabel: str,
    width: int,
    ratio: float = 1.0,
    dark: bool = False,
) -> SampleScene:
    """Return the traces of parameters below each other; their abscissa is column k.

    Parameters
    ----------
    traces : sequence of Trace
        Of each result.
    ranges : sequence of (float, float), (k,)
        What the axes of the parameters show.
    labels : sequence of str, (k,)
    """
    count = len(labels)
    height = count * TRACE_ROW + TRACE_AXIS
    size = (width / DPI, height / DPI)
    figure = NotebookFigure(figsize=size, dpi=DPI * ratio)
    axes = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    figure.subplots_adjust(
        left=52 / width,
        right=1 - 10 / width,
        top=1 - 16 / height,
        bottom=TRACE_AXIS / height,
        hspace=0.42,
    )
    for i, (one, label, limits) in enumerate(zip(axes, labels, ranges, strict=True)):
        tidy(one)
        one.tick_params(labelsize=7, length=2)
        one.locator_params(axis="y", nbins=3)
        one.set_title(label, fontsize=8, pad=2, x=0, ha="left")
        one.set_ylim(limits)
        for colour, trace in zip(_colours(), traces, strict=False):
            _draw_chains(one, trace, i, colour)
    axes[-1].set_xlabel(xlabel, fontsize=8)
    low = min(float(trace.abscissa.min()) for trace in traces)
    high = max(float(trace.abscissa.max()) for trace in traces)
    axes[0].set_xlim(low, high if high > low else low + 1)
    panels = [(one, count, i) for i, one in enumerate(axes)]
    return SampleScene(figure, panels, ratio, dark)


def _draw_chains(axes: Any, trace: Trace, column: int, colour: str) -> None:
    n_draws, nwalkers = trace.position.shape[:2]
    shown = np.linspace(0, nwalkers - 1, min(nwalkers, MOST_CHAINS)).astype(int)
    rows = slice(None, None, max(n_draws // MOST_STEPS, 1))
    for walker in shown:
        values = trace.position[rows, walker, column]
        axes.plot(trace.abscissa[rows], values, lw=0.5, alpha=0.35, color=colour)


def _colours() -> Any:
    return itertools.cycle(COLOURS)
