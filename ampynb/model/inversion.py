"""Quantiles of a prior by inverting its distribution function numerically."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.scipy.special import betainc, gammainc, gammaincc

__all__ = ["inverted"]

MOST_STEPS = 200
SYMMETRIC = (dist.Normal, dist.Laplace, dist.Logistic, dist.Cauchy)
PRECISION = 4.0  # of the quantile, in units in the last place


def inverted(prior: dist.Distribution, lower: Any, upper: Any) -> jax.Array:
    """Return where a prior has the probability ``lower`` below and ``upper`` above.

    The smaller of the two is matched, so that both tails are as precise as the prior's
    distribution function. By Newton's method in the logarithms of value and
    probability, in which power laws are straight lines, and where it does not halve its
    steps by bisection over the floating-point numbers of the support, which finds any
    scale. It cannot be differentiated.

    Parameters
    ----------
    prior : Distribution
        Of scalars, with its distribution function.
    lower, upper : array
        They sum to 1.

    Raises
    ------
    NotImplementedError
        Where the distribution function is not known.
    """
    kind = jnp.result_type(float)
    lower, upper = (jnp.asarray(share, kind) for share in (lower, upper))
    lower, upper = jax.lax.stop_gradient((lower, upper))
    shape = jnp.broadcast_shapes(prior.batch_shape, lower.shape)
    lower, upper = jnp.broadcast_to(lower, shape), jnp.broadcast_to(upper, shape)
    target, from_below = jnp.minimum(lower, upper), lower <= upper

    def move(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return Newton's step of ln |x|, and whether the quantile is not above."""
        below, above = tails(prior, x)
        tail = jnp.where(from_below, below, above)
        excess = jnp.log(tail / target)
        slope = jnp.exp(jnp.asarray(prior.log_prob(x))) * jnp.abs(x) / tail
        step = jnp.where(from_below, -excess, excess) / slope
        return step, jnp.where(from_below, tail >= target, tail <= target)

    def goes_on(carry: tuple) -> jax.Array:
        count, _, _, _, _, done = carry
        return (count < MOST_STEPS) & ~jnp.all(done)

    def body(carry: tuple) -> tuple:
        count, low, high, x, last, done = carry
        step, is_above = move(x)
        low = jnp.where(is_above, low, _order(x))
        high = jnp.where(is_above, _order(x), high)
        # ln |x| falls with x where x is negative.
        newton = x * jnp.exp(jnp.where(x < 0, -step, step))
        inside = (_order(newton) >= low) & (_order(newton) <= high)
        size = jnp.abs(step)
        take = inside & jnp.isfinite(newton) & (2 * size < last)
        middle = _number((low >> 1) + (high >> 1) + (low & high & 1), x.dtype)
        after = jnp.where(take, newton, middle)
        near = take & (size < PRECISION * jnp.finfo(x.dtype).eps)
        here = near | (high - low <= 1)
        x = jnp.where(done, x, jnp.where(here & ~take, _number(high, x.dtype), after))
        last = jnp.where(take, size, jnp.inf)
        return count + 1, low, high, x, last, done | here

    low, high = (
        _order(jnp.broadcast_to(jnp.asarray(edge, lower.dtype), shape))
        for edge in _edges(prior)
    )
    middle = _number((low >> 1) + (high >> 1) + (low & high & 1), lower.dtype)
    begin = 0, low, high, middle, jnp.full(shape, jnp.inf, kind), jnp.zeros(shape, bool)
    found = jax.lax.while_loop(goes_on, body, begin)[3]
    at_edge = jnp.where(
        lower <= 0, _number(low, found.dtype), _number(high, found.dtype)
    )
    return jnp.where(target > 0, found, at_edge)


def tails(prior: Any, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the probabilities below and above ``x``, each precise if it is small."""
    known: Any = prior  # numpyro's annotations of its numbers are too wide
    if isinstance(prior, dist.ExpandedDistribution | dist.Independent):
        return tails(prior.base_dist, x)
    if isinstance(prior, dist.Gamma):
        a, scaled = known.concentration, known.rate * x
        return gammainc(a, scaled), gammaincc(a, scaled)
    if isinstance(prior, dist.Beta):
        a, b = known.concentration1, known.concentration0
        return betainc(a, b, x), betainc(b, a, 1 - x)
    if isinstance(prior, dist.StudentT):
        return _tails_of_student(prior, x)
    if isinstance(prior, SYMMETRIC):
        return jnp.asarray(prior.cdf(x)), jnp.asarray(prior.cdf(2 * known.loc - x))
    if isinstance(prior, dist.FoldedDistribution):
        right_below, right_above = tails(prior.base_dist, x)
        left_below, _ = tails(prior.base_dist, -x)
        return right_below - left_below, right_above + left_below
    if type(prior).cdf is dist.TransformedDistribution.cdf:
        turned = False
        for transform in reversed(prior.transforms):
            turned, x = turned ^ (transform.sign < 0), transform.inv(x)
        below, above = tails(prior.base_dist, x)
        return jnp.where(turned, above, below), jnp.where(turned, below, above)
    below = jnp.asarray(prior.cdf(x))
    return below, 1 - below


def _tails_of_student(prior: Any, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return both tails by the incomplete beta function (Abramowitz 26.7.1)."""
    square = ((x - prior.loc) / prior.scale) ** 2
    outer = 0.5 * betainc(0.5 * prior.df, 0.5, 1 / (1 + square / prior.df))
    # Near the middle, where the first has no digits left.
    inner = 0.5 * betainc(0.5, 0.5 * prior.df, square / (prior.df + square))
    tail = jnp.where(square < 1, 0.5 - inner, outer)
    rest = jnp.where(square < 1, 0.5 + inner, 1 - outer)
    is_left = x < prior.loc
    return jnp.where(is_left, tail, rest), jnp.where(is_left, rest, tail)


def _edges(prior: dist.Distribution) -> tuple[Any, Any]:
    support: Any = prior.support
    while hasattr(support, "base_constraint"):
        support = support.base_constraint
    return getattr(support, "lower_bound", -np.inf), getattr(
        support, "upper_bound", np.inf
    )


def _order(x: jax.Array) -> jax.Array:
    """Return integers in the order of floating-point numbers, neighbours 1 apart."""
    kind = jnp.int64 if x.dtype == jnp.float64 else jnp.int32
    bits = jax.lax.bitcast_convert_type(x, kind)
    return jnp.where(bits < 0, jnp.iinfo(kind).min - bits, bits)


def _number(order: jax.Array, kind: Any) -> jax.Array:
    """Return the floating-point number at a place in the order of `_order`."""
    bits = jnp.where(order < 0, jnp.iinfo(order.dtype).min - order, order)
    return jax.lax.bitcast_convert_type(bits, kind)
