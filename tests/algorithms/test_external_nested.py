"""What is particular to dynesty: its fits, its errors, and that it may be missing."""

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import numpyro.distributions as dist
import pytest
from scipy.stats import norm

import ampynb as anb
from ampynb.algorithms import external_nested
from ampynb.algorithms.algorithm import Outcome
from ampynb.algorithms.external_nested import DynestyNested
from tests.algorithms.cases import begin, chain, outcome
from tests.algorithms.test_nested import line_evidence
from tests.helpers import NumpyLine, line_problem

SMALL = DynestyNested(nwalkers=60)
SLOW = pytest.mark.slow


class NumpyBox(anb.Analysis):
    """A likelihood of one value within a box and another outside."""

    def __init__(self, outside: float):
        super().__init__(use_jax=False)
        self.outside = outside

    def log_likelihood_function(self, instance):
        return 1.0 if instance.x < 0.3 else self.outside


class HalfLine(NumpyLine):
    """The line where its slope is above 1.4, and nothing below."""

    def log_likelihood_function(self, instance):
        value = super().log_likelihood_function(instance)
        return value if instance.slope > 1.4 else np.nan


def assert_estimate(found: Outcome, expected: float) -> None:
    value, error = found.log_evidence["nested_sampling"]
    assert 0 < error < 0.4
    assert abs(value - expected) < 3 * error, f"{value} +- {error}, not {expected}"


@pytest.mark.parametrize(
    "sample",
    ["unif", *(pytest.param(one, marks=SLOW) for one in ("rslice", "rwalk", "slice"))],
)
def test_the_evidence_of_a_line(sample: str):
    problem = line_problem(use_jax=False)
    found = outcome(replace(SMALL, sample=sample), problem.posterior)
    assert_estimate(found, line_evidence(problem))


@pytest.mark.slow
def test_errors_of_the_evidence_are_its_scatter():
    problem = line_problem(use_jax=False)
    runs = [outcome(SMALL, problem.posterior, seed=seed) for seed in range(12)]
    values, errors = np.transpose([run.log_evidence["nested_sampling"] for run in runs])
    pulls = (values - line_evidence(problem)) / errors
    assert abs(pulls.mean()) < 3 / np.sqrt(len(pulls))
    assert pulls.std(ddof=1) == pytest.approx(1.0, abs=3 / np.sqrt(2 * len(pulls)))


@pytest.mark.slow
def test_an_infeasible_region_takes_its_share_of_the_prior():
    problem = line_problem(use_jax=False)
    line = problem.analysis
    half = HalfLine(line.x, line.y, line.yerr)
    above = norm.sf(1.4, problem.mean[0], problem.covariance[0, 0] ** 0.5)
    found = outcome(replace(SMALL, nwalkers=200), anb.Posterior(half, problem.model))
    assert_estimate(found, line_evidence(problem) + float(np.log(above)))
    assert np.all(found.position[..., 0] > 1.4)


@pytest.mark.parametrize("outside", [np.nan, -2.0])
def test_a_plateau_counts_by_the_points_that_are_on_it(outside: float):
    target = anb.Posterior(NumpyBox(outside), anb.Model(x=dist.Uniform(0.0, 1.0)))
    found = outcome(replace(SMALL, nwalkers=400), target)
    below = 0.0 if np.isnan(outside) else 0.7 * np.exp(outside)
    assert_estimate(found, np.log(0.3 * np.exp(1.0) + below))
    assert found.trouble == ()


def test_ellipsoids_are_fitted_when_the_cube_is_too_large_and_now_and_then():
    target = line_problem(use_jax=False).posterior
    state, fitted = begin(SMALL, target), []
    while not SMALL.status(state).done:
        state, _ = SMALL.advance(target, state, 1)
        fitted.append(state.bound_step)
    assert fitted[0] == -1
    assert len(set(fitted)) > 3
    # drawn from the cube alone, the last points would take exp(9) evaluations each
    assert state.evaluations < 100 * state.step * SMALL.n_replaced


def test_ellipsoids_that_are_fitted_again_give_the_same_chain():
    target = line_problem(use_jax=False).posterior
    sampler = replace(SMALL, sample="unif", iterations=60)
    kept = chain(sampler, target, 60)
    parts, state = [], begin(sampler, target)
    while not sampler.status(state).done:
        external_nested._ellipsoids.cache_clear()
        state, draws = sampler.advance(target, state, 9)
        parts.append(draws.position)
    np.testing.assert_array_equal(np.concatenate(parts)[:60], kept["position"])


def test_an_error_of_the_likelihood_is_raised_and_not_printed(capsys):
    class Failing(NumpyLine):
        calls = 0

        def log_likelihood_function(self, instance):
            Failing.calls += 1
            if Failing.calls > 150:
                raise RuntimeError("the user's own error")
            return super().log_likelihood_function(instance)

    problem = line_problem(use_jax=False)
    line = problem.analysis
    target = anb.Posterior(Failing(line.x, line.y, line.yerr), problem.model)
    with pytest.raises(RuntimeError, match="the user's own error"):
        chain(SMALL, target, 10)
    assert capsys.readouterr() == ("", "")


def test_dynesty_that_is_missing_is_told_with_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "dynesty", None)
    problem = line_problem(use_jax=False)
    engine = anb.InferenceEngine(problem.analysis, problem.model)
    with pytest.raises(ImportError, match=r"pip install 'ampynb\[dynesty\]'"):
        engine.run(sampler="nested", progress="none")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sample": "uniform"}, r"sample among .*'rslice'; got 'uniform'; 'auto'"),
        ({"burn": 5}, r"no burn .* got burn=5; leave it out"),
        ({"dlogz": -1.0}, r"dlogz above 0; got -1\.0"),
    ],
)
def test_options_that_cannot_be_are_refused(options: Any, words: str):
    with pytest.raises(ValueError, match=words):
        DynestyNested(**options)


@pytest.mark.slow
def test_the_name_stands_for_it_where_the_likelihood_is_numpy():
    problem = line_problem(use_jax=False)
    engine = anb.InferenceEngine(problem.analysis, problem.model, seed=4)
    result = engine.run(100, sampler="nested", progress="none")
    assert isinstance(result.algorithm, DynestyNested)
    value, error = result.log_evidence or (np.nan, np.nan)
    assert abs(value - line_evidence(problem)) < 3 * error
