"""The engine by AMPy's names: what its users call, and what they get.

Source: the documentation and the code of AMPy 0.1.0, whose ``InferenceEngine`` has
``ndim, sampler, burn_chain, set_sampler, set_start_positions, run`` and ``summary``,
and in the same module functions of the posterior.
"""

import inspect
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats

import ampynb as anb
from ampynb.algorithms.external import EmceeEnsemble
from ampynb.algorithms.scripted import Scripted
from ampynb.inference.engine import (
    log_likelihood_model,
    log_posterior_model,
    log_prior_model,
)
from tests.helpers import bounded_problem, line_problem
from tests.inference.broken_runs import LINE, engine_of, run, run_to

SCRIPT = Scripted(nwalkers=3, burn=20, iterations=60)
POINT = np.array([1.4, -0.3])


# run


def test_run_takes_ampy_s_arguments_in_their_order():
    names = list(inspect.signature(anb.InferenceEngine.run).parameters)
    assert names[1:10] == [
        *("nwalkers", "iterations", "burn", "sampler", "workers", "ntemps"),
        *("sampler_kw", "run_kw", "resume"),
    ]
    start = inspect.signature(anb.InferenceEngine.start).parameters
    assert list(start) == names
    assert all(
        start[name].default == parameter.default
        for name, parameter in inspect.signature(
            anb.InferenceEngine.run
        ).parameters.items()
    )


def test_all_arguments_by_position():
    engine = engine_of()
    kw, run_kw = {"moves": anb.Stretch(a=2.5)}, {"thin_by": 2}
    result = engine.run(8, 20, 10, "ensemble", None, None, kw, run_kw, False)
    assert result.draws.shape == (20, 8, 2)
    assert result.warmup.shape == (10, 8, 2)
    assert "a=2.5" in repr(engine.sampler)


@pytest.mark.parametrize(
    "run_kw", [{"progress": True}, {"skip_initial_state_check": 1}]
)
def test_run_kw_that_do_not_exist_are_named(run_kw: dict):
    with pytest.raises(
        ValueError,
        match=r"expected run_kw of thin_by, .*; got .*; options of the sampler",
    ):
        run(engine_of(), SCRIPT, run_kw=run_kw)


@pytest.mark.parametrize("thin_by", [0, -1, 2.5, "2", True])
def test_one_in_a_whole_number_of_steps_is_kept(thin_by: Any):
    with pytest.raises(ValueError, match=r"expected thin_by as a whole number .*; got"):
        run(engine_of(), SCRIPT, run_kw={"thin_by": thin_by})


def test_temperatures_are_for_the_tempered_sampler():
    with pytest.raises(
        ValueError, match=r"expected options of Ensemble .*; got ntemps"
    ):
        engine_of().run(8, 10, 0, ntemps=4, progress="none")


# ndim, sampler, burn_chain


def test_ndim_counts_free_elements():
    model = anb.Model(a=dist.Normal(0, 1), b=dist.Normal(0, 1).expand([3]), c=2.0).tie(
        c="a"
    )
    assert anb.InferenceEngine(LINE.analysis, model).ndim == 4


def test_the_sampler_is_that_of_the_last_run():
    engine = engine_of()
    assert engine.sampler is None
    run(engine, SCRIPT, nwalkers=5)
    assert isinstance(engine.sampler, Scripted) and engine.sampler.nwalkers == 5
    engine.run(8, 5, 5, progress="none")
    assert isinstance(engine.sampler, anb.Ensemble)


def test_the_burn_chain_is_kept_apart():
    engine = engine_of()
    assert engine.burn_chain is None
    result = run(engine, SCRIPT)
    np.testing.assert_array_equal(engine.burn_chain, result.warmup)
    assert result.warmup.shape == (20, 3, 2)
    run(engine, SCRIPT, burn=0)
    assert engine.burn_chain is None


def test_the_burn_chain_of_a_saved_run_is_kept_when_it_is_resumed(tmp_path: Path):
    whole = run(engine_of(), SCRIPT)
    run(engine_of(), SCRIPT, iterations=5, path=tmp_path / "run")
    engine = engine_of()
    run(engine, SCRIPT, path=tmp_path / "run", resume=True)
    np.testing.assert_array_equal(engine.burn_chain, whole.warmup)


