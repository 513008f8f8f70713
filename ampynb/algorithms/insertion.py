"""Insertion ranks of new live points, and the test that they are uniform.

Source: Fowlie, Handley and Su 2020, MNRAS 497, 5256.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["NO_RANK", "insertion_ranks", "insertion_trouble"]

NO_RANK = -1.0  # of the first live points, which are inserted nowhere
LEAST_P_VALUE = 1e-3
FEWEST_RANKS = 20


def insertion_ranks(share: Any, above: Any, born: Any) -> Any:
    """Return at which share of the live points each new one is inserted.

    Uniform on [0, 1], and independent, where new points are drawn from the prior above
    the contour. The rank among m points is one of m + 1 numbers, and more than one
    where likelihoods are equal; a place within them is drawn (the randomised
    probability integral transform), so that the distribution of a continuous variable
    holds for any m. Works on NumPy's and JAX's arrays.

    Parameters
    ----------
    share : array, (k,)
        Uniform random numbers.
    above : array, (nlive,)
        Log likelihoods of the live points above the contour; NaN for the others.
    born : array, (k,)
        Those of the new points, which are inserted one after the other.
    """
    of_each = born[:, None]
    earlier = np.tri(len(born), k=-1, dtype=bool)
    below = (above < of_each).sum(axis=1) + (earlier & (born < of_each)).sum(axis=1)
    equal = (above == of_each).sum(axis=1) + (earlier & (born == of_each)).sum(axis=1)
    total = (above == above).sum() + np.arange(len(born))
    return (below + share * (equal + 1)) / (total + 1)


def insertion_trouble(ranks: np.ndarray) -> tuple[str, ...]:
    """Return what the insertion ranks of a run say against it, in words.

    By the test of Kolmogorov and Smirnov. It finds new points that come from a part of
    the prior above the contour alone; it is blind to a wrong measure that is the same
    in all of the run.

    Parameters
    ----------
    ranks : array, (n,)
        `NO_RANK` for the first live points.
    """
    from scipy.special import kolmogorov

    known = np.sort(ranks[ranks != NO_RANK])
    n = len(known)
    if n < FEWEST_RANKS:
        return ()
    steps = np.arange(n + 1) / n
    distance = max(np.max(steps[1:] - known), np.max(known - steps[:-1]))
    root = np.sqrt(n)
    # Stephens 1970: good to a percent from n = 5 on.
    p_value = float(kolmogorov((root + 0.12 + 0.11 / root) * distance))
    if p_value >= LEAST_P_VALUE:
        return ()
    return (
        f"insertion ranks of new live points are not uniform (p = {p_value:.1g}): the "
        "evidence may be biased; use more live points (nwalkers) or, for a likelihood "
        "in JAX, more slice_steps",
    )
