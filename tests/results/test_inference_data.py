"""ArviZ's groups, the same under both of its lines, and their way to a file."""

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from scipy import stats

import ampynb as anb
from ampynb.results import export
from ampynb.results.inference_data import to_dataset
from tests.helpers import Line, line_problem
from tests.results.builders import BENT, LINE, arviz, normal_draws, result_of

N_STEPS, N_WALKERS, N_DATA = 40, 3, 20
DRAWS = normal_draws(N_STEPS, N_WALKERS, ndim=4)
WARMUP = normal_draws(10, N_WALKERS, ndim=4, seed=9)
POSTERIOR = anb.Posterior(LINE.analysis, BENT)


@functools.cache
def container() -> Any:
    return result_of(DRAWS, POSTERIOR, warmup=WARMUP, seed=11).idata


def dataset(group: str) -> xr.Dataset:
    return to_dataset(container(), group)


# Group, variable, and the axes it has.
PLACES = {
    "posterior": ("slope", {"chain": N_WALKERS, "draw": N_STEPS}),
    "sample_stats": ("lp", {"chain": N_WALKERS, "draw": N_STEPS}),
    "prior": ("slope", {"chain": 1, "draw": 1000}),
    "warmup_posterior": ("slope", {"chain": N_WALKERS, "draw": 10}),
    "warmup_sample_stats": ("lp", {"chain": N_WALKERS, "draw": 10}),
    "observed_data": ("data", {"data_dim_0": N_DATA}),
    "constant_data": ("noise", {"noise_dim_0": N_DATA}),
    "log_likelihood": (
        "data",
        {"chain": N_WALKERS, "draw": N_STEPS, "data_dim_0": N_DATA},
    ),
    "posterior_predictive": (
        "data",
        {"chain": N_WALKERS, "draw": N_STEPS, "data_dim_0": N_DATA},
    ),
}


@pytest.mark.parametrize("group", PLACES)
def test_every_group_is_there_with_its_axes(group):
    name, sizes = PLACES[group]
    variable = dataset(group)[name]
    assert dict(variable.sizes) == sizes
    assert variable.dims == tuple(sizes)
    for axis, size in sizes.items():
        assert variable.coords[axis].values.tolist() == list(range(size))


@pytest.mark.parametrize(
    ("group", "draws"), [("posterior", DRAWS), ("warmup_posterior", WARMUP)]
)
def test_draws_are_in_their_places(group, draws):
    data = dataset(group)
    assert list(data.data_vars) == ["slope", "intercept", "weights"]
    for column, name in enumerate(["slope", "intercept"]):
        assert np.array_equal(data[name], draws[..., column].T)
    weights = data["weights"]
    assert weights.dims == ("chain", "draw", "weights_dim_0")
    assert weights.coords["weights_dim_0"].values.tolist() == [0, 1]
    assert np.array_equal(weights, np.moveaxis(draws[..., 2:], 1, 0))


@pytest.mark.parametrize("group", ["posterior", "prior", "warmup_posterior"])
def test_units_and_labels_are_attributes(group):
    data = dataset(group)
    attributes = {
        "slope": {"units": "mJy/d", "long_name": "m"},
        "intercept": {"units": "mJy", "long_name": "intercept"},
        "weights": {"units": "", "long_name": "weights"},
    }
    for name, expected in attributes.items():
        found = data[name].attrs
        assert {key: found.get(key) for key in expected} == expected


def test_the_pointwise_log_likelihood_sums_to_the_likelihood():
    by_datum = dataset("log_likelihood")["data"]
    result = result_of(DRAWS, POSTERIOR)
    expected = result.stats["log_likelihood"].T
    np.testing.assert_allclose(by_datum.sum("data_dim_0"), expected, rtol=1e-10)
    slope, intercept = DRAWS[5, 2, :2]
    line = LINE.analysis
    one = stats.norm.logpdf(line.y, slope * line.x + intercept, line.yerr)
    np.testing.assert_allclose(by_datum[2, 5], one, rtol=1e-10)


def test_data_and_noise_are_kept():
    assert np.array_equal(dataset("observed_data")["data"], LINE.analysis.y)
    assert np.array_equal(dataset("constant_data")["noise"], LINE.analysis.yerr)


def test_the_prior_group_is_of_the_prior():
    drawn = dataset("prior")["slope"].values.ravel()
    assert stats.kstest(drawn, stats.norm(1.0, 2.0).cdf).pvalue > 1e-3


def test_predictions_are_data_of_the_model():
    """All draws at one point: the predictions are its line and its noise."""
    n = 2000
    position = np.broadcast_to(LINE.mean, (n, 1, 2))
    data = to_dataset(result_of(position).idata, "posterior_predictive")["data"]
    line = LINE.analysis
    model = LINE.mean[0] * line.x + LINE.mean[1]
    assert np.all(np.abs(data.mean(("chain", "draw")) - model) < 5 * 0.5 / np.sqrt(n))
    np.testing.assert_allclose(
        data.std(("chain", "draw")), 0.5, rtol=5 / np.sqrt(2 * n)
    )


