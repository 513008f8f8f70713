"""Ladders of temperatures: where they begin, how they adapt, and what they refuse."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import ampynb as anb
from ampynb.algorithms.ladder import Adaptation, adapted, geometric_step, make_ladder

FAST = Adaptation(time=1.0, lag=100.0, until=1000.0)
BETA = np.array([1.0, 0.4, 0.1, 0.01])


@pytest.mark.parametrize(
    ("ndim", "step"), [(1, 25.27), (2, 7.0), (5, 3.02), (10, 2.126)]
)
def test_the_step_is_that_of_the_tables(ndim: int, step: float):
    # as in emcee 2 and ptemcee, which tabulate it
    assert geometric_step(ndim) == pytest.approx(step, rel=2e-3)


@pytest.mark.parametrize("ndim", [1, 4, 50])
def test_a_quarter_of_a_gaussian_s_swaps_is_accepted(ndim: int):
    # -2 ln L of a Gaussian at inverse temperature beta is chi squared over beta
    cold, hot = -0.5 * np.random.default_rng(0).chisquare(ndim, size=(2, 400_000))
    step = geometric_step(ndim)
    log_ratio = (1 - 1 / step) * (step * hot - cold)
    rate = np.minimum(1.0, np.exp(np.minimum(log_ratio, 0.0))).mean()
    assert rate == pytest.approx(0.25, abs=0.003)


def test_the_ladder_goes_as_far_as_it_is_told():
    step = geometric_step(2)
    finite = step ** -np.arange(8.0)
    np.testing.assert_allclose(make_ladder(2, 4, None), finite[:4])
    np.testing.assert_allclose(make_ladder(2, None, None), finite)
    np.testing.assert_allclose(make_ladder(2, 4, np.inf), [*finite[:3], 0.0])
    np.testing.assert_allclose(make_ladder(2, 2, np.inf), [1.0, 0.0])
    assert len(make_ladder(2, None, np.inf)) == 8
    np.testing.assert_allclose(make_ladder(2, 3, 100.0), [1.0, 0.1, 0.01])
    needed = make_ladder(2, None, 100.0)  # 7 * 7 < 100 < 7 * 7 * 7
    np.testing.assert_allclose(needed, np.geomspace(1.0, 0.01, 4))


def test_betas_are_taken_as_they_are():
    assert anb.Tempered(betas=[1, 0.5, 0]).ladder(ndim=3).tolist() == [1.0, 0.5, 0.0]


def after(beta, swap_rate, step: int = 0, adaptation: Adaptation = FAST) -> np.ndarray:
    arrays = jnp.asarray(beta), jnp.asarray(swap_rate), jnp.asarray(step)
    return np.asarray(adapted(*arrays, adaptation))


@pytest.mark.parametrize("last", [0.01, 0.0])
def test_a_gap_grows_by_what_more_is_swapped_below_than_above(last: float):
    # Vousden, Farr and Mandel 2016: d ln(T[i+1] - T[i]) = kappa (A[i] - A[i+1])
    beta = np.array([1.0, 0.4, 0.1, last])
    rates = np.array([0.6, 0.2, 0.3])
    moved = after(beta, rates)
    growth = np.diff(1 / moved[:3]) / np.diff(1 / beta[:3])
    np.testing.assert_allclose(growth, np.exp(rates[:2] - rates[1:]))
    assert moved[0] == 1.0 and moved[-1] == last


def test_a_ladder_that_swaps_uniformly_stays():
    np.testing.assert_allclose(after(BETA, [0.3, 0.3, 0.3]), BETA)


def test_the_adaptation_slows_down_and_ends():
    rates = [0.6, 0.2, 0.3]

    def growth(step: int) -> float:
        return float(np.log(np.diff(1 / after(BETA, rates, step))[0] / 1.5))

    assert growth(0) == pytest.approx(0.4)
    assert growth(100) == pytest.approx(0.2)
    assert growth(900) == pytest.approx(0.04)
    np.testing.assert_array_equal(after(BETA, rates, 1000), BETA)
    np.testing.assert_allclose(
        np.log(np.diff(1 / after(BETA, rates, 0, FAST._replace(time=10.0)))[0] / 1.5),
        0.04,
    )


@pytest.mark.parametrize("ntemps", [2, 3, 6])
@pytest.mark.parametrize("hottest", [0.0, 1e-3])
def test_the_ladder_decreases_whatever_is_swapped(ntemps: int, hottest: float):
    random = np.random.default_rng(ntemps)
    beta = np.append(np.geomspace(1.0, 2e-3, ntemps - 1), hottest)
    for step in range(200):
        beta = after(beta, random.uniform(size=ntemps - 1), step)
        assert np.all(np.diff(beta) < 0)
    assert beta[0] == 1.0 and beta[-1] == hottest


BAD: list[dict[str, Any]] = [
    {"ntemps": 1},
    {"ntemps": 0},
    {"ntemps": 2.5},
    {"ntemps": True},
    {"max_temperature": 1.0},
    {"max_temperature": -3.0},
    {"max_temperature": np.nan},
    {"betas": [1.0]},
    {"betas": []},
    {"betas": [0.9, 0.5]},
    {"betas": [1.0, 0.5, 0.5]},
    {"betas": [1.0, 0.5, -0.1]},
    {"betas": [1.0, np.nan]},
    {"betas": [1.0, 0.5], "ntemps": 3},
    {"betas": [1.0, 0.5], "max_temperature": 10.0},
    {"adaptation_time": 0.0},
    {"adaptation_lag": -1.0},
    {"adaptation_time": np.inf},
    {"adaptation_lag": np.nan},
]


@pytest.mark.parametrize("options", BAD, ids=str)
def test_options_that_cannot_be_are_refused(options: dict[str, Any]):
    name = next(iter(options))
    with pytest.raises(ValueError, match=rf"expected {name}\b.*; got .*; "):
        anb.Tempered(**options)