# set_sampler, set_start_positions


@pytest.mark.parametrize(
    ("sampler", "use_jax", "kind"),
    [
        ("ensemble", True, anb.Ensemble),
        ("ensemble", False, EmceeEnsemble),
        ("nuts", True, anb.NUTS),
        (anb.NUTS(target_accept=0.9), True, anb.NUTS),
    ],
    ids=str,
)
def test_set_sampler_configures_one(sampler: Any, use_jax: bool, kind: type):
    engine = engine_of(line_problem(use_jax))
    made = engine.set_sampler(sampler, 8, None)
    assert engine.sampler is made
    assert type(made) is kind and made.nwalkers == 8


def test_set_sampler_takes_options_and_a_pool():
    engine, pool = engine_of(line_problem(use_jax=False)), Pool()
    moves = anb.DifferentialEvolution()
    made: Any = engine.set_sampler("ensemble", nwalkers=12, pool=pool, moves=moves)
    assert made.pool is pool
    assert made.moves == ((moves, 1.0),)


class Pool:
    """Anything with a map."""

    def map(self, function: Any, values: Any) -> Any:
        return map(function, values)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"sampler": "emcee3"}, "expected a sampler among"),
        ({"sampler": "ensemble", "nwalkers": 3}, "twice the number of free parameters"),
        ({"sampler": "ensemble", "step_size": 1}, "got step_size"),
        ({"sampler": "ensemble", "pool": Pool()}, "got pool"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value,
)
def test_set_sampler_refuses_what_cannot_be(options: dict, told: str):
    with pytest.raises(ValueError, match=told):
        engine_of().set_sampler(**options)


def test_start_positions_are_finite_distinct_and_those_that_the_run_begins_with():
    problem = bounded_problem()
    engine = engine_of(problem)
    engine.set_sampler("ensemble", 40)
    position = engine.set_start_positions()
    assert position.shape == (40, 2)
    assert len(np.unique(position, axis=0)) == 40
    low, high = problem.model.bounds.T
    assert np.all((position > low) & (position < high))
    densities = [engine.posterior.log_posterior(row) for row in position]
    assert np.all(np.isfinite(densities))
    np.testing.assert_array_equal(position, engine.set_start_positions())
    first = engine.run(40, 1, 0, progress="none").draws[0]
    given = engine.run(40, 1, 0, start=position, progress="none").draws[0]
    np.testing.assert_array_equal(first, given)
    assert np.any(np.all(first == position, axis=1)), "a walker that has not moved yet"


def test_start_positions_need_a_sampler():
    with pytest.raises(
        ValueError, match=r"expected set_sampler\(...\) before .*; got no sampler; or"
    ):
        engine_of().set_start_positions()


def test_start_positions_of_a_former_run_are_its_last():
    engine = engine_of()
    with pytest.raises(
        ValueError, match=r"expected a former run .*; got none that has"
    ):
        engine.set_start_positions(resume=True)
    run_to(engine, SCRIPT, 1)
    np.testing.assert_array_equal(engine.set_start_positions(True), warmup_of(engine))
    result = run(engine, SCRIPT, resume=True)
    last = engine.set_start_positions(resume=True)
    np.testing.assert_array_equal(last, result.draws[-1])


def warmup_of(engine: anb.InferenceEngine) -> np.ndarray:
    assert engine.burn_chain is not None
    return engine.burn_chain[-1]


def test_start_positions_where_thinning_has_left_no_draw_are_of_the_burn_in():
    engine = engine_of()
    run_to(engine, SCRIPT, 21, run_kw={"thin_by": 50})
    position = engine.set_start_positions(resume=True)
    assert position.shape == (3, 2)


# summary


