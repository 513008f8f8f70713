"""How often a likelihood was computed, where it is known."""

import numpy as np
import pytest

import ampynb as anb
from ampynb.algorithms.algorithm import SAMPLING, WARMUP, Draws
from ampynb.algorithms.scripted import Scripted
from ampynb.results.history import History
from ampynb.results.race_table import evaluations_in

WALKERS = 5


def history_of(*lengths: tuple[str, int], **of_steps: np.ndarray) -> History:
    """Return a history of so many steps of these phases, each of three leapfrogs."""
    history = History()
    for phase, n in lengths:
        stats = {"lp": np.zeros((n, WALKERS))}
        stats |= {"n_steps": np.full((n, WALKERS), 3)} if not of_steps else {}
        kept = {name: np.tile(row, (n, 1)) for name, row in of_steps.items()}
        history.append(Draws(np.zeros((n, WALKERS, 2)), stats, phase, kept))
    return history


def test_what_the_sampler_counts_is_taken():
    found = evaluations_in(History(), anb.Nested(), 10, {"evaluations": 1234})
    assert found == 1234


def test_leapfrogs_of_both_phases_are_summed():
    history = history_of((WARMUP, 20), (SAMPLING, 30))
    assert evaluations_in(history, anb.NUTS(), 50, {}) == 50 * WALKERS * 3


def test_leapfrogs_of_steps_that_are_not_kept_are_not_known():
    history = history_of((WARMUP, 20), (SAMPLING, 15))
    assert evaluations_in(history, anb.NUTS(), 50, {}) is None


@pytest.mark.parametrize("ntemps", [1, 4])
def test_walkers_are_moved_once_a_step_at_each_temperature(ntemps: int):
    beta = np.linspace(1, 0, ntemps)
    history = history_of((SAMPLING, 30), beta=beta)
    found = evaluations_in(history, anb.Tempered(nwalkers=WALKERS), 30, {})
    assert found == 31 * WALKERS * ntemps


def test_it_is_not_known_of_others_and_before_the_first_step():
    assert evaluations_in(History(), Scripted(), 50, {}) is None
    assert evaluations_in(History(), anb.Ensemble(), 0, {}) is None
