"""Parameters that wrap, as angles do: values a period apart are one and the same.

In the vector such a parameter is kept in the interval of its prior's support, which is
one period wide. Its unconstrained coordinate is the phase in radians, without an end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import constraints

from ampynb.model.prior_text import describe_prior
from ampynb.model.quantile import edges_of

__all__ = [
    "FULL_TURN",
    "Phase",
    "check_period",
    "circular_mean",
    "directions",
    "edges",
    "has_period",
    "in_one_piece",
    "natural_period",
    "nearest",
    "of_columns",
    "on_one_period",
    "shortest",
    "unwrapped",
    "wrapped",
]

FULL_TURN = 2 * math.pi
CLOSE = 1e-6  # of a period, in single precision as well
SYMMETRIC = (
    dist.Cauchy,
    dist.Laplace,
    dist.Logistic,
    dist.Normal,
    dist.SoftLaplace,
    dist.StudentT,
)


def edges(prior: Any) -> tuple[Any, Any]:
    """Return the edges of a prior's support, infinite where it is open."""
    low, high = edges_of(prior.support)
    return -np.inf if low is None else low, np.inf if high is None else high


def wrapped(value: Any, low: Any, high: Any, period: float) -> Any:
    """Return a value moved by whole periods to between ``low`` and ``high``.

    What is there already comes back as it is, to the last bit.
    """
    number: Any = jnp if isinstance(value, jax.Array) else np
    turns = number.floor((value - low) / period)
    return number.clip(value - period * turns, low, high)


def shortest(difference: Any, periods: Any) -> Any:
    """Return differences of values along the shorter way round, (..., ndim).

    Parameters
    ----------
    difference : array, (..., ndim)
    periods : array, (ndim,)
        Infinite where a parameter does not wrap.
    """
    number: Any = jnp if isinstance(difference, jax.Array) else np
    turn = np.where(np.isfinite(periods), periods, 0.0)
    return difference - turn * number.round(difference / periods)


def circular_mean(values: Any, periods: Any, weights: Any = None) -> Any:
    """Return the mean direction of each column, within half a period of 0, (k,).

    Parameters
    ----------
    values : array, (m, k)
    periods : array, (k,)
        Infinite where a column does not wrap: its mean is 0.
    weights : array, (m,), optional
    """
    number: Any = jnp if isinstance(values, jax.Array) else np
    angle = values * (FULL_TURN / periods)
    share = 1.0 if weights is None else weights[:, None]
    sine = number.sum(share * number.sin(angle), axis=0)
    cosine = number.sum(share * number.cos(angle), axis=0)
    wraps = np.isfinite(periods)
    return number.arctan2(sine, cosine) * (np.where(wraps, periods, 0.0) / FULL_TURN)


def unwrapped(values: Any, periods: Any, weights: Any = None) -> Any:
    """Return values of each column within half a period of their mean direction.

    So a distribution over the ends of its interval is in one piece.

    Parameters
    ----------
    values : array, (m, k)
    periods : array, (k,)
        Infinite where a column does not wrap: its values come back as they are.
    weights : array, (m,), optional
    """
    mean = circular_mean(values, periods, weights)
    return mean + shortest(values - mean, periods)


def nearest(values: Any, centre: Any, periods: Any) -> Any:
    """Return values moved by whole periods to within half of one of ``centre``, (k,).

    Parameters
    ----------
    values : array, (..., k)
    periods : array, (k,)
        Infinite where a column does not wrap: its values come back as they are.
    """
    wraps = np.isfinite(periods)
    if not wraps.any():
        return values
    moved = centre + shortest(values - centre, periods)
    return np.where(wraps, moved, values)


def in_one_piece(values: Any, periods: Any, weights: Any = None) -> Any:
    """Return draws whose wrapping columns are cut opposite to their mean.

    Each value is within half a period of the mean direction, so that a distribution
    over the ends of its interval is in one piece, and means, deviations and quantiles
    are those of numbers. Their mean is where the draws are.

    Parameters
    ----------
    values : array, (..., k)
    periods : array, (k,)
        Infinite where a column does not wrap: its values come back as they are.
    weights : array, optional
        Of the shape of ``values`` without its last axis.
    """
    wraps = np.isfinite(periods)
    if not wraps.any() or not values.size:
        return values
    periods = periods[wraps]
    columns = values[..., wraps].reshape(-1, len(periods))
    share = None if weights is None else np.ravel(weights)
    finite = np.isfinite(columns).all(axis=1)  # a latent variable may not be
    among = columns[finite]
    share = share if share is None else share[finite]
    if not len(among):
        return values
    found = unwrapped(among, periods, share)
    middle = np.average(found, axis=0, weights=share)
    # The mean direction is within half a period of 0; the draws may be elsewhere.
    middle -= periods * np.floor((middle - among.min(axis=0)) / periods)
    whole = np.array(values, float)
    whole[..., wraps] = nearest(whole[..., wraps], middle, periods)
    return whole


