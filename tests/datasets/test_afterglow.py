"""The afterglow photometry that is shipped."""

import json
from pathlib import Path

import numpy as np
import pytest

from ampynb.datasets import load_gw170817
from ampynb.forward_models import smoothly_broken_power_law

DATA = load_gw170817()
REFERENCE = Path(__file__).parents[1] / "reference" / "gw170817_emcee.json"
COLUMNS = ["time", "frequency", "flux", "flux_err"]


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_are_positive_and_of_one_length(name):
    column = getattr(DATA, name)
    assert column.shape == (47,)
    assert column.dtype == float
    assert np.all(np.isfinite(column) & (column > 0))


def test_it_covers_the_rise_and_the_decline():
    assert len(DATA) == 47
    assert DATA.time.min() == 9.21
    assert DATA.time.max() == pytest.approx(358.6, abs=0.5)


BANDS = {
    "1 keV": 2.418e17,
    "F606W": 5.09e14,
    "F814W": 3.73e14,
    "6 GHz": 6e9,
    "3 GHz": 3e9,
}


def test_every_row_is_in_one_of_five_bands():
    assert DATA.bands == BANDS
    assert [BANDS[name] for name in DATA.band] == DATA.frequency.tolist()


@pytest.mark.parametrize("name", ["1 keV", "3 GHz"])
def test_a_photon_s_energy_and_frequency_agree(name):
    """1 keV / h = 2.418e17 Hz (CODATA)."""
    expected = {"1 keV": 1e3 * 1.602176634e-19 / 6.62607015e-34, "3 GHz": 3e9}
    assert DATA.bands[name] == pytest.approx(expected[name], rel=1e-4)


def test_the_reference_fit_goes_through_every_band():
    """One power law from 3 GHz to 1 keV: an error of units would be decades."""
    moments = json.loads(REFERENCE.read_text())["moments"]
    parameters = {name: moment["mean"] for name, moment in moments.items()}
    model = smoothly_broken_power_law(DATA.time, DATA.frequency, **parameters)
    ratio = np.log10(DATA.flux / np.asarray(model))
    assert np.abs(ratio).max() < 0.4
    for name in BANDS:
        assert np.abs(np.median(ratio[DATA.band == name])) < 0.15


def test_views_name_the_event_its_bands_and_its_sources():
    text = DATA._repr_html_()
    for words in ("GW170817", "47 detections", "Margutti et al. 2018", *BANDS):
        assert words in text
    assert repr(DATA) == "AfterglowData(name='GW170817 afterglow')"


def test_html_is_escaped():
    columns = {name: getattr(DATA, name) for name in COLUMNS}
    text = type(DATA)(name="<b>", source="A & B", **columns)._repr_html_()
    assert "&lt;b&gt;" in text
    assert "A &amp; B" in text


def test_other_frequencies_are_shown_too():
    """A user's own table need not be in our bands."""
    columns = {name: getattr(DATA, name)[:1] for name in COLUMNS}
    columns["frequency"] = np.array([1.4e9])
    own = type(DATA)(name="GRB 030329", source="own", **columns)
    assert "1.4e+09" in own._repr_html_()


def test_each_load_is_a_copy():
    first = load_gw170817()
    first.flux[:] = 0.0
    assert np.all(load_gw170817().flux > 0)
