"""The velocity of a star with a planet against what its geometry says."""

import jax
import numpy as np
import pytest

from ampynb.forward_models import circular_velocity, planet_mass

ORBIT = {"period": 20.9, "transit_time": 2072.8, "semi_amplitude": 4.5}


@pytest.mark.parametrize("cycle", [-3, 0, 14])
@pytest.mark.parametrize(
    ("phase", "velocity"), [(0.0, 0.0), (0.25, -4.5), (0.5, 0.0), (0.75, 4.5)]
)
def test_the_star_comes_nearer_after_the_transit_and_recedes_before(
    cycle, phase, velocity
):
    time = 2072.8 + 20.9 * (cycle + phase)
    assert float(circular_velocity(time, **ORBIT)) == pytest.approx(velocity, abs=1e-9)


def test_the_star_goes_nowhere_in_a_whole_period():
    time = 2000.0 + 20.9 * np.arange(1000) / 1000
    velocity = np.asarray(circular_velocity(time, **ORBIT))
    assert np.mean(velocity) == pytest.approx(0.0, abs=1e-9)
    assert np.std(velocity) == pytest.approx(4.5 / np.sqrt(2), rel=1e-9)


def test_the_acceleration_is_greatest_at_the_transit():
    def velocity(time):
        return circular_velocity(time, **ORBIT)

    slope = float(jax.grad(velocity)(2072.8))
    assert slope == pytest.approx(-2 * np.pi * 4.5 / 20.9, rel=1e-9)


KNOWN = {
    # of the Sun, by Jupiter and by the Earth: 12.5 m/s and 0.09 m/s
    "Jupiter": (12.47, 4332.6, 1.0, 317.83, 0.01),
    "the Earth": (0.0895, 365.25, 1.0, 1.0, 0.01),
}


@pytest.mark.parametrize(
    ("semi_amplitude", "period", "stellar_mass", "mass", "within"),
    KNOWN.values(),
    ids=KNOWN,
)
def test_the_masses_of_the_solar_system(
    semi_amplitude, period, stellar_mass, mass, within
):
    found = planet_mass(semi_amplitude, period=period, stellar_mass=stellar_mass)
    assert found == pytest.approx(mass, rel=within)


def test_the_mass_follows_from_newton_s_laws():
    """The star moves with the planet's momentum: M v = m V, V from gravity alone."""
    gravity, sun, earth = 6.6743e-11, 1.98841e30, 5.9722e24  # SI
    period, stellar_mass, mass = 42.363, 1.12, 27.0
    whole = stellar_mass * sun
    speed = (2 * np.pi * gravity * whole / (period * 86400)) ** (1 / 3)
    semi_amplitude = mass * earth * speed / whole
    found = planet_mass(semi_amplitude, period=period, stellar_mass=stellar_mass)
    assert found == pytest.approx(mass, rel=1e-3)
