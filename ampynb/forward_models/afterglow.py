"""Light curves of gamma-ray burst afterglows, for one set of parameters, on JAX."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

__all__ = ["smoothly_broken_power_law"]

REFERENCE_FREQUENCY = 3e9  # Hz


def smoothly_broken_power_law(
    time: Any,
    frequency: Any,
    *,
    peak_flux: Any,
    peak_time: Any,
    beta: Any,
    alpha_1: Any,
    alpha_2: Any,
    smoothness: Any,
) -> jax.Array:
    r"""Flux of a light curve that rises as one power law and falls as another.

    .. math::
        F_\nu(t) = 2^{1/s} F_p \left(\frac{\nu}{3\,\mathrm{GHz}}\right)^{-\beta}
        \left[\left(\frac{t}{t_p}\right)^{-s\alpha_1}
        + \left(\frac{t}{t_p}\right)^{-s\alpha_2}\right]^{-1/s}

    It is evaluated in the logarithm, so that no power overflows.

    Parameters
    ----------
    time : array [d]
        Time since the burst; broadcast against ``frequency``.
    frequency : array [Hz]
        Observing frequency.
    peak_flux : float [mJy]
        Flux at ``peak_time`` and 3 GHz, :math:`F_p`.
    peak_time : float [d]
        Time at which the two power laws meet, :math:`t_p`.
    beta : float
        Spectral index, positive for a spectrum that falls with frequency.
    alpha_1, alpha_2 : float
        Temporal indices before and after ``peak_time``: rising is positive.
    smoothness : float
        Sharpness of the turn, :math:`s`; large is sharp.

    Returns
    -------
    array [mJy]

    References
    ----------
    Makhathini et al. 2021, ApJ 922, 154, equation 1; Beuermann et al. 1999,
    A&A 352, L26.
    """
    log_time = jnp.log(jnp.asarray(time) / peak_time)
    bend = jnp.logaddexp(
        -smoothness * alpha_1 * log_time, -smoothness * alpha_2 * log_time
    )
    log_spectrum = -beta * jnp.log(jnp.asarray(frequency) / REFERENCE_FREQUENCY)
    return peak_flux * jnp.exp(log_spectrum + (jnp.log(2.0) - bend) / smoothness)
