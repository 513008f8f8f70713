"""What is particular to tempering: temperatures, their evidence, and far-off modes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy.stats import multivariate_normal

import ampynb as anb
from ampynb.algorithms.algorithm import Start
from ampynb.algorithms.start import draw_start, log_likelihoods
from ampynb.results.diagnostics import Diagnostics
from ampynb.results.inference_data import effective_sample_size, to_dataset
from tests.helpers import line_problem

METHODS = ["stepping_stones", "thermodynamic_integration"]
BETAS = (1.0, 0.3, 0.1, 0.02, 0.0)
MIXTURE = ((anb.Stretch(), 0.3), (anb.DifferentialEvolution(), 0.7))
LINE = line_problem()


def run(problem: Any, seed: int = 2, **options: Any) -> anb.Result:
    """Run five temperatures of 32 walkers, for 2000 steps, unless told otherwise."""
    usual: dict[str, Any] = {
        "nwalkers": 32,
        "iterations": 2000,
        "burn": 500,
        "ntemps": 5,
    }
    arguments = {"path": None, "resume": False, "run_kw": None}
    given = {name: options.pop(name, value) for name, value in arguments.items()}
    sampler = anb.Tempered(**(usual | options))
    engine = anb.InferenceEngine(problem.analysis, problem.model, seed=seed)
    return engine.run(sampler=sampler, progress="none", **given)


def mean_and_error(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of (n, nwalkers, k) values of an ensemble, and its error."""
    steps = values.mean(axis=1, keepdims=True)
    size = effective_sample_size(steps, "mean")
    return values.mean(axis=(0, 1)), steps.std(axis=(0, 1)) / np.sqrt(size)


def line_evidence() -> float:
    """Return the log density of the data, a Gaussian: Bishop 2006, equation 2.115."""
    line = LINE.analysis
    design = np.stack([line.x, np.ones(len(line.x))], axis=1)
    covariance: Any = np.diag(line.yerr**2) + design @ np.diag([4.0, 1.0]) @ design.T
    return float(multivariate_normal(design @ [1.0, 0.0], covariance).logpdf(line.y))


# Every temperature


@pytest.fixture(scope="module")
def kept() -> anb.Result:
    """Return a run whose ladder stands still, with the draws of all of it."""
    return run(LINE, betas=BETAS, adaptive=False, keep_temperatures=True, moves=MIXTURE)


@pytest.mark.parametrize("place", range(len(BETAS)))
def test_every_temperature_has_its_own_distribution(kept: anb.Result, place: int):
    # a power of a Gaussian likelihood is one of larger noise
    prior_mean, prior_precision = np.array([1.0, 0.0]), np.diag([0.25, 1.0])
    precision = np.linalg.inv(LINE.covariance)
    tempered = prior_precision + BETAS[place] * (precision - prior_precision)
    pull = precision @ LINE.mean - prior_precision @ prior_mean
    covariance = np.linalg.inv(tempered)
    mean = covariance @ (prior_precision @ prior_mean + BETAS[place] * pull)
    inverse = np.linalg.inv(np.linalg.cholesky(covariance))
    normal = (kept.outcome.tempered["position"][:, place] - mean) @ inverse.T
    products = normal[..., :, None] * normal[..., None, :]
    for values, exact in (
        (normal, np.zeros(2)),
        (products.reshape(*normal.shape[:2], 4), np.eye(2).ravel()),
    ):
        found, error = mean_and_error(values)
        assert np.all(np.abs(found - exact) < 4 * error)
        assert np.all(error < 0.05)


def test_the_draws_are_those_of_the_coldest(kept: anb.Result):
    tempered = kept.outcome.tempered
    assert tempered["position"].shape == (2000, 5, 32, 2)
    np.testing.assert_array_equal(tempered["position"][:, 0], kept.draws)
    for name in ("lp", "log_likelihood"):
        np.testing.assert_array_equal(tempered[name][:, 0], kept.stats[name])
    np.testing.assert_array_equal(tempered["beta"], BETAS)
    hottest = tempered["position"][-1, -1]
    at = np.asarray(log_likelihoods(LINE.posterior, hottest))
    np.testing.assert_allclose(tempered["log_likelihood"][-1, -1], at)


def test_every_temperature_is_exported(kept: anb.Result):
    data = to_dataset(kept.idata, "tempered_posterior")
    assert dict(data["slope"].sizes) == {"temperature": 5, "chain": 32, "draw": 2000}
    assert data["slope"].dims == ("temperature", "chain", "draw")
    np.testing.assert_allclose(data["temperature"], [1, 1 / 0.3, 10, 50, np.inf])
    np.testing.assert_array_equal(data["beta"], BETAS)
    coldest = data.sel(temperature=1.0)
    np.testing.assert_array_equal(coldest["slope"], kept.draws[..., 0].T)
    np.testing.assert_array_equal(coldest["lp"], kept.stats["lp"].T)
    numbers = to_dataset(kept.idata, "step_stats")
    assert not [name for name in numbers if "tempered" in str(name)]
    assert numbers["swap_rate"].shape == (2000, 4)
    evidence = kept.log_evidence
    assert evidence is not None
    assert kept.idata.attrs["log_evidence"] == evidence.value


