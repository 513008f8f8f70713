"""Quantiles and bounds of priors, by formula or by inversion; their absence told."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.scipy.special import ndtri
from numpyro.distributions.transforms import ExpTransform

from ampynb.model.inversion import inverted
from ampynb.model.prior_numbers import Numbers
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

    By numpyro's formula where it has one, else by inverting the distribution function.

    Raises
    ------
    NotImplementedError
        Where the prior has no distribution function.
    """
    return _between(prior, probability, 1 - probability)


def _between(prior: Any, lower: jax.Array, upper: jax.Array) -> jax.Array:
    """Return where a prior has ``lower`` below and ``upper`` above, which sum to 1.

    Both are passed on, so that a transform that turns the tails round keeps them
    precise.
    """
    prior = _scalar_prior(prior)
    kind = type(prior)
    known: Any = prior  # numpyro's annotations of its numbers are too wide
    if isinstance(prior, dist.VonMises):
        return von_mises_quantile(known.loc, known.concentration, lower)
    if isinstance(prior, dist.Weibull):
        return known.scale * (-_log(upper, lower)) ** (1 / known.concentration)
    if isinstance(prior, dist.Kumaraswamy):
        share = -jnp.expm1(_log(upper, lower) / known.concentration0)
        return share ** (1 / known.concentration1)
    if isinstance(prior, dist.Levy):
        z = jnp.where(upper < 0.5, ndtri(0.5 - 0.5 * upper), ndtri(0.5 * lower))
        return known.loc + known.scale / z**2
    if isinstance(prior, dist.FoldedDistribution):  # no monotone transform
        return inverted(prior, lower, upper)
    if kind.icdf is dist.TransformedDistribution.icdf:
        for transform in prior.transforms:
            turned = transform.sign < 0
            lower, upper = (
                jnp.where(turned, upper, lower),
                jnp.where(turned, lower, upper),
            )
        value = _between(prior.base_dist, lower, upper)
        for transform in prior.transforms:
            value = transform(value)
        return jnp.asarray(value)
    try:
        return prior.icdf(lower)
    except (NotImplementedError, ImportError):  # the latter for tensorflow-probability
        return inverted(prior, lower, upper)


def _log(probability: jax.Array, other: jax.Array) -> jax.Array:
    """Return the log of a probability near 1, whose complement is ``other``."""
    return jnp.where(other < 0.5, jnp.log1p(-other), jnp.log(probability))


def has_quantile(prior: dist.Distribution) -> bool:
    """Whether the prior has a quantile function, by formula or by inversion."""
    half = jnp.full(prior.batch_shape + prior.event_shape, 0.5)
    try:
        jax.eval_shape(functools.partial(quantile, prior), half)
    except NotImplementedError:
        return False
    return True


def central_interval(prior: dist.Distribution, mass: float) -> tuple:
    """Return the two quantiles that hold the central ``mass`` of the prior.

    Where the prior has no quantile function, quantiles of 20,001 seeded draws stand in;
    they are good for plots and starting values, not for sampling.

    Returns
    -------
    tuple of two arrays, each of the prior's shape
    """
    shape = prior.batch_shape + prior.event_shape
    tails = ((1 - mass) / 2, (1 + mass) / 2)
    if has_quantile(prior):
        values = _quantiles(Numbers(prior), *(jnp.full(shape, p) for p in tails))
        return tuple(map(np.asarray, values))
    draws = np.asarray(prior.sample(jax.random.key(0), (_DRAWS,)))
    return tuple(np.quantile(draws, p, axis=0) for p in tails)


@jax.jit
def _quantiles(prior: Numbers, *probabilities: jax.Array) -> list[jax.Array]:
    return [quantile(prior.prior, one) for one in probabilities]


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
