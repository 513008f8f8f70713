"""Priors that numpyro lacks: angles on a sphere, and a split normal distribution."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.core import Tracer
from jax.scipy.special import ndtr, ndtri
from numpyro.distributions import constraints
from numpyro.distributions.util import promote_shapes, validate_sample

__all__ = ["Cosine", "Sine", "SplitNormal"]


class _ByQuantile(dist.Distribution):
    """A distribution that is drawn from by its quantile function."""

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        """Return draws of shape ``sample_shape + batch_shape``."""
        shape = sample_shape + self.batch_shape
        kind = jnp.result_type(float)
        least = float(jnp.finfo(kind).tiny)  # 0 may have the quantile minus infinity
        return self.icdf(jax.random.uniform(key, shape, kind, minval=least))


class _BetweenLimits(_ByQuantile):
    """A distribution between two limits, ``low`` and ``high``."""

    arg_constraints: ClassVar = {
        "low": constraints.dependent(is_discrete=False, event_dim=0),
        "high": constraints.dependent(is_discrete=False, event_dim=0),
    }
    reparametrized_params: ClassVar = ["low", "high"]
    pytree_data_fields = ("low", "high", "_support")
    low: Any
    high: Any

    def __init__(self, low: Any, high: Any, *, validate_args: Any = None):
        self.low, self.high = promote_shapes(low, high)
        self._support = constraints.interval(low, high)
        shape = jnp.broadcast_shapes(jnp.shape(low), jnp.shape(high))
        super().__init__(shape, validate_args=validate_args)

    @constraints.dependent_property(  # pyright: ignore[reportArgumentType]
        is_discrete=False,  # pyright: ignore[reportArgumentType]
        event_dim=0,  # pyright: ignore[reportArgumentType]
    )
    def support(self) -> Any:
        """Return the interval from ``low`` to ``high``."""
        return self._support


class Sine(_BetweenLimits):
    r"""Angle between a direction at random and an axis, as an inclination.

    .. math:: p(x) = \frac{\sin x}{\cos a - \cos b}, \qquad a \le x \le b

    .. math:: F(x) = \frac{\cos a - \cos x}{\cos a - \cos b}

    Parameters
    ----------
    low, high : float or array [rad]
        The limits a and b, from 0 to pi, which are the defaults.

    Raises
    ------
    ValueError
        For limits that do not rise, or are not within 0 and pi.

    Examples
    --------
    >>> model = anb.Model(inclination=anb.Sine(0.0, np.pi / 2))
    """

    def __init__(self, low: Any = 0.0, high: Any = np.pi, *, validate_args: Any = None):
        _check_limits("Sine", low, high, 0.0, np.pi)
        super().__init__(low, high, validate_args=validate_args)

    @validate_sample
    def log_prob(self, value: Any) -> jax.Array:
        """Return the log density within the limits."""
        return jnp.log(jnp.sin(value) / _fall(self.low, self.high))

    def cdf(self, value: Any) -> jax.Array:
        """Return the probability below ``value``."""
        value = jnp.clip(value, self.low, self.high)
        return _fall(self.low, value) / _fall(self.low, self.high)

    def icdf(self, q: Any) -> jax.Array:
        """Return the quantiles of probability ``q``.

        The squares of sine and cosine of half the angle are linear in ``q``: both ends
        keep their digits.
        """

        def share(function: Any) -> jax.Array:
            begin, end = (function(0.5 * edge) ** 2 for edge in (self.low, self.high))
            return jnp.sqrt((1 - q) * begin + q * end)

        return jnp.clip(
            2 * jnp.arctan2(share(jnp.sin), share(jnp.cos)), self.low, self.high
        )


class Cosine(_BetweenLimits):
    r"""Latitude of a direction at random, as a declination.

    .. math:: p(x) = \frac{\cos x}{\sin b - \sin a}, \qquad a \le x \le b

    .. math:: F(x) = \frac{\sin x - \sin a}{\sin b - \sin a}

    Parameters
    ----------
    low, high : float or array [rad]
        The limits a and b, from -pi/2 to pi/2, which are the defaults.

    Raises
    ------
    ValueError
        For limits that do not rise, or are not within -pi/2 and pi/2.
    """

    def __init__(
        self,
        low: Any = -0.5 * np.pi,
        high: Any = 0.5 * np.pi,
        *,
        validate_args: Any = None,
    ):
        _check_limits("Cosine", low, high, -0.5 * np.pi, 0.5 * np.pi)
        super().__init__(low, high, validate_args=validate_args)

    @validate_sample
    def log_prob(self, value: Any) -> jax.Array:
        """Return the log density within the limits."""
        return jnp.log(jnp.cos(value) / self._rise(self.low, self.high))

    def cdf(self, value: Any) -> jax.Array:
        """Return the probability below ``value``."""
        value = jnp.clip(value, self.low, self.high)
        return self._rise(self.low, value) / self._rise(self.low, self.high)

    def icdf(self, q: Any) -> jax.Array:
        """Return the quantiles of probability ``q``."""
        turned = Sine(self.low + 0.5 * np.pi, self.high + 0.5 * np.pi)
        return jnp.clip(turned.icdf(q) - 0.5 * np.pi, self.low, self.high)

    @staticmethod
    def _rise(begin: Any, end: Any) -> jax.Array:
        return _fall(begin + 0.5 * np.pi, end + 0.5 * np.pi)


class SplitNormal(_ByQuantile):
    r"""Two halves of normal distributions that meet at the mode, as asymmetric errors.

    .. math::

        p(x) = \sqrt{\frac{2}{\pi}} \frac{1}{\sigma_1 + \sigma_2}
        \exp\left(-\frac{(x - m)^2}{2 \sigma^2}\right)

    with :math:`\sigma = \sigma_1` below the mode m and :math:`\sigma_2` above
    (Fechner 1897; Wallis 2014, Statistical Science 29, 106).

    Parameters
    ----------
    loc : float or array
        The mode m, where the density is highest; not the mean.
    scale_low, scale_high : float or array
        Standard deviations of the normal distributions below and above.

    Examples
    --------
    A measurement of 3.1, minus 0.2, plus 0.5:

    >>> prior = anb.SplitNormal(3.1, 0.2, 0.5)
    """

    arg_constraints: ClassVar = {
        "loc": constraints.real,
        "scale_low": constraints.positive,
        "scale_high": constraints.positive,
    }
    support: Any = constraints.real
    loc: Any
    scale_low: Any
    scale_high: Any
    reparametrized_params: ClassVar = ["loc", "scale_low", "scale_high"]

    def __init__(
        self,
        loc: Any = 0.0,
        scale_low: Any = 1.0,
        scale_high: Any = 1.0,
        *,
        validate_args: Any = None,
    ):
        given = loc, scale_low, scale_high
        self.loc, self.scale_low, self.scale_high = promote_shapes(*given)
        shape = jnp.broadcast_shapes(*map(jnp.shape, given))
        super().__init__(shape, validate_args=validate_args)

    @validate_sample
    def log_prob(self, value: Any) -> jax.Array:
        """Return the log density."""
        scale = jnp.where(value < self.loc, self.scale_low, self.scale_high)
        height = 0.5 * np.log(2 / np.pi) - jnp.log(self.scale_low + self.scale_high)
        return height - 0.5 * ((value - self.loc) / scale) ** 2

    def cdf(self, value: Any) -> jax.Array:
        """Return the probability below ``value``."""
        z = value - self.loc
        low = 2 * self._share_below * ndtr(z / self.scale_low)
        high = 1 - 2 * (1 - self._share_below) * ndtr(-z / self.scale_high)
        return jnp.where(z < 0, low, high)

    def icdf(self, q: Any) -> jax.Array:
        """Return the quantiles of probability ``q``."""
        share = self._share_below
        low = self.scale_low * ndtri(jnp.minimum(0.5 * q / share, 0.5))
        high = -self.scale_high * ndtri(jnp.minimum(0.5 * (1 - q) / (1 - share), 0.5))
        return self.loc + jnp.where(q < share, low, high)

    @property
    def _share_below(self) -> jax.Array:
        return self.scale_low / (self.scale_low + self.scale_high)


def _fall(begin: Any, end: Any) -> jax.Array:
    """Return cos(begin) - cos(end), with its digits where they are near."""
    return 2 * jnp.sin(0.5 * (begin + end)) * jnp.sin(0.5 * (end - begin))


def _check_limits(name: str, low: Any, high: Any, least: float, most: float) -> None:
    given = jax.tree_util.tree_leaves((low, high))
    if not all(isinstance(one, float | int | np.ndarray | np.generic) for one in given):
        if any(isinstance(one, Tracer) or not hasattr(one, "dtype") for one in given):
            return  # of a structure, or of a program that is traced
    low, high = np.asarray(low), np.asarray(high)
    if not (np.all(low >= least) and np.all(low < high) and np.all(high <= most)):
        raise ValueError(
            f"expected limits of {name} that rise within {least:.6g} and {most:.6g} "
            f"(in radians); got low={low} and high={high}; correct them"
        )