def test_every_temperature_is_saved_and_thinned(tmp_path: Path):
    path, thinned = tmp_path / "run", {"thin_by": 2}

    def short(iterations: int = 60, **options) -> anb.Result:
        return run(
            LINE,
            iterations=iterations,
            burn=40,
            betas=BETAS,
            keep_temperatures=True,
            moves=MIXTURE,
            **options,
        )

    short(30, path=path, run_kw=thinned)
    resumed = short(path=path, run_kw=thinned, resume=True)
    opened, whole = anb.open_run(path), short(120)
    for result in (resumed, opened):
        for name, values in whole.outcome.tempered.items():
            expected = values if name == "beta" else values[1::2]
            np.testing.assert_array_equal(result.outcome.tempered[name], expected)
        for name, values in whole.step_stats.items():
            np.testing.assert_array_equal(result.step_stats[name], values[1::2])
    assert opened.log_evidence == resumed.log_evidence is not None
    assert "slope" in to_dataset(opened.idata, "tempered_posterior")


def test_other_temperatures_are_kept_on_request_only():
    result = run(LINE, iterations=40, burn=0)
    assert result.outcome.tempered == {}
    assert not [name for name in result.step_stats if "tempered" in name]
    with pytest.raises(KeyError):
        to_dataset(result.idata, "tempered_posterior")


# The ladder


def test_the_ladder_comes_to_swap_uniformly_and_freezes():
    numbers = run(LINE, burn=1000).step_stats
    beta, rates = numbers["beta"], numbers["swap_rate"].mean(axis=0)
    assert np.all(beta == beta[0]), "it moves on after the burn-in"
    assert beta[0, 0] == 1.0 and beta[0, -1] == 0.0
    assert np.ptp(rates) < 0.1
    numbers = run(LINE, burn=1000, adaptive=False).step_stats
    geometric = np.array([1, 1 / 7, 1 / 49, 1 / 343, 0])
    np.testing.assert_allclose(numbers["beta"], np.tile(geometric, (2000, 1)))
    assert np.ptp(numbers["swap_rate"].mean(axis=0)) > 0.4


def test_without_burn_in_the_ladder_stays():
    beta = run(LINE, burn=0, iterations=50).step_stats["beta"]
    np.testing.assert_allclose(beta[-1], [1, 1 / 7, 1 / 49, 1 / 343, 0])


def test_swap_rates_are_shares_of_accepted_swaps():
    algorithm = anb.Tempered(ntemps=5, burn=30, iterations=30)
    posterior, key = LINE.posterior, jax.random.key(0)
    state = algorithm.init(posterior, key, draw_start(posterior, key, 32))
    assert algorithm.status(state).metrics == {}
    state, draws = algorithm.advance(posterior, state, 30)
    metrics, rates = algorithm.status(state).metrics, draws.step_stats["swap_rate"]
    assert metrics.keys() == {"acceptance_rate", "swap_rate"}
    assert metrics["swap_rate"] == pytest.approx(rates.mean())
    np.testing.assert_allclose(rates[:, 0], draws.stats["swapped"].mean(axis=1))


def test_few_swaps_are_told():
    rates = {"swap_rate": np.tile([0.3, 0.01, 0.2], (40, 1))}
    diagnostics = Diagnostics(
        names=[], columns={}, steps=40, stats={}, step_stats=rates, trouble=[]
    )
    (told,) = diagnostics.verdict
    assert "few swaps: 1.0 % between temperatures 2 and 3" in told


# The start


def first_position(algorithm: anb.Tempered, posterior, start: np.ndarray):
    return np.asarray(
        algorithm.init(posterior, jax.random.key(3), Start(start)).walkers.position
    )


def test_the_coldest_begin_at_the_start_and_the_others_at_prior_draws():
    start = LINE.mean + 1e-3 * np.random.default_rng(0).normal(size=(200, 2))
    algorithm = anb.Tempered(nwalkers=200, ntemps=3)
    position = first_position(algorithm, LINE.posterior, start)
    np.testing.assert_array_equal(position[0], start)
    hotter = position[1:].reshape(-1, 2)
    error = np.array([2.0, 1.0]) / np.sqrt(400)
    assert np.all(np.abs(hotter.mean(axis=0) - [1.0, 0.0]) < 4 * error)
    np.testing.assert_allclose(hotter.std(axis=0), [2.0, 1.0], rtol=0.15)
    assert len(np.unique(hotter, axis=0)) == 400


