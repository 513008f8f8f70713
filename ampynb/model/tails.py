"""Upper tails of symmetric distributions, relative to where they begin.

With S the survival function of a standard distribution and f its density, a tail that
begins at ``a`` >= 0 is known by ln S(a + d) / S(a) and ln f(a + d) / S(a) at the
distance ``d`` from there. Both stay exact where S itself underflows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.scipy.special import erf, erfc

__all__ = ["TAILS", "Tail"]

_NEAR = 10.0  # below, ln erfc(t) + t^2 is right to 1e-14; above, the series is
_TERMS = 18
_NEWTON_STEPS = 5


class Tail(NamedTuple):
    """The upper tail of one family.

    Attributes
    ----------
    within, beyond : callable
        2 (F(z) - 1/2) and 2 S(z), the shares of the upper half, of z >= 0.
    log_ratio : callable
        ln S(a + d) / S(a) of ``a`` and ``d``.
    log_density : callable
        ln f(a + d) / S(a) of ``a`` and ``d``.
    distance : callable
        The ``d`` at which ``log_ratio`` is ``y`` <= 0, of ``a`` and ``y``.
    """

    within: Callable[[Any], Any]
    beyond: Callable[[Any], Any]
    log_ratio: Callable[[Any, Any], Any]
    log_density: Callable[[Any, Any], Any]
    distance: Callable[[Any, Any], Any]


# R(t) t = 1 - 1/t^2 + 3/t^4 - 15/t^6 + ..., with R Mills' ratio S / f of the normal
# distribution (Abramowitz and Stegun 1964, equation 26.2.12); highest power first.
_SERIES = np.cumprod([1.0, *(1.0 - 2.0 * np.arange(1, _TERMS + 1))])[::-1]
_SERIES_SLOPE = _SERIES[:-1] * np.arange(_TERMS, 0, -1)


def _polynomial(coefficients: np.ndarray, x: Any) -> Any:
    value = jnp.zeros_like(x)
    for coefficient in coefficients:
        value = value * x + coefficient
    return value


@jax.custom_jvp
def _log_mills(t: Any) -> Any:
    """Return ln S(t) / f(t) of the normal distribution, for t >= 0."""
    near = jnp.minimum(t, _NEAR)
    log_near = jnp.log(erfc(near / np.sqrt(2))) + near**2 / 2 + 0.5 * np.log(np.pi / 2)
    far = jnp.maximum(t, _NEAR)
    log_far = jnp.log(_polynomial(_SERIES, 1 / far**2)) - jnp.log(far)
    return jnp.where(t < _NEAR, log_near, log_far)


@_log_mills.defjvp
def _(primals: tuple, tangents: tuple) -> tuple:
    (t,), (tangent,) = primals, tangents
    value = _log_mills(t)
    far = jnp.maximum(t, _NEAR)
    x = 1 / far**2
    bend = _polynomial(_SERIES_SLOPE, x) / _polynomial(_SERIES, x)
    slope_far = -(1 + 2 * x * bend) / far
    slope_near = t - jnp.exp(-jnp.where(t < _NEAR, value, 0.0))
    return value, jnp.where(t < _NEAR, slope_near, slope_far) * tangent


def _normal_ratio(a: Any, d: Any) -> Any:
    return -d * (a + d / 2) + _log_mills(a + d) - _log_mills(a)


def _normal_distance(a: Any, y: Any) -> Any:
    """Solve by Newton's method, which comes from above: ln S is concave."""
    tiny = jnp.finfo(jnp.result_type(float)).tiny
    finite = jnp.clip(y, -1 / jnp.sqrt(tiny), -tiny)
    from_begin = finite + _log_mills(a)

    def step(_: Any, d: Any) -> Any:
        log_mills = _log_mills(a + d)
        return d + (log_mills - d * (a + d / 2) - from_begin) * jnp.exp(log_mills)

    straight = -finite * jnp.exp(_log_mills(a))
    start = jnp.minimum(straight, -2 * finite / (a + jnp.sqrt(a**2 - 2 * finite)))
    # A loop, and not its steps one by one: these take minutes to compile.
    d = jax.lax.fori_loop(0, _NEWTON_STEPS, step, start)
    return jnp.where(y == -jnp.inf, jnp.inf, jnp.maximum(d, 0.0))


_NORMAL = Tail(
    within=lambda z: erf(z / np.sqrt(2)),
    beyond=lambda z: erfc(z / np.sqrt(2)),
    log_ratio=_normal_ratio,
    log_density=lambda a, d: -d * (a + d / 2) - _log_mills(a),
    distance=_normal_distance,
)


def _cauchy_distance(a: Any, y: Any) -> Any:
    angle = jnp.arctan2(1.0, a)
    passed, left = -jnp.expm1(y) * angle, jnp.exp(y) * angle
    return jnp.sin(passed) / (jnp.sin(angle) * jnp.sin(left))


_CAUCHY = Tail(
    within=lambda z: jnp.arctan(z) / (np.pi / 2),
    beyond=lambda z: jnp.arctan2(1.0, z) / (np.pi / 2),
    log_ratio=lambda a, d: jnp.log1p(
        -jnp.arctan2(d, 1 + a * (a + d)) / jnp.arctan2(1.0, a)
    ),
    log_density=lambda a, d: -jnp.log1p((a + d) ** 2) - jnp.log(jnp.arctan2(1.0, a)),
    distance=_cauchy_distance,
)

_LAPLACE = Tail(
    within=lambda z: -jnp.expm1(-z),
    beyond=lambda z: jnp.exp(-z),
    log_ratio=lambda a, d: -d,
    log_density=lambda a, d: -d,
    distance=lambda a, y: -y,
)


def _logistic_ratio(a: Any, d: Any) -> Any:
    return -d - jnp.log1p(jnp.expm1(-d) * jax.nn.sigmoid(-a))


_LOGISTIC = Tail(
    within=lambda z: jnp.tanh(z / 2),
    beyond=lambda z: 2 * jax.nn.sigmoid(-z),
    log_ratio=_logistic_ratio,
    log_density=lambda a, d: _logistic_ratio(a, d) + jax.nn.log_sigmoid(a + d),
    distance=lambda a, y: -y + jnp.log1p(-jnp.expm1(y) * jnp.exp(-a)),
)


def _log_angle(t: Any) -> Any:
    """Return ln arctan(exp(-t)) + t, for t >= 0."""
    near = jnp.minimum(t, 20.0)  # further out it is 0 to the last digit
    return jnp.log(jnp.arctan(jnp.exp(-near))) + near


def _soft_distance(a: Any, y: Any) -> Any:
    near = jnp.minimum(a, 20.0)
    left = jnp.exp(y) * jnp.arctan(jnp.exp(-near))
    return jnp.where(a < 20.0, -jnp.log(jnp.tan(left)) - near, -y)


_SOFT_LAPLACE = Tail(
    within=lambda z: jnp.arctan(jnp.tanh(z / 2)) / (np.pi / 4),
    beyond=lambda z: jnp.arctan(jnp.exp(-z)) / (np.pi / 4),
    log_ratio=lambda a, d: -d + _log_angle(a + d) - _log_angle(a),
    log_density=lambda a, d: -d - jnp.log1p(jnp.exp(-2 * (a + d))) - _log_angle(a),
    distance=_soft_distance,
)

TAILS: dict[type, Tail] = {
    dist.Normal: _NORMAL,
    dist.Cauchy: _CAUCHY,
    dist.Laplace: _LAPLACE,
    dist.Logistic: _LOGISTIC,
    dist.SoftLaplace: _SOFT_LAPLACE,
}
