"""Truncated priors that are exact however far in the tail their bounds lie.

numpyro takes differences of distribution functions, which cancel beyond some eight
standard deviations: densities are then infinite, draws NaN or outside the bounds.
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpyro.distributions as dist

from ampynb.model.tails import TAILS, Tail

__all__ = ["exact"]


class _Bounds(NamedTuple):
    """Where the bounds of a symmetric distribution are, in scales.

    Attributes
    ----------
    in_tail : array of bool
        Whether both are on one side of the median.
    near : array
        The bound that is nearer to it [model units].
    sign : array
        1 where values lie above the nearer bound, -1 where below.
    begin : array
        Distance of the nearer bound from the median; 1 where not in a tail.
    past_far : array
        ln of the share of the tail that is beyond the farther bound.
    low, high : array
        Distances of the bounds from the median, where it is between them.
    """

    in_tail: Any
    near: Any
    sign: Any
    begin: Any
    past_far: Any
    low: Any
    high: Any


def _share(log_ratio: Any) -> Any:
    """Return the share of a tail that is before the point with this ln S ratio."""
    return -jnp.expm1(log_ratio)


class _Exact:
    """Density, distribution and quantile function, counted from the nearer bound.

    Where the median is between the bounds they are counted from the median.
    """

    base_dist: Any

    @property
    def _tail(self) -> Tail:
        return TAILS[type(self.base_dist)]

    @property
    def _edges(self) -> tuple[Any, Any]:
        """The bounds, None where there is none."""
        return getattr(self, "low", None), getattr(self, "high", None)

    def _bounds(self) -> _Bounds:
        low, high = self._edges
        loc, scale = self.base_dist.loc, self.base_dist.scale
        above = False if low is None else jnp.greater(low, loc)
        below = False if high is None else jnp.less(high, loc)
        in_tail = jnp.logical_or(above, below)
        is_below = below if low is not None else True
        if low is None or high is None:
            near: Any = high if low is None else low
        else:
            near = jnp.where(below, high, low)
        sign = jnp.where(is_below, -1.0, 1.0)
        # What is not chosen must be finite too, for the sake of gradients.
        begin = jnp.where(in_tail, sign * (near - loc) / scale, 1.0)
        past_far = -jnp.inf
        if low is not None and high is not None:
            width = jnp.where(in_tail, (high - low) / scale, 1.0)
            past_far = self._tail.log_ratio(begin, width)
        to_low, to_high = (
            jnp.inf if edge is None else jnp.abs(edge - loc) / scale
            for edge in (low, high)
        )
        to_low, to_high = (jnp.where(in_tail, 1.0, to) for to in (to_low, to_high))
        return _Bounds(in_tail, near, sign, begin, past_far, to_low, to_high)

    def log_prob(self, value: Any) -> Any:
        """Return the log density, normalised within the bounds."""
        at, scale = self._bounds(), self.base_dist.scale
        distance = jnp.where(at.in_tail, at.sign * (value - at.near) / scale, 1.0)
        in_tail = self._tail.log_density(at.begin, distance)
        in_tail -= jnp.log(_share(at.past_far)) + jnp.log(scale)
        around = self.base_dist.log_prob(value)
        around -= jnp.log((self._half(at.low) + self._half(at.high)) / 2)
        return jnp.where(at.in_tail, in_tail, around)

    def cdf(self, value: Any) -> Any:
        """Return the distribution function; 0 below the bounds and 1 above."""
        at, (low, high) = self._bounds(), self._edges
        value = self._within(value)
        loc, scale = self.base_dist.loc, self.base_dist.scale
        distance = jnp.where(at.in_tail, at.sign * (value - at.near) / scale, 1.0)
        passed = _share(self._tail.log_ratio(at.begin, distance)) / _share(at.past_far)
        in_tail = jnp.where(at.sign > 0, passed, 1 - passed)
        half = self._half(jnp.abs(value - loc) / scale)
        signed = jnp.where(value < loc, -half, half)
        low, high = self._half(at.low), self._half(at.high)
        return jnp.where(at.in_tail, in_tail, (low + signed) / (low + high))

    def icdf(self, q: Any) -> Any:
        """Return the quantile function, within the bounds; NaN outside [0, 1]."""
        at, loc = self._bounds(), self.base_dist.loc
        passed = jnp.where(at.sign > 0, q, 1 - q)
        left = jnp.where(at.sign > 0, 1 - q, q)
        in_tail = _log_of_rest(
            passed * _share(at.past_far), left + passed * jnp.exp(at.past_far)
        )
        # Around the median: twice the mass between the value and the median.
        low, high = self._half(at.low), self._half(at.high)
        signed = q * (low + high) - low
        around = _log_of_rest(
            jnp.abs(signed),
            jnp.where(
                signed < 0,
                self._tail.beyond(at.low) + q * (low + high),
                self._tail.beyond(at.high) + (1 - q) * (low + high),
            ),
        )
        distance = self._tail.distance(
            jnp.where(at.in_tail, at.begin, 0.0),
            jnp.where(at.in_tail, in_tail, around),
        )
        sign = jnp.where(at.in_tail, at.sign, jnp.sign(signed))
        origin = jnp.where(at.in_tail, at.near, loc)
        value = self._within(origin + sign * distance * self.base_dist.scale)
        return jnp.where((q < 0) | (q > 1), jnp.nan, value)

    def _half(self, distance: Any) -> Any:
        """Return twice the mass between the median and a distance from it."""
        return self._tail.within(distance)

    def _within(self, value: Any) -> Any:
        low, high = self._edges
        value = value if low is None else jnp.maximum(value, low)
        return value if high is None else jnp.minimum(value, high)


def _log_of_rest(passed: Any, rest: Any) -> Any:
    """Return ln(1 - passed), from ``rest``, which is the same, where that is small."""
    return jnp.where(passed < 0.5, jnp.log1p(-passed), jnp.log(rest))


# Named as numpyro's, which they stand for in tables and in the records of runs.
class LeftTruncatedDistribution(_Exact, dist.LeftTruncatedDistribution):
    """A distribution with a lower bound."""


class RightTruncatedDistribution(_Exact, dist.RightTruncatedDistribution):
    """A distribution with an upper bound."""


class TwoSidedTruncatedDistribution(_Exact, dist.TwoSidedTruncatedDistribution):
    """A distribution with two bounds."""


_EXACT = {
    dist.LeftTruncatedDistribution: LeftTruncatedDistribution,
    dist.RightTruncatedDistribution: RightTruncatedDistribution,
    dist.TwoSidedTruncatedDistribution: TwoSidedTruncatedDistribution,
}


def exact(prior: dist.Distribution) -> dist.Distribution:
    """Return a prior whose truncated parts, however deep, are the exact ones."""
    found = copy.copy(prior)
    for name, value in vars(prior).items():
        if isinstance(value, dist.Distribution):
            vars(found)[name] = exact(value)
        elif isinstance(value, list | tuple):
            parts = [exact(v) if isinstance(v, dist.Distribution) else v for v in value]
            vars(found)[name] = type(value)(parts)
    kind, base = _EXACT.get(type(prior)), getattr(prior, "base_dist", None)
    if kind is not None and type(base) in TAILS:
        found.__class__ = kind
    return found
