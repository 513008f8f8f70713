"""Quantiles and bounds of priors: what numpyro can give, and its absence told."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions.transforms import ExpTransform

from ampynb.model.von_mises import von_mises_quantile

__all__ = [
    "bounds",
    "central_interval",
    "edges_of",
    "has_quantile",
    "is_logarithmic",
    "quantile",
]

_DRAWS = 20_001


def _scalar_prior(prior: dist.Distribution) -> dist.Distribution:
    """Strip the wrappers that only repeat or regroup independent draws."""
    while isinstance(prior, dist.ExpandedDistribution | dist.Independent):
        prior = prior.base_dist
    return prior


def quantile(prior: dist.Distribution, probability: jax.Array) -> jax.Array:
    """Return the prior's quantile function at ``probability`` (its own shape).

    Raises
    ------
    NotImplementedError, ImportError
        Where numpyro has no quantile function for the prior.
    """
    prior = _scalar_prior(prior)
    if isinstance(prior, dist.VonMises):
        return von_mises_quantile(prior.loc, prior.concentration, probability)
    return prior.icdf(probability)


def has_quantile(prior: dist.Distribution) -> bool:
    """Whether numpyro can give the prior's quantile function."""
    half = jnp.full(prior.batch_shape + prior.event_shape, 0.5)
    try:
        jax.eval_shape(functools.partial(quantile, prior), half)
    except (NotImplementedError, ImportError):
        return False
    return True


def central_interval(prior: dist.Distribution, mass: float) -> tuple:
    """Return the two quantiles that hold the central ``mass`` of the prior.

    Where numpyro has no quantile function, quantiles of 20,001 seeded draws stand in;
    they are good for plots and starting values, not for sampling.

    Returns
    -------
    tuple of two arrays, each of the prior's shape
    """
    shape = prior.batch_shape + prior.event_shape
    tails = ((1 - mass) / 2, (1 + mass) / 2)
    if has_quantile(prior):
        return tuple(np.asarray(quantile(prior, jnp.full(shape, p))) for p in tails)
    draws = np.asarray(prior.sample(jax.random.key(0), (_DRAWS,)))
    return tuple(np.quantile(draws, p, axis=0) for p in tails)


def bounds(prior: dist.Distribution) -> tuple:
    """Return the lower and upper edge of the prior's support, infinite where open."""
    lower, upper = edges_of(prior.support)
    shape = prior.batch_shape + prior.event_shape
    lower = -np.inf if lower is None else lower
    upper = np.inf if upper is None else upper
    return np.broadcast_to(lower, shape), np.broadcast_to(upper, shape)


def edges_of(support: Any) -> tuple:
    """Return the lower and upper edge of a constraint, None where it is open."""
    while hasattr(support, "base_constraint"):
        support = support.base_constraint
    lower, upper = (getattr(support, f"{n}_bound", None) for n in ("lower", "upper"))
    return lower, upper


def is_logarithmic(prior: dist.Distribution) -> bool:
    """Whether the prior lives on a logarithmic scale, as a log-uniform one does."""
    prior = _scalar_prior(prior)
    return isinstance(prior, dist.TransformedDistribution) and isinstance(
        prior.transforms[-1], ExpTransform
    )
