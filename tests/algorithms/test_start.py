"""Starts drawn from the prior."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.algorithms.start import draw_start, log_likelihoods
from tests.helpers import line_problem

MODEL = anb.Model(first=dist.Uniform(0.0, 1.0), second=dist.Uniform(0.0, 1.0))


class Corner(anb.Analysis):
    """A likelihood that is finite where both values lie below ``edge``."""

    def __init__(self, edge: float, outside: float = -np.inf, **kwargs):
        super().__init__(**kwargs)
        self.edge, self.outside = np.asarray(edge), np.asarray(outside)

    def log_likelihood_function(self, instance):
        array = jnp if self.use_jax else np
        inside = (instance.first < self.edge) & (instance.second < self.edge)
        return array.where(inside, -instance.first, self.outside)


def corner(edge: float, **options) -> anb.Posterior:
    return anb.Posterior(Corner(edge, **options), MODEL)


def start(posterior: anb.Posterior, n: int = 32, **options) -> np.ndarray:
    return draw_start(posterior, jax.random.key(1), n, **options).position


@pytest.mark.parametrize("use_jax", [True, False])
@pytest.mark.parametrize("n", [1, 4, 500])
def test_starts_are_finite_distinct_and_inside_the_prior(use_jax: bool, n: int):
    problem = line_problem(use_jax)
    position = start(problem.posterior, n)
    assert position.shape == (n, 2)
    assert len(np.unique(position, axis=0)) == n
    assert np.all(np.isfinite(log_likelihoods(problem.posterior, position)))


@pytest.mark.parametrize("use_jax", [True, False])
@pytest.mark.parametrize("outside", [-np.inf, np.nan])
def test_a_small_corner_is_found(use_jax: bool, outside: float):
    position = start(corner(0.25, outside=outside, use_jax=use_jax))  # 1 draw in 16
    assert position.shape == (32, 2)
    assert np.all(position < 0.25)
    assert len(np.unique(position, axis=0)) == 32


def test_a_seed_fixes_the_start():
    posterior = corner(0.25)
    np.testing.assert_array_equal(start(posterior), start(posterior))
    other = draw_start(posterior, jax.random.key(2), 32).position
    assert not np.any(start(posterior) == other)


def test_of_several_candidates_the_most_probable_is_taken():
    # ln L is minus the first value, uniform: the largest of 16 has mean -1 / 17.
    best = start(corner(2.0), n=400, candidates=16)[:, 0]
    any_one = start(corner(2.0), n=400)[:, 0]
    assert best.mean() == pytest.approx(1 / 17, abs=4 / 17 / 20)
    assert any_one.mean() == pytest.approx(1 / 2, abs=4 / np.sqrt(12) / 20)


def test_fewer_candidates_are_better_than_none():
    position = start(corner(0.2), n=32, candidates=16)  # 20 rounds find some 400 of 512
    assert position.shape == (32, 2) and np.all(position < 0.2)
    assert len(np.unique(position, axis=0)) == 32


def message(posterior: anb.Posterior) -> str:
    with pytest.raises(ValueError) as caught:
        start(posterior)
    told = str(caught.value)
    assert re.match(r"expected .* 32 or more .*; got .*; \w+", told), told
    return told


def test_too_small_a_corner_is_told_with_what_was_found():
    told = message(corner(0.1))  # 1 draw in 100
    numbers = re.search(r"got (\d+), .*at (\d+) of (\d+) draws", told)
    assert numbers is not None, told
    found, without, drawn = map(int, numbers.groups())
    assert found + without == drawn
    assert 0 < found < 32
    assert "start=" in told


@pytest.mark.parametrize("use_jax", [True, False])
def test_zero_probability_everywhere_is_told(use_jax: bool):
    told = message(corner(0.0, use_jax=use_jax))
    numbers = re.search(r"got 0, .*zero probability.*at (\d+) of (\d+)", told)
    assert numbers is not None, told
    assert numbers.group(1) == numbers.group(2)
    assert "prior" in told and "NaN" not in told


@pytest.mark.parametrize("use_jax", [True, False])
def test_nan_everywhere_is_told(use_jax: bool):
    told = message(corner(0.0, outside=np.nan, use_jax=use_jax))
    numbers = re.search(r"got 0, .*NaN at (\d+) of (\d+)", told)
    assert numbers is not None, told
    assert numbers.group(1) == numbers.group(2)
    assert "division by zero" in told


def test_an_infinite_likelihood_is_told():
    told = message(corner(0.0, outside=np.inf))
    assert re.search(r"\+inf|infinit", told), told
