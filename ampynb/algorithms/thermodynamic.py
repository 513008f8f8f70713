"""The evidence from the likelihoods at all temperatures, by two methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ampynb.algorithms.algorithm import Estimate

__all__ = [
    "EVIDENCE_STATS",
    "evidence_record",
    "integral",
    "log_evidence",
    "standard_error",
]

EVIDENCE_STATS = (
    "beta",
    "log_likelihood_mean",
    "log_likelihood_variance",
    "finite_share",
    "log_ratio",
)
FEWEST_STEPS = 16
BATCHES = 16  # of a run, whose means are taken for independent
IMPOSSIBLE = 500.0  # exponent by which a likelihood falls short of the best, at least
FEWEST_TEMPERATURES = 3  # of which one can be left out
NODES, WEIGHTS = np.polynomial.legendre.leggauss(60)


def evidence_record(log_likelihood: jax.Array, beta: jax.Array) -> dict[str, jax.Array]:
    """Return what one step tells of the evidence, by the names of its step stats.

    Parameters
    ----------
    log_likelihood : array, (ntemps, nwalkers)
    beta : array, (ntemps,)

    Returns
    -------
    dict
        Mean and variance of the walkers' possible log likelihoods, and their share,
        (ntemps,) each; ``log_ratio``, (ntemps - 1,), the logarithm of what the hotter
        of two temperatures estimates for the ratio of their evidences.

    Notes
    -----
    A log likelihood is possible if it is finite, and less than 500 / b below the best
    of the step, with b the lowest inverse temperature above 0: at b, and at all higher
    ones, a worse one has a weight below exp(-500). So -1e300, or what
    `numpy.nan_to_num` makes of minus infinity, counts as minus infinity, and -1e6
    counts as what it is where a temperature is hot enough to reach it.
    """
    finite = _possible(log_likelihood, beta)
    mean = jnp.mean(log_likelihood, axis=1, where=finite)
    variance = jnp.mean((log_likelihood - mean[:, None]) ** 2, axis=1, where=finite)
    exponent = (beta[:-1] - beta[1:])[:, None] * log_likelihood[1:]
    log_sum = jax.nn.logsumexp(exponent, axis=1)
    some = jnp.any(finite, axis=1)
    return {
        "beta": beta,
        "log_likelihood_mean": jnp.where(some, mean, 0.0),
        "log_likelihood_variance": jnp.where(some, variance, 0.0),
        "finite_share": jnp.mean(finite, axis=1, dtype=beta.dtype),
        "log_ratio": log_sum - jnp.log(log_likelihood.shape[1]),
    }


def _possible(log_likelihood: jax.Array, beta: jax.Array) -> jax.Array:
    finite = jnp.isfinite(log_likelihood)
    best = jnp.max(log_likelihood, where=finite, initial=-jnp.inf)
    hottest = jnp.min(beta, where=beta > 0, initial=1.0)
    return finite & (log_likelihood > best - IMPOSSIBLE / hottest)


def log_evidence(step_stats: Mapping[str, np.ndarray]) -> dict[str, Estimate]:
    """Return the log evidence by stepping stones and by thermodynamic integration.

    It is empty for a ladder that does not end with the prior, at an inverse
    temperature of 0: what lies beyond its hottest temperature is not known.

    Parameters
    ----------
    step_stats : dict of str to array, (n, ...)
        Of `evidence_record`, while the ladder stands still.
    """
    stats = {name: np.asarray(step_stats[name]) for name in EVIDENCE_STATS}
    beta = stats["beta"][-1] if len(stats["beta"]) else np.ones(1)
    reachable = np.all(np.any(np.isfinite(stats["log_ratio"]), axis=0))
    if beta[-1] > 0 or len(stats["beta"]) < FEWEST_STEPS or not reachable:
        return {}
    found = {"stepping_stones": _stepping_stones(stats["log_ratio"])}
    if len(beta) >= FEWEST_TEMPERATURES:
        found["thermodynamic_integration"] = _thermodynamic_integration(stats)
    return found


def _stepping_stones(log_ratio: np.ndarray) -> Estimate:
    """Return the sum of the log mean ratios (Xie et al. 2011).

    Each ratio of the evidences at neighbouring temperatures is the mean of the
    likelihood to the power of their difference, over draws at the hotter one.
    """
    highest = log_ratio.max(axis=0)
    ratio = np.exp(log_ratio - highest)
    mean = ratio.mean(axis=0)
    value = np.sum(highest + np.log(mean))
    return Estimate(float(value), standard_error(np.sum(ratio / mean, axis=1)))


def _thermodynamic_integration(stats: Mapping[str, np.ndarray]) -> Estimate:
    """Return the integral of the mean log likelihood over the inverse temperature.

    The mean is known at each temperature, and so is its slope, the variance (Friel,
    Hurn and Wyse 2014). Where part of the prior has no likelihood, the
    integral is that over the rest of it, whose share is a factor of the evidence.

    The error has two parts: that of Monte Carlo, and a quarter of what the integral
    changes by if every other temperature is left out. The rule is of fourth order: for
    a fine ladder a fifteenth would do.
    """
    beta, moments = stats["beta"][-1][::-1], _moments(stats)
    value = integral(beta, moments.mean, moments.variance)
    places = np.arange(len(beta))
    changes = []
    for parity in (0, 1):
        kept = (places % 2 == parity) | (places == 0) | (places == len(beta) - 1)
        coarse = integral(beta[kept], moments.mean[kept], moments.variance[kept])
        changes.append(abs(coarse - value) / 4)
    of_mean, of_variance = _slopes(beta, moments)
    share = moments.share.mean()
    series = (
        moments.share / share
        + moments.influence_on_mean @ of_mean
        + moments.influence_on_variance @ of_variance
    )
    error = np.hypot(standard_error(series), max(changes))
    return Estimate(float(value + np.log(share)), float(error))


class _Moments(NamedTuple):
    """Mean and variance of the finite log likelihoods, hottest first.

    Attributes
    ----------
    mean, variance : array, (ntemps,)
    influence_on_mean, influence_on_variance : array, (n, ntemps)
        What each step adds to them; the mean over the steps is 0.
    share : array, (n,)
        Walkers of the hottest temperature with a finite log likelihood.
    """

    mean: np.ndarray
    variance: np.ndarray
    influence_on_mean: np.ndarray
    influence_on_variance: np.ndarray
    share: np.ndarray


def _moments(stats: Mapping[str, np.ndarray]) -> _Moments:
    share, means, variances = (
        stats[name][:, ::-1]
        for name in ("finite_share", "log_likelihood_mean", "log_likelihood_variance")
    )
    weight = share / share.mean(axis=0)
    mean = np.mean(weight * means, axis=0)
    squares = variances + (means - mean) ** 2
    variance = np.mean(weight * squares, axis=0)
    on_mean, on_variance = weight * (means - mean), weight * (squares - variance)
    return _Moments(mean, variance, on_mean, on_variance, share[:, 0])


def _slopes(beta: np.ndarray, moments: _Moments) -> tuple[np.ndarray, np.ndarray]:
    """Return the derivatives of the integral by each mean and each variance."""
    given = np.stack([moments.mean, moments.variance])
    steps = 1e-4 * np.stack([np.sqrt(moments.variance), moments.variance])
    slopes = np.zeros_like(given)
    for place in np.argwhere(steps > 0):
        shift = np.zeros_like(given)
        shift[tuple(place)] = steps[tuple(place)]
        change = integral(beta, *(given + shift)) - integral(beta, *(given - shift))
        slopes[tuple(place)] = change / (2 * steps[tuple(place)])
    return slopes[0], slopes[1]


def integral(x: np.ndarray, value: np.ndarray, slope: np.ndarray) -> float:
    """Return the integral of an increasing function from its values and slopes.

    Between two points the function is taken for the rational quadratic one that has
    these values and slopes and increases (Gregory and Delbourgo 1982). It follows a
    hyperbola exactly, as which the mean log likelihood of a Gaussian depends on the
    inverse temperature; a polynomial does not.

    Parameters
    ----------
    x, value, slope : array, (n,)
        With increasing ``x``, and no negative slope.
    """
    width, rise = np.diff(x), np.diff(value)
    mean_slope = np.maximum(rise / width, 0.0)[:, None]
    begin, end = slope[:-1, None], slope[1:, None]
    place = (NODES + 1) / 2
    at = place**2 * (3 - 2 * place)  # denser at both ends, where it may be steep
    weights = WEIGHTS / 2 * 6 * place * (1 - place)
    both = at * (1 - at)
    above = mean_slope * at**2 + begin * both
    below = mean_slope + (begin + end - 2 * mean_slope) * both
    # Where noise makes it decrease, a straight line.
    rising = rise[:, None] > 0
    risen = np.where(rising, above / np.where(rising, below, 1.0), at)
    return float(np.sum(width * (value[:-1] + rise * (risen @ weights))))


def standard_error(series: np.ndarray) -> float:
    """Return the standard error of the mean of a correlated series.

    The larger of two: by the autocorrelations, as far as noise lets them be seen
    (Geyer 1992), and by the means of long batches, which hold what is slower: walkers
    that go from mode to mode once in some hundred steps.
    """
    from numpyro.diagnostics import effective_sample_size

    spread = series.std(ddof=1)
    if not spread > 0:
        return 0.0
    size = min(float(effective_sample_size(series[None])), len(series))
    length = len(series) // BATCHES
    batches = series[-BATCHES * length :].reshape(BATCHES, length).mean(axis=1)
    of_batches = batches.std(ddof=1) / np.sqrt(BATCHES)
    return float(max(spread / np.sqrt(size), of_batches))
