"""The radial velocities that are shipped."""

import numpy as np
import pytest

from ampynb.datasets import load_k2_24
from ampynb.forward_models import circular_velocity, planet_mass

DATA = load_k2_24()


@pytest.mark.parametrize("name", ["time", "velocity", "velocity_err"])
def test_columns_are_finite_and_of_one_length(name):
    column = getattr(DATA, name)
    assert column.shape == (32,)
    assert np.all(np.isfinite(column))


def test_it_is_what_the_paper_describes():
    """Petigura et al. 2016: 32 spectra, periods of 20.8851(3) and 42.3633(6) days."""
    assert len(DATA) == 32
    assert np.all(np.diff(DATA.time) > 0)
    assert np.ptp(DATA.time) == pytest.approx(101, abs=1)
    assert np.all((DATA.velocity_err > 1.0) & (DATA.velocity_err < 2.0))
    assert DATA.period["b"] == pytest.approx(20.8851, abs=3 * 0.0003)
    assert DATA.period["c"] == pytest.approx(42.3633, abs=3 * 0.0006)


def test_the_masses_are_the_published_ones_within_the_errors():
    """21.0 +- 5.4 and 27.0 +- 6.9 Earth masses; by least squares with a trend."""
    orbits = [
        np.asarray(
            circular_velocity(
                DATA.time,
                period=DATA.period[planet],
                transit_time=DATA.transit_time[planet],
                semi_amplitude=1.0,
            )
        )
        for planet in "bc"
    ]
    trend = DATA.time - DATA.time.mean()
    design = (
        np.stack([*orbits, np.ones(32), trend], axis=1) / DATA.velocity_err[:, None]
    )
    found = np.linalg.lstsq(design, DATA.velocity / DATA.velocity_err)[0]
    published = {"b": (21.0, 5.4), "c": (27.0, 6.9)}
    for (planet, (mass, error)), amplitude in zip(
        published.items(), found[:2], strict=True
    ):
        mine = planet_mass(amplitude, period=DATA.period[planet], stellar_mass=1.1)
        assert mine == pytest.approx(mass, abs=1.5 * error)


def test_views_name_the_star_its_planets_and_the_sources():
    text = DATA._repr_html_()
    for words in ("K2-24", "32 radial velocities", "m/s", "20.8853", "Petigura"):
        assert words in text
    assert repr(DATA) == "RadialVelocityData(name='K2-24')"


def test_each_load_is_a_copy():
    load_k2_24().velocity[:] = 0.0
    assert np.any(load_k2_24().velocity != 0)
