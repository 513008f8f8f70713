"""Parameters that wrap, in everything that sums up draws."""

import json
import pickle
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.results.export import inference_data
from ampynb.results.inference_data import to_dataset
from tests.results.builders import autoregressive_draws, result_of

TURN = 2 * np.pi


class Angle(anb.Analysis):
    LATENT_KEYS: ClassVar[Any] = {"double": anb.Latent(period=TURN)}

    def log_likelihood_function(self, instance):
        return 8 * jnp.cos(instance.angle - 0.05) - 0.5 * instance.x**2

    def compute_latent_variables(self, vector, model):
        return {"double": 2 * model.instance_from_vector(vector).angle % TURN}


MODEL = anb.Model(
    angle=anb.Parameter(dist.Uniform(0.0, TURN), label=r"\phi", period=TURN),
    x=dist.Normal(0.0, 1.0),
)
POSTERIOR = anb.Posterior(Angle(), MODEL)
LINE = 0.05 + 0.3 * autoregressive_draws(800, 0.3, nwalkers=4)
WRAPPED = np.stack([LINE[..., 0] % TURN, LINE[..., 1]], axis=-1)


@pytest.fixture(scope="module")
def result() -> anb.Result:
    return result_of(WRAPPED, POSTERIOR)


def test_the_table_is_that_of_draws_on_a_line(result):
    table = result.summary()
    truth = LINE[..., 0].ravel()
    row = table.loc["angle"]
    for name, value in {
        "mean": truth.mean(),
        "sd": truth.std(ddof=1),
        "median": np.median(truth),
        "q05": np.quantile(truth, 0.05),
        "q95": np.quantile(truth, 0.95),
    }.items():
        np.testing.assert_allclose(row[name], value, atol=1e-9, err_msg=name)
    assert row["r_hat"] < 1.02 and row["ess_bulk"] > 1000 and row["ess_tail"] > 1000
    double = table.loc["double"]
    np.testing.assert_allclose(double["mean"], 2 * truth.mean(), atol=0.02)
    np.testing.assert_allclose(double["sd"], 2 * truth.std(), rtol=0.02)
    assert result.verdict() == []


def test_intervals_medians_and_covariance_are_in_one_piece(result):
    low, high = result.values_at_sigma(1)["angle"]
    assert low < 0 < high
    below, above = result.errors_at_sigma(1)["angle"]
    np.testing.assert_allclose([below, above], 0.3, atol=0.03)
    np.testing.assert_allclose(result.covariance[0, 0], 0.09, atol=0.01)
    element = result.samples_summary.elements["angle"]
    np.testing.assert_allclose(element.median, 0.05, atol=0.03)
    edges = result.values_at_sigma(1, as_instance=True)
    assert all(0 <= edge.angle <= TURN for edge in edges)


def test_chains_on_either_side_of_the_circle_have_not_converged():
    position = WRAPPED.copy()
    position[:, ::2, 0] = (position[:, ::2, 0] + np.pi) % TURN
    result = result_of(position, POSTERIOR)
    assert result.summary().loc["angle", "r_hat"] > 1.5
    assert "R-hat of angle" in " ".join(result.verdict())


def test_an_ensemble_is_judged_on_the_circle():
    result = result_of(WRAPPED, POSTERIOR, independent=False)
    line = result_of(LINE, POSTERIOR, independent=False)
    tau, same = (r.summary().loc["angle", "tau"] for r in (result, line))
    np.testing.assert_allclose(tau, same, rtol=0.2)


def test_the_next_models_priors_are_around_the_median(result):
    for model in (
        result.model_centred,
        result.projected_model,
        result.model_centred_absolute(0.3),
    ):
        prior = model.prior_of("angle")
        assert model.periods[0] == TURN
        low, high = model.prior_interval(0.683)[0]
        np.testing.assert_allclose([low, high], [-0.25, 0.35], atol=0.04)
        np.testing.assert_allclose(prior.log_prob(0.05), -np.log(0.3 * 2.507), atol=0.1)


def test_the_export_marks_what_wraps(result):
    data = inference_data(result)
    posterior = to_dataset(data, "posterior")
    assert posterior["angle"].attrs["period"] == TURN
    assert "period" not in posterior["x"].attrs
    assert json.loads(data.attrs["circ_var_names"]) == ["angle"]


def test_a_mode_over_the_seam_is_drawn_whole(result):
    panel = result.corner(truths=[0.05 + TURN, None]).axes[0]
    low, high = panel.get_xlim()
    assert -2 < low < -0.5 and 0.5 < high < 2
    trace = result.trace().axes[0]
    assert np.ptp(trace.get_ylim()) < 5
    moved = np.stack([(WRAPPED[..., 0] + 3) % TURN, WRAPPED[..., 1]], axis=-1)
    shifted = result_of(moved, POSTERIOR)
    both = anb.corner({"first": result, "other": shifted}).axes[0]
    assert np.ptp(both.get_xlim()) < TURN


def test_the_maximum_is_found_across_the_seam(result):
    start = WRAPPED.copy()
    start[..., 0] = 6.1
    found = result_of(start + 0.01 * LINE, POSTERIOR).maximise()
    np.testing.assert_allclose(found.vector[0], 0.05, atol=1e-4)


def test_a_copy_knows_the_periods(result):
    again = pickle.loads(pickle.dumps(result))
    np.testing.assert_array_equal(again.history.periods, MODEL.periods)