def test_the_summary_has_ampy_s_names():
    engine = engine_of()
    result = run(engine, SCRIPT, run_kw={"thin_by": 3})
    told = engine.summary()
    assert set(told) == {
        *("sampler", "burn_iters", "prod_iters", "nwalkers", "nmap_idx", "nmap_val")
    }
    assert told["sampler"] == "scripted"
    assert (told["burn_iters"], told["prod_iters"]) == (20, 60)
    assert told["nwalkers"] == 3
    density = result.stats["lp"].reshape(-1)
    assert told["nmap_idx"] == int(np.argmax(density))
    assert told["nmap_val"] == pytest.approx(-2 * density.max())
    best = result.flat_draws[told["nmap_idx"]]
    assert -0.5 * np.sum(best**2) == pytest.approx(density.max())
    assert all(type(value) in (str, int, float) for value in told.values())


def test_the_summary_of_a_sampler_of_the_posterior():
    engine = engine_of()
    result = engine.run(8, 50, 10, progress="none")
    told = engine.summary()
    assert told["sampler"] == "ensemble"
    best = result.flat_draws[told["nmap_idx"]]
    at_best = float(engine.posterior.log_posterior(best))
    assert told["nmap_val"] == pytest.approx(-2 * at_best)


def test_without_draws_there_is_nothing_to_sum_up():
    engine = engine_of()
    with pytest.raises(RuntimeError, match=r"expected a run to sum up; got none; call"):
        engine.summary()
    run_to(engine, Scripted(burn=10**6), 1)
    with pytest.raises(RuntimeError, match=r"expected draws to sum up; got none after"):
        engine.summary()


# The functions of the posterior


def exact(theta: np.ndarray) -> tuple[float, float]:
    analysis = LINE.analysis
    predicted = theta[0] * analysis.x + theta[1]
    likelihood = stats.norm.logpdf(analysis.y, predicted, analysis.yerr).sum()
    prior = stats.norm.logpdf(theta, [1.0, 0.0], [2.0, 1.0]).sum()
    return float(prior), float(likelihood)


@pytest.mark.parametrize("use_jax", [True, False])
def test_the_posterior_by_its_parts(use_jax: bool):
    problem = line_problem(use_jax)
    prior, likelihood = exact(POINT)
    analysis, model = problem.analysis, problem.model
    assert log_prior_model(POINT, model) == pytest.approx(prior)
    assert log_likelihood_model(POINT, analysis, model) == pytest.approx(likelihood)
    both = log_posterior_model(POINT, analysis, model)
    assert both == pytest.approx(prior + likelihood)


def test_they_are_compiled_and_differentiated():
    gradient = jax.jit(jax.grad(log_posterior_model), static_argnums=(1, 2))
    found = gradient(jnp.asarray(POINT), LINE.analysis, LINE.model)
    expected = np.linalg.solve(LINE.covariance, LINE.mean - POINT)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_collection_is_a_model():
    priors = anb.Collection(slope=dist.Normal(1, 2), intercept=dist.Normal(0, 1))
    assert log_prior_model(POINT, priors) == pytest.approx(exact(POINT)[0])


class Counting(anb.Analysis):
    """A likelihood in NumPy that counts its calls."""

    def __init__(self, value: float = 0.0):
        super().__init__(use_jax=False)
        self.calls, self.value = 0, value

    def log_likelihood_function(self, instance):
        self.calls += 1
        return self.value


def test_outside_the_prior_the_likelihood_is_not_asked():
    analysis, model = Counting(), bounded_problem().model
    outside = np.array([1.5, 0.5])
    assert log_prior_model(outside, model) == -np.inf
    assert log_posterior_model(outside, analysis, model) == -np.inf
    assert analysis.calls == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_likelihood_that_is_not_finite_is_zero_probability(value: float):
    model = bounded_problem().model
    inside = np.array([0.5, 0.5])
    assert log_likelihood_model(inside, Counting(value), model) == -np.inf
    assert log_posterior_model(inside, Counting(value), model) == -np.inf


@pytest.mark.parametrize("theta", [[1.0], [1.0, 2.0, 3.0], 1.0, [[1.0, 2.0]]])
def test_a_vector_of_another_length_is_refused(theta: Any):
    for call in (
        lambda: log_likelihood_model(np.array(theta), LINE.analysis, LINE.model),
        lambda: log_posterior_model(np.array(theta), LINE.analysis, LINE.model),
        lambda: log_prior_model(np.array(theta), LINE.model),
    ):
        with pytest.raises(ValueError, match="expected"):
            call()
