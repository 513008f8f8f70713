"""Radial velocities of stars that planets move, for one set of parameters, on JAX."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

__all__ = ["circular_velocity", "planet_mass"]

# Of a planet of Jupiter's mass, a year from a star of the Sun's mass [m/s].
JUPITER_AT_A_YEAR = 28.4329
EARTHS_IN_JUPITER = 317.83
YEAR = 365.25  # d


def circular_velocity(
    time: Any, *, period: Any, transit_time: Any, semi_amplitude: Any
) -> jax.Array:
    r"""Velocity of a star that a planet on a circular orbit moves.

    .. math::
        v(t) = -K \sin\left(2\pi\,\frac{t - t_\mathrm{tr}}{P}\right)

    At the transit the planet is nearest to us and the star moves across; from then on
    the planet recedes and the star comes nearer.

    Parameters
    ----------
    time : array [d]
    period : float [d]
        :math:`P`.
    transit_time : float [d]
        When the planet is before the star, :math:`t_\mathrm{tr}`.
    semi_amplitude : float [m/s]
        Half of the difference between the greatest and the least velocity, :math:`K`.

    Returns
    -------
    array [m/s]
        Positive where the star recedes.

    References
    ----------
    Fulton et al. 2018, PASP 130, 044504, section 2, for no eccentricity.
    """
    phase = (jnp.asarray(time) - transit_time) / period
    return -semi_amplitude * jnp.sin(2 * jnp.pi * phase)


def planet_mass(semi_amplitude: Any, *, period: Any, stellar_mass: Any) -> Any:
    r"""Mass of a planet on a circular orbit, times the sine of its inclination.

    .. math::
        K = 28.4329\,\mathrm{m/s}\; \frac{m \sin i}{M_\mathrm{Jup}}
        \left(\frac{M}{M_\odot}\right)^{-2/3}
        \left(\frac{P}{1\,\mathrm{yr}}\right)^{-1/3}

    Of a planet that transits, the sine is nearly 1. The planet's mass is left out of
    the total.

    Parameters
    ----------
    semi_amplitude : float [m/s]
    period : float [d]
    stellar_mass : float [solar masses]

    Returns
    -------
    float [Earth masses]

    References
    ----------
    Lovis and Fischer 2010, in Exoplanets (ed. Seager), equation 14.
    """
    in_jupiters = (
        semi_amplitude
        / JUPITER_AT_A_YEAR
        * stellar_mass ** (2 / 3)
        * (period / YEAR) ** (1 / 3)
    )
    return in_jupiters * EARTHS_IN_JUPITER
