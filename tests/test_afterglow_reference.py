"""The afterglow of GW170817 against plain emcee and the published spectral index."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb

REFERENCE = Path(__file__).parent / "reference" / "gw170817_emcee.json"
PUBLISHED_BETA = 0.584  # Makhathini et al. 2021, ApJ 922, 154
START = {
    "peak_flux": 0.1,
    "peak_time": 150.0,
    "beta": 0.58,
    "alpha_1": 0.9,
    "alpha_2": -2.2,
    "smoothness": 2.0,
}
MODEL = anb.Model(  # the priors of tests/reference/gw170817_emcee.py
    peak_flux=anb.Parameter(dist.LogUniform(0.01, 1.0), unit="mJy"),
    peak_time=anb.Parameter(dist.LogUniform(50.0, 500.0), unit="d"),
    beta=dist.Uniform(0.0, 1.0),
    alpha_1=dist.Uniform(0.0, 3.0),
    alpha_2=dist.Normal(-2.2, 0.5),
    smoothness=dist.LogNormal(np.log(2.0), 0.5),
)


class Afterglow(anb.Analysis):
    """A smoothly broken power law in time and a power law in frequency."""

    def __init__(self):
        super().__init__()
        data = anb.datasets.load_gw170817()
        self.time, self.frequency = data.time, data.frequency
        self.flux, self.flux_err = data.flux, data.flux_err

    def fit_from(self, instance):
        values = {name: instance[name] for name in START}
        model = anb.forward_models.smoothly_broken_power_law(
            self.time, self.frequency, **values
        )
        return anb.GaussianFit(data=self.flux, noise=self.flux_err, model=model)


RUNS: dict[str, dict[str, Any]] = {
    "nuts": {
        "sampler": anb.NUTS(nwalkers=4, target_accept=0.95),
        "burn": 1000,
        "iterations": 2000,
    },
    "ensemble": {
        "sampler": "ensemble",
        "nwalkers": 64,
        "burn": 5000,
        "iterations": 20_000,
        "start": anb.Instance(**START),
    },
}


@pytest.fixture(scope="module", params=RUNS)
def result(request: pytest.FixtureRequest) -> anb.Result:
    engine = anb.InferenceEngine(Afterglow(), MODEL, seed=20170817)
    return engine.run(**RUNS[request.param], progress="none")


def reference(moment: str) -> np.ndarray:
    """Return one moment of each parameter, in the model's order."""
    moments = json.loads(REFERENCE.read_text())["moments"]
    return np.array([moments[name][moment] for name in MODEL.names])


@pytest.mark.slow
def test_the_means_agree(result: anb.Result):
    table = result.summary()
    error = np.hypot(table["mcse_mean"], reference("standard_error"))
    deviation = (table["mean"] - reference("mean")) / error
    assert np.all(np.abs(deviation) < 3.0), deviation


@pytest.mark.slow
def test_the_standard_deviations_agree(result: anb.Result):
    np.testing.assert_allclose(result.summary()["sd"], reference("sd"), rtol=0.15)


@pytest.mark.slow
def test_the_spectral_index_is_the_published_one(result: anb.Result):
    beta = result.summary().loc["beta", "mean"]
    assert beta == pytest.approx(PUBLISHED_BETA, rel=0.03)


@pytest.mark.slow
def test_the_sample_sizes_bear_the_comparison(result: anb.Result):
    table = result.summary()
    assert np.all(table["ess_bulk"] > 400)
    assert np.all(table["r_hat"] < 1.05)
