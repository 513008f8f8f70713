"""The smoothly broken power law against its analytic limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ampynb.forward_models import smoothly_broken_power_law

PARAMETERS = {
    "peak_flux": 0.1,
    "peak_time": 150.0,
    "beta": 0.58,
    "alpha_1": 0.9,
    "alpha_2": -2.1,
    "smoothness": 2.0,
}
DRAWS = {
    "GW170817": PARAMETERS,
    "sharp": {**PARAMETERS, "smoothness": 40.0},
    "soft": {**PARAMETERS, "smoothness": 0.7},
    "flat spectrum": {**PARAMETERS, "beta": 0.0},
    "decline that steepens": {**PARAMETERS, "alpha_1": -0.5},
}


@pytest.mark.parametrize("parameters", DRAWS.values(), ids=DRAWS)
def test_the_flux_at_the_peak_time_and_3_ghz_is_the_peak_flux(parameters):
    """There the bracket is 2 and 2^(1/s) 2^(-1/s) = 1."""
    flux = smoothly_broken_power_law(150.0, 3e9, **parameters)
    assert float(flux) == pytest.approx(0.1, rel=1e-14)


@pytest.mark.parametrize("parameters", DRAWS.values(), ids=DRAWS)
@pytest.mark.parametrize("side", ["alpha_1", "alpha_2"])
def test_the_temporal_slopes_are_those_asked_for(parameters, side):
    far = 1e-12 if side == "alpha_1" else 1e12
    times = 150.0 * far * np.array([1.0, 2.0])
    flux = smoothly_broken_power_law(times, 3e9, **parameters)
    slope = np.log(flux[1] / flux[0]) / np.log(2.0)
    assert float(slope) == pytest.approx(parameters[side], abs=1e-6)


@pytest.mark.parametrize("time", [1.0, 150.0, 4000.0])
def test_the_spectrum_is_a_power_law_at_every_time(time):
    frequency = np.array([3e9, 5e14, 2.4e17])
    flux = smoothly_broken_power_law(time, frequency, **PARAMETERS)
    slopes = np.diff(np.log(flux)) / np.diff(np.log(frequency))
    np.testing.assert_allclose(slopes, -0.58, rtol=1e-10)


def test_it_is_the_published_formula():
    """Equation 1 of Makhathini et al. 2021, with powers written out."""
    time, frequency = np.geomspace(5.0, 1000.0, 7), np.geomspace(1e9, 1e18, 7)
    t, s = time / 150.0, 2.0
    bracket = t ** (-s * 0.9) + t ** (-s * -2.1)
    expected = 2 ** (1 / s) * 0.1 * (frequency / 3e9) ** -0.58 * bracket ** (-1 / s)
    flux = smoothly_broken_power_law(time, frequency, **PARAMETERS)
    np.testing.assert_allclose(flux, expected, rtol=1e-12)


def test_a_sharp_turn_is_a_broken_power_law():
    times = np.array([15.0, 1500.0])
    sharp = {**PARAMETERS, "smoothness": 1e4}
    flux = smoothly_broken_power_law(times, 3e9, **sharp)
    np.testing.assert_allclose(flux, 0.1 * np.array([0.1**0.9, 10**-2.1]), rtol=1e-3)


def test_the_maximum_of_a_symmetric_turn_is_at_the_peak_time():
    symmetric = {**PARAMETERS, "alpha_1": 1.5, "alpha_2": -1.5}
    times = np.geomspace(15.0, 1500.0, 201)
    flux = smoothly_broken_power_law(times, 3e9, **symmetric)
    assert times[np.argmax(flux)] == pytest.approx(150.0)


@pytest.mark.parametrize("smoothness", [0.1, 2.0, 50.0, 1e3])
def test_nothing_overflows_and_gradients_are_finite(smoothness):
    times = np.array([1e-30, 1e-6, 1.0, 150.0, 1e6, 1e30])
    parameters = {**PARAMETERS, "smoothness": smoothness}

    def log_flux(parameters, time):
        return jnp.log(smoothly_broken_power_law(time, 3e9, **parameters))

    along_time = jax.vmap(jax.value_and_grad(log_flux), in_axes=(None, 0))
    value, slopes = jax.jit(along_time)(parameters, times)
    assert np.all(np.isfinite(value))
    assert all(np.all(np.isfinite(slope)) for slope in slopes.values())
    np.testing.assert_allclose(slopes["peak_flux"], 1 / 0.1)  # d ln F / d F_p


def test_times_and_frequencies_broadcast():
    times, frequencies = np.array([10.0, 100.0]), np.array([3e9, 6e9, 5e14])
    grid = smoothly_broken_power_law(times[:, None], frequencies, **PARAMETERS)
    assert grid.shape == (2, 3)
    single = smoothly_broken_power_law(times[1], frequencies[2], **PARAMETERS)
    assert float(grid[1, 2]) == pytest.approx(float(single))