def directions(values: Any, periods: Any) -> Any:
    """Return draws with each wrapping column replaced by its direction, in two columns.

    The first, in its place, is the sine of the angle from the mean direction, about the
    deviation itself where that is small; the second, after all others, is the square of
    the sine of half of it. So chains can be compared wherever the circle is cut.

    Parameters
    ----------
    values : array, (..., k)
    periods : array, (k,)

    Returns
    -------
    array, (..., k + number of columns that wrap)
    """
    wraps = np.isfinite(periods)
    if not wraps.any() or not values.size:
        return values
    columns, periods = values[..., wraps], periods[wraps]
    mean = circular_mean(columns.reshape(-1, len(periods)), periods)
    angle = (columns - mean) * (FULL_TURN / periods)
    found = np.array(values, float)
    found[..., wraps] = np.sin(angle)
    return np.concatenate([found, np.sin(angle / 2) ** 2], axis=-1)


def of_columns(numbers: Any, periods: Any, choose: Callable) -> Any:
    """Return one number for each column, of those of its `directions`.

    Parameters
    ----------
    numbers : array, (k + number of columns that wrap,)
    choose : callable
        Which of the two numbers of a column that wraps counts: `np.fmin` or `np.fmax`.
    """
    wraps = np.isfinite(periods)
    found = np.array(numbers[: len(wraps)])
    found[wraps] = choose(found[wraps], numbers[len(wraps) :])
    return found


@dataclass(frozen=True)
class Phase:
    """The map from a phase in radians to a parameter that wraps; see `Transform`.

    Parameters
    ----------
    low, high : float or array
        Edges of the prior's support, a period apart.
    period : float
    """

    low: Any
    high: Any
    period: float

    def __call__(self, phase: jax.Array) -> jax.Array:
        """Return the parameter, within its prior's support."""
        value = phase * (self.period / FULL_TURN)
        return wrapped(value, self.low, self.high, self.period)

    def inv(self, value: jax.Array) -> jax.Array:
        """Return the phase; of a value a period on, one that is a turn on."""
        return value * (FULL_TURN / self.period)

    def log_abs_det_jacobian(self, phase: jax.Array, value: jax.Array) -> jax.Array:
        """Return ln of the derivative of each element."""
        return jnp.full(jnp.shape(phase), math.log(self.period / FULL_TURN))


def natural_period(prior: Any) -> float | None:
    """Return the period of a prior that is defined on a circle, as `VonMises` is."""
    support = prior.support
    while hasattr(support, "base_constraint"):
        support = support.base_constraint
    is_circular = isinstance(support, type(constraints.circular))
    return FULL_TURN if is_circular else None


def check_period(period: Any) -> None:
    """Raise where a period is no positive number."""
    number = isinstance(period, int | float | np.number) or np.shape(period) == ()
    if isinstance(period, bool | str) or not number or not 0 < period < math.inf:
        raise ValueError(
            f"expected a period as one positive number; got {period!r}; give for "
            "instance period=2 * numpy.pi for an angle in radians"
        )


def on_one_period(
    prior: dist.Distribution, period: float | None
) -> tuple[dist.Distribution, float | None]:
    """Return a prior on one period, and the period; None where nothing wraps.

    A prior that is symmetric and has no edges, as a normal one, is cut half a period
    to either side of its centre.

    Raises
    ------
    ValueError
        Where the support of the prior is not one period wide.
    """
    natural = natural_period(prior)
    if period is None:
        return prior, natural
    check_period(period)
    period = float(period)
    if natural is not None and not math.isclose(period, natural, rel_tol=CLOSE):
        raise ValueError(
            "expected the period 2 pi of an angle in radians with "
            f"{describe_prior(prior)}; got {period:.6g}; leave the period out, or use "
            f"Uniform(0, {period:.6g})"
        )
    prior = _cut(prior, period)
    if not has_period(prior, period):
        low, high = (np.min(np.asarray(edge)) for edge in edges(prior))
        raise ValueError(
            f"expected a prior whose support is one period, {period:.6g}, wide; got "
            f"{describe_prior(prior)}, on {low:.6g} to {high:.6g}; make the support as "
            f"wide as the period, as Uniform(0, {period:.6g}), or leave the period out"
        )
    return prior, period


def _cut(prior: Any, period: float) -> Any:
    """Return a symmetric prior without edges on one period around its centre."""
    if isinstance(prior, dist.ExpandedDistribution):
        return _cut(prior.base_dist, period).expand(prior.batch_shape)
    if isinstance(prior, dist.Independent):
        dims = prior.reinterpreted_batch_ndims
        return _cut(prior.base_dist, period).to_event(dims)
    if not isinstance(prior, SYMMETRIC):
        return prior
    centre, half = np.asarray(prior.loc), 0.5 * period
    return dist.TruncatedDistribution(prior, centre - half, centre + half)


def has_period(prior: Any, period: float) -> bool:
    """Whether the support of a prior is one period wide, or can be cut to that."""
    low, high = edges(_cut(prior, period))
    width = np.asarray(high) - np.asarray(low)
    return bool(np.all(np.abs(width - period) <= CLOSE * period))
