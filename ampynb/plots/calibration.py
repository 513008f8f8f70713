"""Ranks of simulation-based calibration: histograms and distributions with bands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import binom

from ampynb.plots.figure import BEST, COLOURS, GREY, tidy

__all__ = ["plot_calibration"]

RIGHT, WRONG, BAND = COLOURS[0], BEST, "#e5e7eb"
RANKS_PER_BIN = 10  # expected, at least
MOST_BINS = 25
BAND_MASS = 0.99  # of the count in one bin


def plot_calibration(
    figure: Figure,
    ranks: np.ndarray,
    n_ranks: int,
    band: Any,
    titles: Sequence[str],
    is_off: Sequence[bool],
) -> np.ndarray:
    """Draw the histogram of ranks, and their distribution less the uniform one.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    ranks : array of int, (n, n_quantities)
        From 0 to ``n_ranks - 1``.
    n_ranks : int
    band : Band
        Of the distribution: ``z``, ``low`` and ``high``.
    titles : sequence of str, (n_quantities,)
    is_off : sequence of bool, (n_quantities,)
        Whether a quantity is drawn as one that strays.

    Returns
    -------
    array of axes, (n_quantities, 2)
    """
    axes = figure.subplots(
        ranks.shape[1], 2, squeeze=False, gridspec_kw={"width_ratios": [1, 1.3]}
    )
    for (left, right), column, title, off in zip(
        axes, ranks.T, titles, is_off, strict=True
    ):
        colour = WRONG if off else RIGHT
        _draw_histogram(left, column, n_ranks, colour)
        _draw_difference(right, column, n_ranks, band, colour)
        left.set_title(title, loc="left", fontsize=9.5, color=WRONG if off else "black")
    for one in axes[:-1].ravel():
        one.tick_params(labelbottom=False)
    axes[-1, 0].set_xlabel("rank of the true value", fontsize=9)
    axes[-1, 1].set_xlabel("rank, as a share of all", fontsize=9)
    height = figure.get_figheight()
    figure.subplots_adjust(
        left=0.07,
        right=0.985,
        top=1 - 0.32 / height,
        bottom=0.5 / height,
        wspace=0.2,
        hspace=0.34,
    )
    return axes


def _draw_histogram(axes: Any, ranks: np.ndarray, n_ranks: int, colour: str) -> None:
    """Draw counts over what is expected of them, with each bin's own interval."""
    n = len(ranks)
    bins = int(np.clip(n // RANKS_PER_BIN, 1, min(MOST_BINS, n_ranks)))
    edges = np.round(np.linspace(0, n_ranks, bins + 1))
    share = np.diff(edges) / n_ranks
    counts = np.histogram(ranks, edges)[0]
    tails = (1 - BAND_MASS) / 2, (1 + BAND_MASS) / 2
    low, high = (binom.ppf(tail, n, share) / (n * share) for tail in tails)
    axes.stairs(high, edges, baseline=low, fill=True, color=BAND, lw=0)
    axes.axhline(1.0, color=GREY, lw=0.8)
    heights = counts / (n * share)
    axes.stairs(heights, edges, baseline=None, color=colour, lw=1.6)
    axes.set_xlim(0, n_ranks)
    axes.set_ylim(0, 1.08 * max(heights.max(), high.max()))
    axes.set_ylabel("count / expected", fontsize=8)
    tidy(axes)
    axes.grid(False)


def _draw_difference(
    axes: Any, ranks: np.ndarray, n_ranks: int, band: Any, colour: str
) -> None:
    """Draw the empirical distribution less the uniform one, in its band."""
    below = np.cumsum(np.bincount(ranks, minlength=n_ranks))
    difference = np.r_[0, below] / len(ranks) - band.z
    low, high = band.low - band.z, band.high - band.z
    axes.fill_between(band.z, low, high, color=BAND, lw=0)
    axes.axhline(0.0, color=GREY, lw=0.8)
    axes.plot(band.z, difference, color=colour, lw=1.6)
    limit = 1.15 * np.max(np.abs([low, high, difference]))
    axes.set_xlim(0, 1)
    axes.set_ylim(-limit, limit)
    axes.set_ylabel("ECDF - uniform", fontsize=8)
    tidy(axes)
    axes.grid(False)
