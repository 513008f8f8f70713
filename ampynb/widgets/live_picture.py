"""The monitor's picture: traces of the parameters, and the best fit so far."""

from __future__ import annotations

from typing import Any

import numpy as np

from ampynb.analysis.posterior import Posterior
from ampynb.plots.figure import BlitCanvas, NotebookFigure
from ampynb.plots.panels import columns_of, has_curves, panels_for
from ampynb.results.history import History
from ampynb.widgets.live_traces import LiveTraces

__all__ = ["LivePicture"]

MOST_PARAMETERS = 6


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

    def png(self, whole: bool = False) -> bytes | None:
        """Return the picture as it is now, or None before the first draw.

        Parameters
        ----------
        whole : bool
            Whether the run has ended, so that no room is left for further steps.
        """
        best = self.history.best()
        if best is None:
            return None
        analysis = self.posterior.analysis
        fit = None
        if analysis.has_fit:
            self.posterior.check_unchanged()
            instance = self.posterior.model.instance_from_vector(best.position)
            fit = analysis.fit_for_visualization(instance)
        if self._figure is None:
            self._lay_out(fit if fit is not None and has_curves(fit) else None)
        stale = self._traces.update(whole)
        if self._panels is not None:
            stale = self._panels.update(fit) or stale
        self._canvas.stale = self._canvas.stale or stale
        self._canvas.artists = self._artists()
        return self._canvas.png()

    def _artists(self) -> list:
        of_fit = [] if self._panels is None else self._panels.artists
        return [*self._traces.artists, *of_fit]

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
        self._traces = LiveTraces(left, names, self.history)
        self._canvas = BlitCanvas(self._figure, self._artists())