def test_the_run_is_described_by_attributes():
    attributes = container().attrs
    assert attributes["inference_library"] == "ampynb"
    assert attributes["inference_library_version"] == anb.__version__
    assert attributes["sampler"] == "scripted"
    assert attributes["seed"] == 11
    assert attributes["sampling_time"] == 1.5
    assert attributes["stop_reason"] == "completed"
    settings = json.loads(attributes["settings"])
    assert settings == {"nwalkers": N_WALKERS, "burn": 10, "iterations": N_STEPS}


def exact_loo() -> float:
    """Return the expected log predictive density of the line, each datum left out.

    With one datum left out the posterior is the known Gaussian of the others, and the
    datum's prediction is normal too.
    """
    line, precision = LINE.analysis, np.linalg.inv(LINE.covariance)
    total = 0.0
    for x, y, sd in zip(line.x, line.y, line.yerr, strict=True):
        row = np.array([x, 1.0])
        covariance = np.linalg.inv(precision - np.outer(row, row) / sd**2)
        mean = covariance @ (precision @ LINE.mean - row * y / sd**2)
        spread = np.sqrt(row @ covariance @ row + sd**2)
        total += stats.norm.logpdf(y, row @ mean, spread)
    return float(total)


def test_arviz_reads_the_draws():
    random = np.random.default_rng(2)
    draws = random.multivariate_normal(LINE.mean, LINE.covariance, size=(1500, 4))
    library, found = arviz(), result_of(draws).idata
    r_hat = library.rhat(found)["slope"]
    assert float(r_hat) == pytest.approx(1.0, abs=0.01)
    loo = library.loo(found, var_name="data")
    estimate = loo["elpd_loo"] if "elpd_loo" in dir(loo) else loo.elpd
    assert float(estimate) == pytest.approx(exact_loo(), abs=0.05)


def test_a_file_is_read_again(tmp_path: Path):
    result = result_of(DRAWS, POSTERIOR, warmup=WARMUP)
    path = result.to_netcdf(tmp_path / "folder" / "run.nc")
    assert path == tmp_path / "folder" / "run.nc"
    for group in PLACES:
        with xr.open_dataset(path, group=group, engine="h5netcdf") as read:
            xr.testing.assert_identical(read.load(), to_dataset(result.idata, group))
    again = arviz().from_netcdf(str(path))
    posterior = to_dataset(again, "posterior").load()
    assert np.array_equal(posterior["slope"], DRAWS[..., 0].T)
    assert posterior["slope"].attrs["units"] == "mJy/d"
    assert again.attrs["sampler"] == "scripted"


def groups_of(found: Any) -> set[str]:
    names = found.groups if isinstance(found.groups, tuple | list) else found.groups()
    return {name.strip("/") for name in names} - {""}


def test_without_burn_in_there_is_no_group_of_it():
    found = groups_of(result_of(DRAWS, POSTERIOR).idata)
    assert found == set(PLACES) - {"warmup_posterior", "warmup_sample_stats"}


def test_what_is_too_large_is_left_out_and_told(monkeypatch):
    monkeypatch.setattr(export, "MOST_BYTES", 8 * DRAWS[..., 0].size * N_DATA - 1)
    found = result_of(DRAWS, POSTERIOR).idata
    assert not {"log_likelihood", "posterior_predictive"} & groups_of(found)
    assert "log_likelihood" in found.attrs["left_out"]


def test_a_likelihood_in_numpy_has_its_draws():
    problem = line_problem(use_jax=False)
    draws = normal_draws(8, N_WALKERS)
    jax_result = result_of(draws)
    engine = anb.InferenceEngine(problem.analysis, problem.model)
    result = anb.Result(
        engine.posterior,
        jax_result.algorithm,
        _history(jax_result),
        seed=0,
        seconds=1.0,
        reason="completed",
    )
    assert groups_of(result.idata) == {"posterior", "sample_stats", "prior"}
    slope = to_dataset(result.idata, "posterior")["slope"]
    assert np.array_equal(slope, draws[..., 0].T)


def test_the_likelihood_of_all_data_is_not_taken_for_that_of_one():
    """Where a likelihood of single data is missing, ArviZ says so."""
    problem = line_problem(use_jax=False)
    posterior = anb.Posterior(problem.analysis, problem.model)
    made = outcome_of_ensemble(posterior)
    total = to_dataset(made.idata, "sample_stats")["total_log_likelihood"]
    np.testing.assert_array_equal(total, made.stats["log_likelihood"].T)
    with pytest.raises(Exception, match="log likelihood not found"):
        arviz().loo(made.idata)


