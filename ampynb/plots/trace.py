"""Traces: every parameter against the step, with its distribution beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ampynb.plots.figure import COLOURS, GREY, NotebookFigure, padded_range, tidy

__all__ = ["plot_trace", "trace"]

MOST_LINES = 24
MOST_POINTS = 2000


def trace(result: Any, parameters: Any = None) -> NotebookFigure:
    """Draw the traces of a result, its burn-in shaded.

    Parameters
    ----------
    result : Result
    parameters : str or sequence of str, optional
        Names of parameters and latent variables; all parameters by default.
    """
    columns = result.columns(parameters, warmup=True)
    if len(columns.position) == 0:
        raise ValueError(
            f"expected a draw; got 0: the run {result.reason}; run it longer"
        )
    figure = NotebookFigure(figsize=(9, 1.2 * len(columns.names) + 0.6))
    warmup = len(result.warmup)
    plot_trace(figure, columns.position, columns.axis_labels, warmup=warmup)
    return figure


def plot_trace(
    figure: Figure, position: np.ndarray, labels: Sequence[str], warmup: int = 0
) -> np.ndarray:
    """Draw the chains of each parameter, and their histograms.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    position : array, (n_draws, nwalkers, ndim)
        The first ``warmup`` draws are drawn in grey.
    labels : sequence of str, (ndim,)
    warmup : int
        Draws that are not part of the result.

    Returns
    -------
    array of axes, (ndim, 2)
    """
    n_draws, nwalkers, ndim = position.shape
    axes = figure.subplots(
        ndim, 2, squeeze=False, gridspec_kw={"width_ratios": [4, 1], "wspace": 0.04}
    )
    thin = max(n_draws // MOST_POINTS, 1)
    steps = np.arange(n_draws)[::thin]
    shown = np.linspace(0, nwalkers - 1, min(nwalkers, MOST_LINES)).astype(int)
    for i in range(ndim):
        left, right = axes[i]
        for j, chain in enumerate(shown):
            values = position[::thin, chain, i]
            colour = COLOURS[j % len(COLOURS)]
            left.plot(steps, values, lw=0.5, alpha=0.7, color=colour)
        if warmup:
            left.axvspan(0, warmup, color=GREY, alpha=0.15, lw=0)
        kept = position[warmup:, :, i]
        kept = kept[np.isfinite(kept)]  # a latent variable may be undefined
        right.hist(
            kept,
            bins=40,
            range=_limits(kept, 0.0),
            orientation="horizontal",
            color=COLOURS[0],
            alpha=0.7,
        )
        for one in (left, right):
            tidy(one)
        left.set_ylim(_limits(kept, 0.4))
        right.set_ylim(left.get_ylim())
        right.tick_params(labelleft=False, labelbottom=False)
        left.set_ylabel(labels[i], fontsize=9)
        left.tick_params(labelbottom=i == ndim - 1)
        left.set_xlim(0, max(n_draws - 1, 1))
    axes[-1, 0].set_xlabel("step")
    figure.subplots_adjust(left=0.1, right=0.99, top=0.98, bottom=0.5 / len(axes) / 1.2)
    return axes


def _limits(kept: np.ndarray, share: float) -> tuple[float, float]:
    """Return limits that show the kept draws in full; the warm-up may leave them."""
    low, high = (kept.min(), kept.max()) if kept.size else (0.0, 0.0)
    return padded_range(low, high, share)
