"""The draws of a run: what is read does not depend on how they came in chunks."""

import numpy as np
import pytest

from ampynb.algorithms.algorithm import SAMPLING, WARMUP, Draws
from ampynb.results.history import History

N_WARMUP, N_SAMPLING = 13, 40
POSITION = np.random.default_rng(0).normal(size=(N_WARMUP + N_SAMPLING, 3, 2))
FLAG = np.random.default_rng(1).random((N_WARMUP + N_SAMPLING, 3)) < 0.3


def history_in_chunks(length: int) -> History:
    history = History()
    for phase, begin, end in (
        (WARMUP, 0, N_WARMUP),
        (SAMPLING, N_WARMUP, len(POSITION)),
    ):
        for start in range(begin, end, length):
            rows = slice(start, min(start + length, end))
            history.append(Draws(POSITION[rows], {"diverging": FLAG[rows]}, phase))
    return history


LENGTHS = [1, 4, 7, 1000]


@pytest.mark.parametrize("length", LENGTHS)
def test_draws_are_joined_by_phase(length):
    history = history_in_chunks(length)
    for phase, rows in ((WARMUP, slice(0, 13)), (SAMPLING, slice(13, None))):
        draws = history.draws(phase)
        assert draws is not None
        assert draws.phase == phase
        assert np.array_equal(draws.position, POSITION[rows])
        assert np.array_equal(draws.stats["diverging"], FLAG[rows])
    assert history.steps(WARMUP) == N_WARMUP


@pytest.mark.parametrize("length", LENGTHS)
def test_more_draws_are_seen_at_once(length):
    history = history_in_chunks(length)
    assert history.count("diverging") == FLAG[N_WARMUP:].sum()
    before = history.draws()
    history.append(Draws(POSITION[:2], {"diverging": FLAG[:2]}, SAMPLING))
    after = history.draws()
    assert before is not None and after is not None
    assert np.array_equal(before.position, POSITION[N_WARMUP:])
    assert np.array_equal(after.position[:N_SAMPLING], before.position)
    assert np.array_equal(after.position[N_SAMPLING:], POSITION[:2])
    assert history.count("diverging") == FLAG[N_WARMUP:].sum() + FLAG[:2].sum()


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("most", [1, 5, 12, 53, 100])
@pytest.mark.parametrize("phase", [None, WARMUP, SAMPLING])
def test_thinned_draws_are_evenly_spaced(length, most, phase):
    rows = {None: slice(None), WARMUP: slice(0, 13), SAMPLING: slice(13, None)}[phase]
    steps, position = history_in_chunks(length).thinned(most, phase)
    assert len(steps) == len(position) <= most
    assert np.array_equal(position, POSITION[rows][steps - 1])
    assert len(set(np.diff(steps))) <= 1
    assert steps[0] == 1


def test_an_empty_history_has_nothing():
    history = History()
    assert history.draws() is None
    assert history.count("diverging") is None
    assert history.steps(WARMUP) == 0
    steps, position = history.thinned(10)
    assert len(steps) == len(position) == 0


def test_a_flag_that_no_sampler_gives_is_none():
    assert history_in_chunks(5).count("unknown") is None