class NumpyFit(anb.Analysis):
    def __init__(self):
        super().__init__(use_jax=False)

    def fit_from(self, instance):
        return anb.GaussianFit(np.arange(3.0), 1.0, instance.slope * np.arange(3.0))


def test_what_a_fit_in_numpy_has_not_is_told():
    found = outcome_of_ensemble(anb.Posterior(NumpyFit(), LINE.model)).idata
    assert "observed_data" in groups_of(found)
    assert found.attrs["left_out"].endswith("the likelihood is in NumPy")


def outcome_of_ensemble(posterior: anb.Posterior) -> anb.Result:
    engine = anb.InferenceEngine(posterior)
    return engine.run(nwalkers=8, iterations=20, burn=10, progress="none")


def _history(result: anb.Result) -> Any:
    from ampynb.algorithms.algorithm import SAMPLING, Draws
    from ampynb.results.history import History

    history = History()
    history.append(Draws(result.draws, dict(result.stats), SAMPLING))
    return history


# Fits of the user's own: each group is made from what there is


@dataclass(frozen=True)
class DataFit:
    data: Any
    model: Any

    @property
    def log_likelihood(self):
        return -0.5 * jnp.sum((self.data - self.model) ** 2)


class PredictingFit(DataFit):
    def predict(self, key):
        return self.model


class PointwiseFit(DataFit):
    @property
    def pointwise_log_likelihood(self):
        return -0.5 * (self.data - self.model) ** 2


class BareFit:
    def __init__(self, data, model):
        self.log_likelihood = -0.5 * jnp.sum((data - model) ** 2)


class OwnFit(Line):
    def __init__(self, kind, data):
        super().__init__(None, data, None)
        self.kind = kind

    def fit_from(self, instance):
        return self.kind(data=self.y, model=instance.slope * self.y)


OWN = {
    BareFit: set(),
    DataFit: {"observed_data"},
    PredictingFit: {"observed_data", "posterior_predictive"},
    PointwiseFit: {"observed_data", "log_likelihood"},
}


@pytest.mark.parametrize(("kind", "groups"), OWN.items())
def test_groups_are_made_from_what_a_fit_has(kind, groups):
    posterior = anb.Posterior(OwnFit(kind, np.arange(3.0)), LINE.model)
    found = groups_of(result_of(normal_draws(5), posterior).idata)
    assert found - {"posterior", "sample_stats", "prior"} == groups


def test_images_keep_their_axes():
    class Image(anb.Analysis):
        def __init__(self):
            super().__init__()
            self.image = np.arange(6.0).reshape(2, 3)

        def fit_from(self, instance):
            model = instance.slope * self.image
            return anb.GaussianFit(self.image, 2.0, model)

    posterior = anb.Posterior(Image(), LINE.model)
    found = result_of(normal_draws(5), posterior).idata
    assert to_dataset(found, "observed_data")["data"].shape == (2, 3)
    for group in ("log_likelihood", "posterior_predictive"):
        assert to_dataset(found, group)["data"].shape == (4, 5, 2, 3)
    assert "constant_data" not in groups_of(found)  # one number is no data


class Masked(Line):
    """A line of which some data are masked."""

    def __init__(self, x, y, yerr, mask):
        super().__init__(x, y, yerr)
        self.mask = mask

    def fit_from(self, instance):
        model = instance.slope * self.x + instance.intercept
        return anb.GaussianFit(self.y, self.yerr, model, mask=self.mask)


def test_masked_data_are_in_no_group():
    """LOO counts what is in the log likelihood's group, and ArviZ' plots the data."""
    x, y = LINE.analysis.x, LINE.analysis.y
    mask = np.arange(N_DATA) % 3 > 0
    noise = np.full(N_DATA, 0.5)
    analysis = Masked(x, np.where(mask, y, np.nan), noise, mask)
    draws = normal_draws(5, 2, ndim=LINE.model.ndim)
    result = result_of(draws, anb.Posterior(analysis, LINE.model))
    by_group = {
        group: np.asarray(to_dataset(result.idata, group)[name])
        for group, name in (
            ("observed_data", "data"),
            ("constant_data", "noise"),
            ("log_likelihood", "data"),
            ("posterior_predictive", "data"),
        )
    }
    np.testing.assert_array_equal(by_group["observed_data"], y[mask])
    np.testing.assert_array_equal(by_group["constant_data"], noise[mask])
    assert by_group["posterior_predictive"].shape == (2, 5, mask.sum())
    instances = map(
        LINE.model.instance_from_vector, np.swapaxes(draws, 0, 1).reshape(10, -1)
    )
    expected = [analysis.fit_from(one).pointwise_log_likelihood for one in instances]
    found = by_group["log_likelihood"].reshape(10, -1)
    np.testing.assert_allclose(found, np.asarray(expected)[:, mask])
