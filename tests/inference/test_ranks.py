"""Ranks among the draws of one fit: which draws, and what of equal values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ampynb.algorithms.algorithm import Outcome
from ampynb.algorithms.scripted import Scripted
from ampynb.analysis.simulation import Simulation
from ampynb.inference.ranks import Quantities, ranked
from tests.results.builders import LINE, autoregressive_draws, normal_draws


def rank(
    position: np.ndarray,
    truth: Any,
    n_draws: int,
    kind: type[Scripted] = Scripted,
    **options: Any,
) -> Any:
    log_likelihood = -0.5 * np.sum(position**2, axis=-1)
    outcome = Outcome(position, {"log_likelihood": log_likelihood}, **options)
    simulation = Simulation(np.asarray(truth), LINE.posterior, -1.0)
    return ranked(
        simulation,
        outcome,
        kind(nwalkers=position.shape[1]),
        Quantities(LINE.posterior, {}),
        n_draws,
        np.random.default_rng(0),
    )


def test_a_rank_counts_the_draws_below():
    position = np.arange(99.0).reshape(33, 3, 1) * [1.0, -1.0]
    found = rank(position, [9.5, -9.5], 99)
    assert list(found.ranks[:2]) == [10, 89]


def test_equal_values_are_put_in_order_by_lot():
    ranks = [
        rank(np.zeros((33, 3, 2)), [0.0, 1.0], 99).ranks for _ in range(2)
    ]  # the same lot twice
    assert ranks[0][0] == ranks[1][0] and 0 < ranks[0][0] < 99
    assert ranks[0][1] == 99


def test_draws_are_taken_as_far_apart_as_there_is_room_for():
    """Every walker of every tenth step: their order in time says which they are."""
    times = np.broadcast_to(np.arange(1.0, 101.0)[:, None, None], (100, 3, 2))
    every_tenth = np.arange(10, 101, 10)
    for i, time in enumerate(every_tenth):
        assert rank(times, [time - 0.5, time + 0.5], 30).ranks[0] == 3 * i
        assert rank(times, [time - 0.5, time + 0.5], 30).ranks[1] == 3 * (i + 1)


def test_independent_draws_are_counted_by_the_autocorrelation():
    rho, n = 0.9, 5000
    found = rank(autoregressive_draws(n, rho, nwalkers=4), [0.0, 0.0], 99)
    exact = 4 * n * (1 - rho) / (1 + rho)
    assert 0.6 * exact < found.ess < 1.3 * exact  # the least of three quantities
    assert rank(normal_draws(n), [0.0, 0.0], 99).ess > 0.8 * 4 * n


def test_too_few_draws_are_told():
    with pytest.raises(ValueError, match=r"at least 99 draws of each fit; got 40; run"):
        rank(normal_draws(10), [0.0, 0.0], 99)


class Weighted(Scripted):
    """Its draws are no chains."""

    draws_chains = False


def test_draws_with_weights_are_counted_by_these():
    weight = np.array([0.5, 0.25, 0.25])
    found = rank(
        normal_draws(100),
        [0.0, 0.0],
        99,
        kind=Weighted,
        weighted={"log_weight": np.log(weight)},
    )
    assert found.ess == pytest.approx(1 / np.sum(weight**2))


def test_draws_that_are_no_chains_are_taken_at_random():
    """The last steps of chains are always taken, of other draws as often as any."""
    times = np.broadcast_to(np.arange(1.0, 101.0)[:, None, None], (100, 3, 2))
    found = rank(times, [99.5, 50.5], 30, kind=Weighted)
    assert found.ranks[0] >= 28 and 8 < found.ranks[1] < 22
    assert found.ess == 300