class Peak(anb.Analysis):
    """A likelihood that is 0 below an edge, and from there a Gaussian's."""

    def __init__(self, edge: float):
        super().__init__()
        self.edge = np.asarray(edge)

    def log_likelihood_function(self, instance):
        inside = -0.5 * ((instance.x - self.edge) / 0.1) ** 2
        return jnp.where(instance.x > self.edge, inside, -jnp.inf)


PEAK_MODEL = anb.Model(x=dist.Uniform(0.0, 1.0), y=dist.Uniform(0.0, 1.0))


def test_where_the_prior_rarely_has_a_likelihood_the_coldest_stand_in():
    posterior = anb.Posterior(Peak(1 - 1e-3), PEAK_MODEL)
    start = np.random.default_rng(1).uniform([1 - 1e-3, 0.0], 1.0, size=(100, 2))
    position = first_position(anb.Tempered(nwalkers=100), posterior, start)
    assert np.all(np.isfinite(log_likelihoods(posterior, position.reshape(-1, 2))))
    for one in position:
        assert len(np.unique(one, axis=0)) == 100, "walkers that stand together"
    assert np.any(position[1:] != start), "no prior draw at all"


# The evidence


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(3))
def test_the_evidence_of_the_line(method: str, seed: int):
    value, error = run(LINE, seed).outcome.log_evidence[method]
    assert abs(value - line_evidence()) < 3 * error
    assert error < 0.1


def test_a_likelihood_of_zero_does_not_bound_the_hottest():
    problem = anb.InferenceEngine(Peak(0.5), PEAK_MODEL)
    result = run(problem, keep_temperatures=True)
    # half of a Gaussian of sd 0.1, from an edge in the middle of the prior
    exact = np.log(0.1 * np.sqrt(2 * np.pi) / 2)
    for value, error in result.outcome.log_evidence.values():
        assert abs(value - exact) < 3 * error
        assert error < 0.15
    position = result.outcome.tempered["position"]
    assert np.all(position[:, :-1, :, 0] > 0.5)
    hottest = position[:, -1, :, :1]
    share, error = mean_and_error(hottest < 0.5)
    assert abs(share - 0.5) < 4 * error and error < 0.05
    assert np.all(np.isfinite(result.stats["lp"]))


@pytest.mark.slow
def test_the_evidence_is_of_the_prior_where_assertions_hold():
    model = PEAK_MODEL.with_assertions(upper=lambda instance: instance.x > 0.5)
    result = run(anb.InferenceEngine(Peak(0.5), model))
    exact = np.log(0.1 * np.sqrt(2 * np.pi))  # of a prior half as wide
    for value, error in result.outcome.log_evidence.values():
        assert abs(value - exact) < 3 * error
        assert error < 0.1


def test_the_result_tells_the_evidence_by_both_methods():
    result = run(LINE)
    told = repr(result)
    assert list(result.outcome.log_evidence) == METHODS
    assert result.log_evidence == result.outcome.log_evidence["stepping_stones"]
    for method in METHODS:
        assert f"by {method.replace('_', ' ')}" in told
        assert f"by {method.replace('_', ' ')}" in result._repr_html_()
    assert result.diagnostics().swap_rates == pytest.approx(
        result.step_stats["swap_rate"].mean(axis=0)
    )
    without = run(LINE, iterations=100, max_temperature=None)
    assert without.log_evidence is None and "evidence" not in repr(without)


# Modes


class Modes(anb.Analysis):
    """Gaussian modes of one width, at places and with weights of their own."""

    def __init__(self, places: np.ndarray, weights: np.ndarray, sd: float = 0.5):
        super().__init__()
        self.places, self.sd = places, np.asarray(sd)
        normalisation = places.shape[1] * np.log(sd * np.sqrt(2 * np.pi))
        self.log_weights = np.log(weights) - normalisation

    def log_likelihood_function(self, instance):
        squares = jnp.sum(((instance.p - self.places) / self.sd) ** 2, axis=-1)
        return jax.nn.logsumexp(self.log_weights - 0.5 * squares)


