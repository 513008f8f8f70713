"""The quantile function of the von Mises distribution, which numpyro does not have."""

from __future__ import annotations

import jax
import jax.numpy as jnp

__all__ = ["von_mises_quantile"]

CELLS = 512
HALVINGS = 40


@jax.jit
def von_mises_quantile(
    loc: jax.Array, concentration: jax.Array, probability: jax.Array
) -> jax.Array:
    """Return quantiles of the distribution as it lies around ``loc``, half a turn each.

    Notes
    -----
    The density is integrated by its Fourier series in the angle of the wrapped Cauchy
    distribution of about the same width, in which it is smooth whatever the
    concentration; the integral is interpolated by cubics and inverted by bisection.
    """
    loc, concentration, probability = jnp.broadcast_arrays(
        *map(jnp.asarray, (loc, concentration, probability))
    )
    one = jax.vmap(_centred)(jnp.ravel(concentration), jnp.ravel(probability))
    return loc + one.reshape(loc.shape)


def _centred(concentration: jax.Array, probability: jax.Array) -> jax.Array:
    scale = 1 / (1 + 2 * jnp.sqrt(concentration))
    v = jnp.arange(CELLS) / CELLS
    slope = _density(concentration, scale, v)
    mean = jnp.mean(slope)
    waves = jnp.fft.rfft(slope / mean)
    frequency = 2j * jnp.pi * jnp.arange(1, len(waves))
    waves = jnp.concatenate([jnp.zeros(1), waves[1:] / frequency])
    integral = jnp.fft.irfft(waves, CELLS)
    integral = jnp.append(v + integral - integral[0], 1.0)
    slope = jnp.append(slope, slope[0]) / mean / CELLS
    last = CELLS - 1
    cell = jnp.clip(jnp.searchsorted(integral, probability) - 1, 0, last)
    low, high = integral[cell], integral[cell + 1]
    left, right = slope[cell], slope[cell + 1]

    def up_to(t: jax.Array) -> jax.Array:
        """Return the integral within the cell, by Hermite's cubic."""
        s = 1 - t
        ends = s**2 * (1 + 2 * t) * low + t**2 * (3 - 2 * t) * high
        return ends + t * s * (s * left - t * right)

    def halve(_: int, edges: tuple) -> tuple:
        below, above = edges
        middle = (below + above) / 2
        beyond = up_to(middle) > probability
        return jnp.where(beyond, below, middle), jnp.where(beyond, middle, above)

    zero = jnp.zeros_like(probability)
    below, above = jax.lax.fori_loop(0, HALVINGS, halve, (zero, zero + 1))
    return _angle(scale, (cell + (below + above) / 2) / CELLS)


def _angle(scale: jax.Array, v: jax.Array) -> jax.Array:
    """Return the quantile of the wrapped Cauchy distribution, -pi to pi."""
    turn = jnp.pi * (v - 0.5)
    return 2 * jnp.arctan2(scale * jnp.sin(turn), jnp.cos(turn))


def _density(concentration: jax.Array, scale: jax.Array, v: jax.Array) -> jax.Array:
    """Return the density over ``v``, not normalised."""
    turn = jnp.pi * (v - 0.5)
    squares = jnp.cos(turn) ** 2 + (scale * jnp.sin(turn)) ** 2
    cosine = jnp.cos(_angle(scale, v))
    return jnp.exp(concentration * (cosine - 1)) * scale / squares
