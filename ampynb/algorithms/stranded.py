"""Walkers and chains that stay far below the others, where there is no posterior.

A stretch or a difference of other walkers hardly ever leads out of a place of zero, or
next to no, probability; users of emcee start such walkers again by hand (Hou et al.
2012, ApJ 745, 198, section 3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import chdtri

__all__ = [
    "Moved",
    "bound",
    "looks",
    "moved_words",
    "pulled_in",
    "stranded",
    "until_next_look",
    "usual",
]

IMPROBABLE = 1e-9
USUAL = 0.75  # of the walkers are at most as probable: most of them may be stranded
OF_ONE_STEP = 2.0  # bounds: one step tells less than a chain does
LOOKS = (0.5, 0.75)  # shares of the burn-in
SHORTEST_BURN = 20  # in which walkers have had time to arrive
PULLS = (
    0.3,
    0.1,
    0.03,
    0.01,
    1e-3,
    1e-4,
    1e-5,
    1e-6,
    0.0,
)  # of the distance to another, kept

Densities = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From vectors, (n, ndim), to log priors and log likelihoods."""


class Moved(NamedTuple):
    """Walkers after some were moved, all arrays of all walkers."""

    position: np.ndarray
    log_prior: np.ndarray
    log_likelihood: np.ndarray


def bound(ndim: int) -> float:
    """Return how far below the usual a log posterior is that a sample never has.

    A Gaussian has a lower one at one draw in 1e9.
    """
    return float(chdtri(ndim, IMPROBABLE)) / 2


def usual(log_posterior: np.ndarray) -> float:
    """Return what walkers that have arrived have, of one number for each walker."""
    return float(np.quantile(log_posterior, USUAL, method="higher"))


def stranded(log_posterior: np.ndarray, ndim: int) -> np.ndarray:
    """Return which walkers are far below the others at one step, (n,) of bool."""
    level = usual(log_posterior)
    if not np.isfinite(level):
        return np.isneginf(log_posterior) & np.isfinite(log_posterior).any()
    return log_posterior < level - OF_ONE_STEP * bound(ndim)


def looks(burn: int) -> tuple[int, ...]:
    """Return the steps of a burn-in at which stranded walkers are looked for."""
    if burn < SHORTEST_BURN:
        return ()
    return tuple(int(share * burn) for share in LOOKS)


def until_next_look(burn: int, step: int, n: int) -> int:
    """Return how many of ``n`` steps may be made before the next look."""
    ahead = [look - step for look in looks(burn) if look > step]
    return min(n, *ahead) if ahead else n


def pulled_in(
    densities: Densities, walkers: Moved, lost: np.ndarray, ndim: int
) -> Moved:
    """Return walkers, those that are lost each moved towards one that is not.

    By as much of the way as it takes to be no longer lost, and not on top of the
    other: the walkers go on spanning all directions.

    Parameters
    ----------
    densities : callable
    walkers : Moved
    lost : array of bool, (n,)
    ndim : int
    """
    position, log_prior, log_likelihood = map(np.array, walkers)
    good = np.flatnonzero(~lost)
    others = position.copy()
    others[lost] = position[good[np.arange(lost.sum()) % len(good)]]
    level = usual(log_prior[good] + log_likelihood[good]) - bound(ndim)
    left = lost.copy()
    for share in PULLS:
        tried = others + share * (walkers.position - others)
        priors, likelihoods = densities(np.where(left[:, None], tried, position))
        accepted = left & ((priors + likelihoods >= level) | (share == 0.0))
        position[accepted] = tried[accepted]
        log_prior[accepted] = priors[accepted]
        log_likelihood[accepted] = likelihoods[accepted]
        left &= ~accepted
        if not left.any():
            break
    return Moved(position, log_prior, log_likelihood)


def moved_words(at_start: int, in_burn: int, nwalkers: int) -> tuple[str, ...]:
    """Return what a result says of walkers that were moved."""
    told = []
    if at_start:
        told.append(
            f"{at_start} of {nwalkers} walkers moved at the start, where their "
            "probability was zero, towards the others"
        )
    if in_burn:
        told.append(
            f"{in_burn} of {nwalkers} walkers restarted near the others in the "
            "burn-in, as they were stranded far below them"
        )
    return tuple(told)