class FarModes:
    """Modes in a box of side 20, so far apart that no ensemble bridges them."""

    def __init__(self, places: np.ndarray, weights: list[float]):
        self.weights = np.array(weights)
        self.analysis: Any = Modes(places, self.weights)
        self.places, ndim = places, places.shape[1]
        self.model = anb.Model(p=dist.Uniform(-10.0, 10.0).expand([ndim]))
        self.log_evidence = -ndim * np.log(20.0)

    def shares(self, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the share of the draws nearest each mode, and its error."""
        apart = np.sum((draws[..., None, :] - self.places) ** 2, axis=-1)
        nearest = np.argmin(apart, axis=-1)[..., None] == np.arange(len(self.places))
        return mean_and_error(nearest.astype(float))


TWO = FarModes(np.array([[-4.0, -4.0], [4.0, 4.0]]), [0.7, 0.3])
FOUR = FarModes(
    6 * np.eye(4, 10) - 3 * np.eye(4, 10)[[1, 2, 3, 0]], [0.4, 0.3, 0.2, 0.1]
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "modes", [pytest.param(TWO, id="2-D, two"), pytest.param(FOUR, id="10-D, four")]
)
def test_modes_get_their_weights_where_the_plain_ensemble_fails(modes: FarModes):
    tempered = run(modes, nwalkers=80, burn=3000, iterations=5000, ntemps=8)
    engine = anb.InferenceEngine(modes.analysis, modes.model, seed=2)
    stretch = anb.Ensemble(moves="stretch")  # the default jumps between two
    plain = engine.run(80, 5000, 500, stretch, progress="none")
    shares, error = modes.shares(tempered.draws)
    norm = np.linalg.norm
    assert norm(shares - modes.weights) < 3 * norm(error) < 0.2
    assert norm(modes.shares(plain.draws)[0] - modes.weights) > 0.2
    for value, sigma in tempered.outcome.log_evidence.values():
        assert abs(value - modes.log_evidence) < 3 * sigma
        assert sigma < 0.15


# Many seeds


@pytest.mark.slow
@pytest.mark.parametrize(
    ("modes", "seeds"), [(TWO, 20), (FOUR, 15)], ids=["2-D, two", "10-D, four"]
)
def test_errors_are_calibrated_over_many_seeds(modes: FarModes, seeds: int):
    pulls: dict[str, list] = {name: [] for name in (*METHODS, "share")}
    for seed in range(seeds):
        result = run(modes, seed, nwalkers=80, iterations=5000, ntemps=8)
        for method, (value, error) in result.outcome.log_evidence.items():
            pulls[method].append((value - modes.log_evidence) / error)
        shares, error = modes.shares(result.draws)
        pulls["share"].append((shares[0] - modes.weights[0]) / error[0])
    for name, found in pulls.items():
        assert np.sqrt(np.mean(np.square(found))) < 1.5, name
        assert abs(np.mean(found)) < 3 / np.sqrt(len(found)) * 1.2, name


@pytest.mark.slow
def test_the_line_s_evidence_is_calibrated_over_many_seeds():
    """Stepping stones have no bias; that of the integral's rule is in its error."""
    runs = [run(LINE, seed).outcome.log_evidence for seed in range(60)]
    for method in METHODS:
        values, errors = np.array([found[method] for found in runs]).T
        pulls = (values - line_evidence()) / errors
        assert 0.7 < np.sqrt(np.mean(pulls**2)) < 1.35, method
        unbiased = method == "stepping_stones"
        assert abs(pulls.mean()) < (3 / np.sqrt(len(pulls)) if unbiased else 1)


# By name


def test_the_engine_takes_the_number_of_temperatures():
    engine = anb.InferenceEngine(LINE.analysis, LINE.model)
    result = engine.run(32, 40, 10, "tempered", ntemps=5, progress="none")
    assert result.algorithm == anb.Tempered(nwalkers=32, ntemps=5, burn=10)
    assert result.step_stats["beta"].shape == (40, 5)
    sampler = engine.set_sampler("tempered", 16, ntemps=3, keep_temperatures=True)
    assert sampler == anb.Tempered(nwalkers=16, ntemps=3, keep_temperatures=True)
    assert engine.set_start_positions().shape == (16, 2)


@pytest.mark.parametrize(
    ("sampler", "options", "told"),
    [
        ("ensemble", {"ntemps": 4}, r"expected options of Ensemble .*; got ntemps; "),
        ("tempered", {"ntemps": 1}, r"expected ntemps .* at least 2; got 1; "),
        ("tempered", {"nwalkers": 3}, r"expected nwalkers .*; got 3; "),
        (
            "tempered",
            {"sampler_kw": {"tmax": 10}},
            r"expected options of Tempered .*max_temperature.*; got tmax; ",
        ),
        (
            anb.Tempered(betas=[1, 0.5]),
            {"ntemps": 3},
            r"expected betas, or ntemps .*; got 2 betas, ntemps=3",
        ),
    ],
)
def test_what_cannot_be_is_refused_at_once(sampler, options: dict, told: str):
    engine = anb.InferenceEngine(LINE.analysis, LINE.model)
    with pytest.raises(ValueError, match=told):
        engine.run(sampler=sampler, progress="none", **options)


def test_a_likelihood_in_numpy_is_refused():
    problem = line_problem(use_jax=False)
    engine = anb.InferenceEngine(problem.analysis, problem.model)
    with pytest.raises(ValueError, match=r"in JAX .* Tempered; got use_jax=False; "):
        engine.run(sampler="tempered", progress="none")
