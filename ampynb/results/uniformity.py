"""Whether ranks are uniform: a graphical test, and in which way they are not."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

__all__ = ["Band", "Departure", "departure", "ecdf_band", "p_value"]


class Band(NamedTuple):
    """Where the empirical distribution of uniform ranks stays.

    Attributes
    ----------
    z : array, (n_ranks + 1,)
        Shares of all ranks: 0, 1 / n_ranks, ..., 1.
    low, high : array, (n_ranks + 1,)
        Limits of the share of ranks that are below.
    """

    z: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Departure(NamedTuple):
    """How far ranks are from uniform, in standard deviations of what chance gives.

    Attributes
    ----------
    bias : float
        Of the mean rank; negative where the ranks are low.
    spread : float
        Of the mean squared distance from the middle; positive where the ranks pile up
        at both ends.
    """

    bias: float
    spread: float


def departure(ranks: np.ndarray, n_ranks: int) -> Departure:
    """Return by how much ranks from 0 to ``n_ranks - 1`` are off on average."""
    scores = np.arange(n_ranks) - (n_ranks - 1) / 2
    found = np.asarray(ranks) - (n_ranks - 1) / 2

    def in_sigma(score: np.ndarray, drawn: np.ndarray) -> float:
        sigma = score.std() / np.sqrt(len(drawn))
        return float((drawn.mean() - score.mean()) / sigma)

    return Departure(in_sigma(scores, found), in_sigma(scores**2, found**2))


def p_value(ranks: np.ndarray, n_ranks: int) -> float:
    """Return the probability that uniform ranks stray as far as these somewhere.

    Of the graphical test: it is at most 1 - ``mass`` just where the ranks leave the
    band of `ecdf_band` with that mass.

    Parameters
    ----------
    ranks : array of int, (n,)
        From 0 to ``n_ranks - 1``.
    n_ranks : int
    """
    below = np.cumsum(np.bincount(ranks, minlength=n_ranks))[:-1]
    tails = _tails(len(ranks), n_ranks)
    farthest = tails[below, np.arange(n_ranks - 1)].min()
    return 1.0 - _coverage(tails > farthest, len(ranks))


@functools.lru_cache
def ecdf_band(n: int, n_ranks: int, mass: float = 0.95) -> Band:
    """Return the simultaneous band of the empirical distribution of uniform ranks.

    A sample of ``n`` ranks stays in it everywhere with a probability of at least
    ``mass``, and as little more as whole numbers allow.

    Notes
    -----
    Säilynoja, Bürkner and Vehtari (2022, sections 2.1 and 2.3): at each point z the
    count of ranks below is binomial, and the band is made of its central intervals,
    all of one coverage 1 - gamma, which is adjusted until the whole path stays inside
    with the probability asked for. The points are the ranks' own steps, so that the
    band is right for discrete ranks. gamma is found by bisection.
    """
    tails = _tails(n, n_ranks)
    low, high = np.log((1 - mass) / (4 * n_ranks)), np.log(1 - mass)
    while high - low > 1e-6:
        middle = (low + high) / 2
        if _coverage(tails > np.exp(middle), n) >= mass:
            low = middle
        else:
            high = middle
    inside = tails > np.exp(low)
    least = np.argmax(inside, axis=0)
    most = n - np.argmax(inside[::-1], axis=0)
    z = np.arange(n_ranks + 1) / n_ranks
    return Band(z, np.r_[0, least, n] / n, np.r_[0, most, n] / n)


def _tails(n: int, n_ranks: int) -> np.ndarray:
    """Return the smaller tail's probability of each count at each point.

    Returns
    -------
    array, (n + 1, n_ranks - 1)
        That so few, or so many, of ``n`` uniform ranks are below 1, 2, ...
    """
    from scipy.stats import binom

    counts = np.arange(n + 1)[:, None]
    z = np.arange(1, n_ranks) / n_ranks
    tails = np.minimum(binom.cdf(counts, n, z), binom.sf(counts - 1, n, z))
    return (tails + tails[::-1, ::-1]) / 2  # alike from both ends, to the last digit


def _coverage(inside: np.ndarray, n: int) -> float:
    """Return the probability that the counts of ranks below stay inside everywhere.

    The counts are a Markov chain (Säilynoja et al. 2022, section 2.3). It is that of a
    Poisson process conditioned on ``n`` events in all, whose steps are the same
    everywhere.
    """
    from scipy.stats import poisson

    n_ranks = inside.shape[1] + 1
    counts = np.arange(n + 1)
    step = poisson.pmf(counts, n / n_ranks)
    step = step[: np.flatnonzero(step > 1e-18)[-1] + 1]
    reached = (counts == 0).astype(float)
    for allowed in [*inside.T, True]:
        reached = np.where(allowed, np.convolve(reached, step)[: n + 1], 0.0)
    return float(reached[n] / poisson.pmf(n, n))
