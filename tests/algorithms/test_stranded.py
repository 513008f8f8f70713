"""Walkers that begin, or stay, where there is no posterior."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.algorithms.algorithm import Start
from ampynb.algorithms.stranded import (
    Moved,
    bound,
    looks,
    pulled_in,
    stranded,
    until_next_look,
)
from tests.algorithms.cases import chunks
from tests.helpers import line_problem

WIDTH = 1e-4
PRIOR = anb.Model(a=dist.Normal(0.0, 10.0), b=dist.Normal(0.0, 10.0))


class Cut(anb.Analysis):
    """A unit Gaussian at (1, 0), cut at a = 0."""

    def log_likelihood_function(self, instance):
        where = (jnp if self.use_jax else np).where
        inside = -0.5 * ((instance.a - 1) ** 2 + instance.b**2)
        return where(instance.a > 0, inside, -np.inf)


class Plateau(anb.Analysis):
    """A narrow Gaussian at the origin above a plateau that leads nowhere."""

    def log_likelihood_function(self, instance):
        np_ = jnp if self.use_jax else np
        squared = (instance.a**2 + instance.b**2) / WIDTH**2
        return np_.logaddexp(-0.5 * squared, -200.0)


def half_outside(seed: int = 0) -> np.ndarray:
    start = np.random.default_rng(seed).normal(size=(16, 2))
    start[:8, 0] = -5 - np.abs(start[:8, 0])
    start[8:, 0] = 1 + 0.1 * start[8:, 0]
    return start


def half_on_the_plateau() -> np.ndarray:
    start = WIDTH * np.random.default_rng(0).normal(size=(16, 2))
    start[:4] = 8 + start[:4]
    return start


def run(analysis: anb.Analysis, start: Any, **options: Any) -> anb.Result:
    engine = anb.InferenceEngine(analysis, PRIOR, seed=1)
    return engine.run(nwalkers=16, start=start, progress="none", **options)


@pytest.mark.parametrize("use_jax", [True, False], ids=["JAX", "NumPy"])
def test_walkers_that_begin_at_zero_probability_are_moved(use_jax: bool):
    result = run(Cut(use_jax=use_jax), half_outside(), burn=500, iterations=2000)
    a = result.draws[..., 0]
    # with the prior, by quadrature
    assert a.mean() == pytest.approx(1.278, abs=0.12)
    assert a.std() == pytest.approx(0.789, abs=0.08)
    assert np.all(np.isfinite(result.stats["lp"]))
    assert result.verdict() == []
    assert "8 of 16 walkers moved at the start" in repr(result)


@pytest.mark.parametrize("use_jax", [True, False], ids=["JAX", "NumPy"])
def test_stranded_walkers_are_restarted_in_the_burn_in(use_jax: bool):
    start = half_on_the_plateau()
    result = run(Plateau(use_jax=use_jax), start, burn=400, iterations=1500)
    assert "4 of 16 walkers restarted near the others in the burn-in" in repr(result)
    assert not any("stranded" in line for line in result.verdict())
    for element in np.moveaxis(result.draws, -1, 0):
        assert element.std() == pytest.approx(WIDTH, rel=0.15)


@pytest.mark.parametrize("use_jax", [True, False], ids=["JAX", "NumPy"])
def test_stranded_walkers_are_named_where_there_is_no_burn_in(use_jax: bool):
    start = half_on_the_plateau()
    result = run(Plateau(use_jax=use_jax), start, burn=0, iterations=100)
    (line,) = [line for line in result.verdict() if "stranded" in line]
    assert line.startswith("stranded: 4 of 16 walkers")
    assert "walker 1 19" in line and "walker 4 19" in line and "walker 5" not in line
    assert "below" in line


@pytest.mark.slow
def test_a_chain_that_is_stranded_is_named():
    start = half_on_the_plateau()[[0, 8, 9, 10]]
    engine = anb.InferenceEngine(Plateau(), PRIOR, seed=1)
    result = engine.run(4, 100, 100, start=start, sampler="nuts", progress="none")
    told = [line for line in result.verdict() if line.startswith("stranded: 1 of 4")]
    assert len(told) == 1 and "chain 1" in told[0]


def test_a_restart_does_not_depend_on_chunks():
    posterior = anb.Posterior(Plateau(), PRIOR)
    algorithm = anb.Ensemble(nwalkers=16, burn=60, iterations=40)
    start = Start(half_on_the_plateau())
    made = [
        np.concatenate(
            [
                draws.position
                for _, draws in chunks(algorithm, posterior, n, start=start)
            ]
        )
        for n in (1, 7, 100)
    ]
    for other in made[1:]:
        np.testing.assert_array_equal(other, made[0])


def test_a_run_over_a_restart_is_continued_to_the_same_chain(tmp_path):
    def part(iterations: int, **more: Any) -> anb.Result:
        analysis = Plateau(use_jax=False)
        options = {"burn": 60, "iterations": iterations, **more}
        return run(analysis, half_on_the_plateau(), **options)

    whole = part(40)
    path = tmp_path / "run"
    part(10, path=path)
    again = part(40, path=path, resume=True)
    np.testing.assert_array_equal(again.draws, whole.draws)
    assert again.history.remarks == whole.history.remarks != ()
    assert anb.open_run(path).history.remarks == whole.history.remarks


def test_a_usual_run_restarts_none():
    problem = line_problem()
    engine = anb.InferenceEngine(problem.analysis, problem.model, seed=3)
    result = engine.run(16, 200, 200, start=problem.mean, progress="none")
    assert result.history.remarks == ()


@pytest.mark.parametrize("ndim", [1, 2, 10, 50])
def test_no_sample_of_a_gaussian_is_stranded(ndim: int):
    squared = np.random.default_rng(0).chisquare(ndim, size=100_000)
    assert not stranded(-0.5 * squared, ndim).any()
    far = np.append(-0.5 * squared[:15], -0.5 * ndim - 3 * bound(ndim) - ndim)
    np.testing.assert_array_equal(np.flatnonzero(stranded(far, ndim)), [15])


def test_zero_probability_is_stranded_also_where_most_are():
    values = np.full(16, -np.inf)
    assert not stranded(values, 2).any()  # there is none to go to
    values[3] = -1.0
    np.testing.assert_array_equal(stranded(values, 2), np.arange(16) != 3)


def test_walkers_that_are_pulled_in_span_all_directions():
    # three of four on one line, the fourth far from it
    position = np.array([[0.0, 0.0], [0.1, 0.1], [0.2, 0.2], [50.0, -50.0]])

    def densities(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(len(vectors)), -0.5 * np.sum(vectors**2, axis=1)

    begin = Moved(position, *densities(position))
    lost = np.array([False, False, False, True])
    moved = pulled_in(densities, begin, lost, 2)
    np.testing.assert_array_equal(moved.position[:3], position[:3])
    assert np.linalg.matrix_rank(moved.position - moved.position.mean(axis=0)) == 2
    assert moved.log_likelihood[3] > -bound(2) - 1
    np.testing.assert_allclose(moved.log_likelihood, densities(moved.position)[1])


def test_the_looks_lie_within_the_burn_in():
    assert looks(10) == ()
    assert looks(1000) == (500, 750)
    assert [until_next_look(1000, step, 400) for step in (0, 400, 500, 749, 750)] == [
        400,
        100,
        250,
        1,
        400,
    ]
