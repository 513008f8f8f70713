"""Traces of the parameters with their distributions beside them, as they grow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.patches import Polygon
from matplotlib.transforms import Affine2D

from ampynb.algorithms.algorithm import WARMUP
from ampynb.model.circle import in_one_piece, nearest
from ampynb.plots.figure import COLOURS, GREY, padded_range
from ampynb.results.history import History

__all__ = ["LiveTraces"]

MOST_CHAINS = 8
MOST_POINTS = 300
BINS = 30
BESIDE = 0.17  # share of the width that the histograms have
SPARE = 2.0  # how far the axis of steps goes, in last steps: new axes are dear


class LiveTraces:
    """Axes for each parameter: chains within, a histogram of the draws on the right.

    The axes change in leaps, so that most pictures are drawn over a kept background.
    Where points die one after another, they are dots, and the distribution is that of
    the live points.

    Parameters
    ----------
    figure : matplotlib figure or subfigure
        Empty.
    names : sequence of str
        The first parameters, which are shown.
    history : History

    Attributes
    ----------
    artists : list
        What `update` moves.
    """

    def __init__(self, figure: Any, names: Sequence[str], history: History):
        self.history = history
        self.traces = figure.subplots(len(names), squeeze=False, sharex=True)[:, 0]
        left, end = 0.22, 0.985
        right = end - BESIDE * (end - left)
        figure.subplots_adjust(
            left=left, right=right, top=0.96, bottom=0.13, hspace=0.15
        )
        for trace, name in zip(self.traces, names, strict=True):
            _make_quiet(trace)
            trace.set_ylabel(name, fontsize=8, rotation=0, ha="right", va="center")
            trace.yaxis.set_label_coords(-0.18, 0.5)
        self.traces[-1].set_xlabel("step", fontsize=8)
        self.traces[0].set_xlim(0, 1)
        self._lines: list[list] = [[] for _ in names]
        self._shades = [
            trace.axvspan(0, 0, color=GREY, alpha=0.15, lw=0) for trace in self.traces
        ]
        self._fills = [_empty_histogram(trace) for trace in self.traces]
        self.artists: list = [*self._shades, *self._fills]

    def update(self, whole: bool = False) -> bool:
        """Move all to what has been drawn by now.

        Parameters
        ----------
        whole : bool
            Whether no step is to come, for which the axis would have room.

        Returns
        -------
        bool
            Whether the axes changed, so that a kept background is stale.
        """
        history, warmup = self.history, self.history.steps(WARMUP)
        steps, position = history.thinned(MOST_POINTS)
        position = in_one_piece(position, history.periods)
        kept = position[_shown_from(steps, warmup, history.live is not None) :]
        chosen = np.linspace(0, position.shape[1] - 1, MOST_CHAINS).astype(int)
        shown = np.unique(chosen)
        changed = self._reach(int(steps[-1]), whole)
        beside, live = kept, history.live
        if live is not None:
            centre = position.mean(axis=(0, 1))
            beside = nearest(live.position, centre, history.periods)
        for i, trace in enumerate(self.traces):
            self._draw_chains(i, steps, position[:, shown, i])
            self._shades[i].set_width(warmup)
            low, high = kept[..., i].min(), kept[..., i].max()
            changed = _fit_limits(trace, low, high) or changed
            self._fills[i].set_xy(_outline(beside[..., i], trace.get_ylim()))
        return changed

    def _draw_chains(self, i: int, steps: np.ndarray, chains: np.ndarray) -> None:
        lines = self._lines[i]
        dots = self.history.live is not None
        style = {"ls": "", "marker": ".", "ms": 2} if dots else {"lw": 0.6}
        for j in range(len(lines), chains.shape[1]):
            colour = COLOURS[0 if dots else j % len(COLOURS)]
            (line,) = self.traces[i].plot([], [], alpha=0.8, color=colour, **style)
            line.set_animated(True)
            lines.append(line)
            self.artists.append(line)
        for line, values in zip(lines, chains.T, strict=True):
            line.set_data(steps, values)

    def _reach(self, last: int, whole: bool) -> bool:
        """Let the axis of steps have room for the last one; return whether it moved."""
        before = self.traces[0].get_xlim()[1]
        if not whole and last <= before <= 2 * SPARE * last:
            return False
        reach = max(last if whole else SPARE * last, 2)
        self.traces[0].set_xlim(0, reach)
        return reach != before


def _shown_from(steps: np.ndarray, warmup: int, dies: bool) -> int:
    """Return the first row that sets the limits; what came from far does not."""
    if dies:
        return len(steps) // 2
    return int(np.sum(steps <= warmup)) if steps[-1] > 1.2 * warmup else 0


def _make_quiet(trace: Any) -> None:
    trace.spines[["top", "right"]].set_visible(False)
    trace.spines[["left", "bottom"]].set_color(GREY)
    trace.tick_params(labelsize=7, color=GREY)
    trace.locator_params(axis="y", nbins=3)


def _empty_histogram(trace: Any) -> Any:
    """Return a polygon to the right of axes, its y theirs, its x from 0 to 1.

    Axes of its own would take as long to make and to draw as those of the trace.
    """
    width = BESIDE / (1 - BESIDE)
    place = Affine2D().scale(0.95 * width, 1).translate(1 + 0.05 * width, 0)
    fill = Polygon(np.zeros((3, 2)), color=COLOURS[0], alpha=0.6, lw=0, clip_on=False)
    fill.set_transform(place + trace.get_yaxis_transform())
    return trace.add_artist(fill)


def _fit_limits(axes: Any, low: float, high: float) -> bool:
    """Let axes show what is between, in leaps; return whether they moved."""
    bottom, top = axes.get_ylim()
    inside = bottom <= low and high <= top
    if inside and high - low > 0.5 * (top - bottom):
        return False
    axes.set_ylim(padded_range(low, high, 0.1))
    return axes.get_ylim() != (bottom, top)


def _outline(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Return the corners of a histogram that lies on its side, its peak at 1."""
    counts, edges = np.histogram(values, bins=BINS, range=limits)
    height = np.repeat(counts / max(counts.max(), 1), 2)
    corners = np.stack([height, np.repeat(edges, 2)[1:-1]], axis=1)
    return np.concatenate([[[0, edges[0]]], corners, [[0, edges[-1]]]])
