"""Three published posteriors against the reference draws of posteriordb."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.results.diagnostics import summary_columns

REFERENCE = Path(__file__).parent / "reference" / "posteriordb.json"
POSTERIORS = json.loads(REFERENCE.read_text())["posteriors"]
SEED = 20240705


class Schools(anb.Analysis):
    """Effects of coaching in eight schools (Rubin 1981), not centred."""

    def __init__(self, data: dict):
        super().__init__()
        self.y = np.array(data["y"], dtype=float)
        self.sigma = np.array(data["sigma"], dtype=float)

    def fit_from(self, instance):
        effect = instance.mu + instance.tau * instance.standard
        return anb.GaussianFit(data=self.y, noise=self.sigma, model=effect)


class Regression(anb.Analysis):
    """A linear regression with noise of unknown size."""

    def __init__(self, columns: list, y: np.ndarray):
        super().__init__()
        self.columns, self.y = np.stack([np.ones(len(y)), *columns], axis=1), y

    def fit_from(self, instance):
        model = self.columns @ instance.beta
        return anb.GaussianFit(data=self.y, noise=instance.sigma, model=model)

    def least_squares(self) -> dict[str, float]:
        """Return the exact means: those of least squares, as the priors are flat."""
        beta, *_ = np.linalg.lstsq(self.columns, self.y)
        return {f"beta[{i + 1}]": float(value) for i, value in enumerate(beta)}


@dataclass(frozen=True)
class Published:
    """A posterior, how it is sampled, and what is known of its parameters.

    ``exact`` holds the means that follow from the posterior alone, without an error.
    """

    name: str
    analysis: anb.Analysis
    model: anb.Model
    runs: dict[str, dict[str, Any]]
    exact: dict[str, float] = field(default_factory=dict)

    def published(self, draws: np.ndarray) -> dict[str, np.ndarray]:
        """Return the draws of each published parameter, (n_draws, nwalkers)."""
        by_name = dict(zip(self.model.names, np.moveaxis(draws, -1, 0), strict=True))
        if self.name.startswith("eight_schools"):
            mu, tau = by_name["mu"], by_name["tau"]
            effects = [mu + tau * by_name[f"standard[{i}]"] for i in range(8)]
            named = {f"theta[{i + 1}]": effect for i, effect in enumerate(effects)}
            return {**named, "mu": mu, "tau": tau}
        return {_from_one(name): values for name, values in by_name.items()}


def _from_one(name: str) -> str:
    """Return a name as Stan has it, whose elements are counted from 1."""
    stem, _, index = name.rstrip("]").partition("[")
    return f"{stem}[{int(index) + 1}]" if index else stem


def eight_schools() -> Published:
    name = "eight_schools-eight_schools_noncentered"
    model = anb.Model(
        standard=dist.Normal(0.0, 1.0).expand([8]),
        mu=dist.Normal(0.0, 5.0),
        tau=dist.HalfCauchy(5.0),
    )
    nuts = {"sampler": anb.NUTS(target_accept=0.95), "burn": 1000, "iterations": 3000}
    ensemble = {"nwalkers": 64, "burn": 5000, "iterations": 40_000}
    analysis = Schools(POSTERIORS[name]["data"])
    return Published(name, analysis, model, {"nuts": nuts, "ensemble": ensemble})


def kidscore() -> Published:
    name = "kidiq-kidscore_momiq"
    data = {key: np.asarray(v, float) for key, v in POSTERIORS[name]["data"].items()}
    # Flat priors, cut where there is no posterior.
    model = anb.Model(
        beta=dist.Uniform(np.array([-200.0, -10.0]), np.array([200.0, 10.0])),
        sigma=dist.HalfCauchy(2.5),
    )
    nuts = {"sampler": "nuts", "burn": 500, "iterations": 2000}
    ensemble = {"nwalkers": 32, "burn": 1000, "iterations": 10_000}
    analysis = Regression([data["mom_iq"]], data["kid_score"])
    runs = {"nuts": nuts, "ensemble": ensemble}
    return Published(name, analysis, model, runs, analysis.least_squares())


def mesquite() -> Published:
    name = "mesquite-logmesquite_logvash"
    data = {key: np.asarray(v, float) for key, v in POSTERIORS[name]["data"].items()}
    area, shape = data["diam1"] * data["diam2"], data["diam1"] / data["diam2"]
    sizes = area * data["canopy_height"], area, shape, data["total_height"]
    columns = [*map(np.log, sizes), data["group"]]
    model = anb.Model(  # flat priors, as above
        beta=dist.Uniform(-20.0, 20.0).expand([6]), sigma=dist.Uniform(0.0, 10.0)
    )
    start = anb.Instance(beta=jnp.array([5.0, 0, 0, 0, 0, 0]), sigma=0.5)
    nuts = {"sampler": "nuts", "burn": 1000, "iterations": 3000}
    ensemble = {"nwalkers": 64, "burn": 5000, "iterations": 20_000, "start": start}
    analysis = Regression(columns, np.log(data["weight"]))
    runs = {"nuts": nuts, "ensemble": ensemble}
    return Published(name, analysis, model, runs, analysis.least_squares())


def moments(published: Published, sampler: str) -> dict[str, tuple]:
    """Return mean, standard deviation and effective draws of each parameter."""
    engine = anb.InferenceEngine(published.analysis, published.model, seed=SEED)
    result = engine.run(**published.runs[sampler], progress="none")
    assert result.reason == "completed" and result.divergences < 10
    draws = published.published(result.draws)
    position = np.stack(list(draws.values()), axis=-1)
    columns = summary_columns(position, result.algorithm.independent_chains)
    rows = zip(*(columns[name] for name in ("mean", "sd", "ess_bulk")), strict=True)
    return dict(zip(draws, rows, strict=True))


def known_mean(published: Published, name: str) -> tuple[float, float]:
    """Return a parameter's mean and its error: exact, or of the reference draws."""
    if name in published.exact:
        return published.exact[name], 0.0
    reference = POSTERIORS[published.name]["moments"][name]
    return reference["mean"], reference["sd"] / np.sqrt(reference["n"])


@pytest.mark.parametrize(
    ("posterior", "sampler"),
    [
        (kidscore, "nuts"),
        pytest.param(kidscore, "ensemble", marks=pytest.mark.slow),
        pytest.param(mesquite, "nuts", marks=pytest.mark.slow),
        pytest.param(mesquite, "ensemble", marks=pytest.mark.slow),
        pytest.param(eight_schools, "nuts", marks=pytest.mark.slow),
        pytest.param(eight_schools, "ensemble", marks=pytest.mark.slow),
    ],
)
def test_the_moments_are_those_of_the_reference_draws(posterior: Any, sampler: str):
    published = posterior()
    ours = moments(published, sampler)
    reference = POSTERIORS[published.name]["moments"]
    assert ours.keys() == reference.keys()
    for name, (mean, sd, ess) in ours.items():
        known, error = known_mean(published, name)
        assert ess > 1000, name
        assert abs(mean - known) < 3 * np.hypot(sd / np.sqrt(ess), error), name
        assert sd == pytest.approx(reference[name]["sd"], rel=0.05), name


@pytest.mark.parametrize("posterior", [kidscore, mesquite])
def test_the_reference_draws_agree_with_least_squares(posterior: Any):
    published = posterior()
    assert len(published.exact) in (2, 6)
    for name, exact in published.exact.items():
        known = POSTERIORS[published.name]["moments"][name]
        error = known["sd"] / np.sqrt(known["n"])
        assert abs(known["mean"] - exact) < 4 * error, name
