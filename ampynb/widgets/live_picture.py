"""The monitor's picture: traces of the parameters, and the best fit so far."""

from __future__ import annotations

from typing import Any

import numpy as np

from ampynb.algorithms.algorithm import WARMUP
from ampynb.analysis.posterior import Posterior
from ampynb.plots.figure import COLOURS, GREY, BlitCanvas, NotebookFigure
from ampynb.plots.panels import columns_of, has_curves, panels_for
from ampynb.results.history import History

__all__ = ["LivePicture"]

MOST_PARAMETERS = 6
MOST_CHAINS = 8
MOST_POINTS = 400


class LivePicture:
    """A figure that is kept and redrawn from a run's history.

    Parameters
    ----------
    posterior : Posterior
    history : History
    """

    def __init__(self, posterior: Posterior, history: History):
        self.posterior, self.history = posterior, history
        self._panels: Any = None
        self._figure: NotebookFigure | None = None

    @property
    def best_log_posterior(self) -> float:
        """Log posterior density of the best draw so far; -inf before the first."""
        best = self.history.best()
        return -np.inf if best is None else best.value

    def png(self) -> bytes | None:
        """Return the picture as it is now, or None before the first draw."""
        warmup, best = self.history.steps(WARMUP), self.history.best()
        steps, position = self.history.thinned(MOST_POINTS)
        if best is None:
            return None
        analysis = self.posterior.analysis
        fit = None
        if analysis.has_fit:
            instance = self.posterior.model.instance_from_vector(best.position)
            fit = analysis.fit_for_visualization(instance)
        if self._figure is None:
            self._lay_out(fit if fit is not None and has_curves(fit) else None)
        self._draw_traces(steps, position, warmup)
        if self._panels is not None:
            self._panels.update(fit)
        self._canvas.stale = True
        return self._canvas.png()

    def _lay_out(self, fit: Any) -> None:
        names = self.posterior.model.names[:MOST_PARAMETERS]
        columns, rows = columns_of(fit)
        self._figure = NotebookFigure(figsize=(5 + 5 * columns, 3.8 * rows), dpi=100)
        left: Any = self._figure
        if fit is not None:
            halves: Any = self._figure.subfigures(
                1, 2, wspace=0.02, width_ratios=[1, columns]
            )
            left, right = halves
            right.subplots_adjust(left=0.14, right=0.97, top=0.92, bottom=0.13)
            panel = self.posterior.analysis.panel()
            self._panels = panels_for(right, panel, fit)
            self._panels.set_title("best fit so far")
        axes = left.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
        left.subplots_adjust(left=0.24, right=0.97, top=0.96, bottom=0.13, hspace=0.15)
        self._axes = axes
        for one, name in zip(axes, names, strict=True):
            one.spines[["top", "right"]].set_visible(False)
            one.tick_params(labelsize=7, color=GREY)
            one.locator_params(axis="y", nbins=3)
            one.set_ylabel(name, fontsize=8, rotation=0, ha="right", va="center")
            one.yaxis.set_label_coords(-0.14, 0.5)
        axes[-1].set_xlabel("step", fontsize=8)
        self._shades = [one.axvspan(0, 0, color=GREY, alpha=0.15, lw=0) for one in axes]
        self._lines: list[list] = []
        self._canvas = BlitCanvas(self._figure, [])

    def _draw_traces(
        self, steps: np.ndarray, position: np.ndarray, warmup: int
    ) -> None:
        """Put the chains into the axes; grey where they are warm-up."""
        nwalkers = position.shape[1]
        chains = np.linspace(0, nwalkers - 1, min(nwalkers, MOST_CHAINS)).astype(int)
        if not self._lines:
            self._lines = [
                [
                    one.plot(
                        [], [], lw=0.6, alpha=0.8, color=COLOURS[j % len(COLOURS)]
                    )[0]
                    for j in range(len(chains))
                ]
                for one in self._axes
            ]
        # The warm-up may come from far: later it does not set the limits.
        kept = position[steps > warmup] if steps[-1] > 1.2 * warmup else position
        for i, (one, lines) in enumerate(zip(self._axes, self._lines, strict=True)):
            for line, chain in zip(lines, chains, strict=True):
                line.set_data(steps, position[:, chain, i])
            low, high = kept[..., i].min(), kept[..., i].max()
            pad = 0.1 * (high - low) or 1.0
            one.set_ylim(low - pad, high + pad)
            self._shades[i].set_width(warmup)
        self._axes[0].set_xlim(0, max(steps[-1], 2))
