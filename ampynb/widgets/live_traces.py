"""Traces of the parameters with their distributions beside them, as they grow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ampynb.algorithms.algorithm import WARMUP
from ampynb.plots.figure import COLOURS, GREY
from ampynb.results.history import History

__all__ = ["LiveTraces"]

MOST_CHAINS = 8
MOST_POINTS = 300
BINS = 30
SPARE = 1.3  # how far the axis of steps goes beyond the last one


class LiveTraces:
    """One row of axes for each parameter: chains on the left, draws on the right.

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
        axes = figure.subplots(
            len(names),
            2,
            squeeze=False,
            sharex="col",
            sharey="row",
            gridspec_kw={"width_ratios": [5, 1], "wspace": 0.03},
        )
        figure.subplots_adjust(
            left=0.22, right=0.985, top=0.96, bottom=0.13, hspace=0.15
        )
        for (trace, marginal), name in zip(axes, names, strict=True):
            _make_quiet(trace, marginal)
            trace.set_ylabel(name, fontsize=8, rotation=0, ha="right", va="center")
            trace.yaxis.set_label_coords(-0.15, 0.5)
        axes[-1, 0].set_xlabel("step", fontsize=8)
        axes[0, 1].set_xlim(0, 1.08)
        axes[0, 0].set_xlim(0, 1)
        self.traces, self.marginals = axes[:, 0], axes[:, 1]
        self._lines: list[list] = [[] for _ in names]
        self._shades = [
            trace.axvspan(0, 0, color=GREY, alpha=0.15, lw=0) for trace in self.traces
        ]
        self._fills = [_empty_histogram(marginal) for marginal in self.marginals]
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
        kept = position[_shown_from(steps, warmup, history.live is not None) :]
        chosen = np.linspace(0, position.shape[1] - 1, MOST_CHAINS).astype(int)
        shown = np.unique(chosen)
        changed = self._reach(int(steps[-1]), whole)
        for i, trace in enumerate(self.traces):
            self._draw_chains(i, steps, position[:, shown, i])
            self._shades[i].set_width(warmup)
            low, high = kept[..., i].min(), kept[..., i].max()
            changed = _fit_limits(trace, low, high) or changed
            live = history.live
            beside = kept if live is None else live.position
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
        if not whole and last <= before <= 2 * last:
            return False
        reach = max(last if whole else SPARE * last, 2)
        self.traces[0].set_xlim(0, reach)
        return reach != before


def _shown_from(steps: np.ndarray, warmup: int, dies: bool) -> int:
    """Return the first row that sets the limits; what came from far does not."""
    if dies:
        return len(steps) // 2
    return int(np.sum(steps <= warmup)) if steps[-1] > 1.2 * warmup else 0


def _make_quiet(trace: Any, marginal: Any) -> None:
    for axes in (trace, marginal):
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(GREY)
        axes.tick_params(labelsize=7, color=GREY)
        axes.locator_params(axis="y", nbins=3)
    marginal.spines["bottom"].set_visible(False)
    marginal.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)


def _empty_histogram(axes: Any) -> Any:
    (fill,) = axes.fill([0, 0, 0], [0, 0, 0], color=COLOURS[0], alpha=0.6, lw=0)
    return fill


def _fit_limits(axes: Any, low: float, high: float) -> bool:
    """Let axes show what is between, in leaps; return whether they moved."""
    bottom, top = axes.get_ylim()
    inside = bottom <= low and high <= top
    if inside and high - low > 0.5 * (top - bottom):
        return False
    pad = 0.1 * (high - low) or 0.1 * abs(high) or 1.0
    axes.set_ylim(low - pad, high + pad)
    return axes.get_ylim() != (bottom, top)


def _outline(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Return the corners of a histogram that lies on its side, its peak at 1."""
    counts, edges = np.histogram(values, bins=BINS, range=limits)
    height = np.repeat(counts / max(counts.max(), 1), 2)
    corners = np.stack([height, np.repeat(edges, 2)[1:-1]], axis=1)
    return np.concatenate([[[0, edges[0]]], corners, [[0, edges[-1]]]])
