"""What dead and live points amount to: the evidence, and the posterior.

Sorted by likelihood, each point stands for the prior volume between it and the one
before. What share of the volume a death leaves is not known; only its distribution is,
by the number of points alive (Skilling 2006, Bayesian Analysis 1, 833).
"""

from __future__ import annotations

import hashlib

import numpy as np
from scipy.special import logsumexp

from ampynb.algorithms.algorithm import SAMPLING, Draws, Estimate, Outcome
from ampynb.algorithms.insertion import NO_RANK, insertion_trouble
from ampynb.algorithms.nested_evidence import counts_at_death

__all__ = ["effective_size", "equal_weights", "live_draws", "nested_outcome"]

FEW_PER_PARAMETER = 5  # live points; below, the verdict says so
REALISATIONS = 200  # of the prior volumes, for the error of the evidence


def nested_outcome(draws: Draws, live: Draws | None, dlogz: float) -> Outcome:
    """Return the evidence, the weighted draws, and draws of equal weight.

    Parameters
    ----------
    draws : Draws
        Points in the order of their deaths; their stats have ``log_likelihood``,
        ``live_points``, the number of points that were alive when each died, and
        ``insertion_rank``, of `insertion_ranks`; runs of former versions have none.
    live : Draws, optional
        Those that have not died, the worst first.
    dlogz : float
        What a complete run leaves to its live points.
    """
    parts = [draws] if live is None else [draws, live]
    ndim = draws.position.shape[-1]
    position = np.concatenate([part.position.reshape(-1, ndim) for part in parts])
    stats = {
        name: np.concatenate([np.ravel(part.stats[name]) for part in parts])
        for name in draws.stats
    }
    log_likelihood, counts = stats["log_likelihood"], stats["live_points"]
    insertion_rank = stats.pop("insertion_rank", np.full(len(counts), NO_RANK))
    # The same draws always give the same answer: they are the seed.
    digest = hashlib.sha256(log_likelihood.tobytes()).digest()
    random = np.random.default_rng(list(digest))
    log_volume = -np.cumsum(1.0 / counts)
    log_weight = log_likelihood + _log_shells(log_volume)
    log_weight = log_weight - logsumexp(log_weight)
    alive = np.arange(len(counts)) >= draws.stats["log_likelihood"].size
    chosen = equal_weights(np.exp(log_weight), random)
    return Outcome(
        position[chosen][:, None],
        {name: values[chosen][:, None] for name, values in stats.items()},
        {"nested_sampling": _log_evidence(log_likelihood, counts, random)},
        {
            "position": position,
            "log_weight": log_weight,
            "log_likelihood": log_likelihood,
            "log_volume": log_volume,
            "alive": alive,
            "insertion_rank": insertion_rank,
        },
        (
            *_unfinished(
                log_weight, log_likelihood, draws.stats["log_likelihood"], dlogz
            ),
            *insertion_trouble(insertion_rank),
            *_too_few_points(int(counts.max()), ndim),
        ),
    )


def live_draws(
    position: np.ndarray,
    log_likelihood: np.ndarray,
    log_prior: np.ndarray,
    insertion_rank: np.ndarray,
    contour: float,
    unborn: int,
) -> Draws:
    """Return the live points as draws of one step, the worst first."""
    order = np.argsort(log_likelihood, kind="stable")
    rising = log_likelihood[order]
    stats = {
        "lp": log_prior[order] + rising,
        "log_likelihood": rising,
        "live_points": counts_at_death(rising, len(order), contour, unborn),
        "insertion_rank": insertion_rank[order],
    }
    each = {name: values[None] for name, values in stats.items()}
    return Draws(position[order][None], each, SAMPLING)


def effective_size(weights: np.ndarray) -> float:
    """Return how many draws of equal weight weighted ones are worth (Kish 1965)."""
    return float(np.sum(weights) ** 2 / np.sum(weights**2))


def _log_shells(log_volume: np.ndarray) -> np.ndarray:
    """Return the log volume between each point and the one before it.

    What is within the last point is counted with it.
    """
    above = np.concatenate([[0.0], log_volume[:-1]])
    shells = above + np.log1p(-np.exp(log_volume - above))
    return np.concatenate([shells[:-1], above[-1:]])


def _log_evidence(
    log_likelihood: np.ndarray, counts: np.ndarray, random: np.random.Generator
) -> Estimate:
    """Return the log evidence, with the scatter that unknown volumes give it.

    A point that dies as the first of n leaves a share of the volume that is distributed
    as the largest of n uniform numbers (Skilling 2006, section 4).
    """
    found = np.zeros(REALISATIONS)
    for i in range(REALISATIONS):
        log_volume = -np.cumsum(random.exponential(size=counts.size) / counts)
        found[i] = logsumexp(log_likelihood + _log_shells(log_volume))
    return Estimate(float(found.mean()), float(found.std(ddof=1)))


def equal_weights(weights: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return the points of a sample of equal weight, in random order.

    As many as the weighted points are worth (Kish 1965). The expected number of each
    is in proportion to its weight, and the number itself is within 1 of that: the
    resampling is systematic (Kitagawa 1996).
    """
    n = max(int(effective_size(weights)), 1)
    steps = (random.uniform() + np.arange(n)) / n
    upper = np.cumsum(weights)
    return random.permutation(np.searchsorted(upper / upper[-1], steps, side="right"))


def _too_few_points(nlive: int, ndim: int) -> tuple[str, ...]:
    if nlive >= FEW_PER_PARAMETER * ndim:
        return ()
    return (
        f"few live points: {nlive} for {ndim} parameters, less than "
        f"{FEW_PER_PARAMETER} each, describe their covariance poorly; use more "
        "(nwalkers)",
    )


def _unfinished(
    log_weight: np.ndarray, log_likelihood: np.ndarray, dead: np.ndarray, dlogz: float
) -> tuple[str, ...]:
    """Return what is wrong with a run that ended early, in words."""
    worst, best = log_likelihood[dead.size :][: dead.shape[1]], log_likelihood[-1]
    is_flat = worst.size and worst[-1] == best  # as in `evidence_after`
    remaining = -logsumexp(log_weight[: dead.size])
    if is_flat or remaining < 2 * dlogz:  # a complete run is a little over or under
        return ()
    return (
        f"stopped early: the live points raise the log evidence by {remaining:.2g}, "
        f"more than dlogz={dlogz:g}; go on with resume=True",
    )
