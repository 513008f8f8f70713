"""Numbers of a run that goes on: against known answers, and what they are of."""

import numpy as np
import pytest

from ampynb.algorithms.algorithm import SAMPLING, WARMUP, Draws
from ampynb.inference.loop import Command, Plan, sampling
from ampynb.results.history import LATEST_ROWS, History
from ampynb.results.live_numbers import live_numbers, r_hat_without
from ampynb.results.tally import Tally
from tests.helpers import line_problem
from tests.inference.autoregressive import AutoRegressive, Walkers


def history_of(sampler: AutoRegressive) -> History:
    history = History()
    loop = sampling(Plan(line_problem().posterior, sampler, 3), history)
    next(loop)
    with pytest.raises(StopIteration):
        while True:
            loop.send(Command.CONTINUE)
    return history


@pytest.mark.parametrize("rho", [0.5, 0.9])
@pytest.mark.parametrize("kind", [AutoRegressive, Walkers])
def test_the_effective_draws_are_those_of_the_known_autocorrelation(rho, kind):
    sampler = kind(nwalkers=8, burn=10, iterations=1000, rho=rho)
    found = live_numbers(history_of(sampler), sampler)
    expected = 8 * 1000 / sampler.tau
    assert expected / 1.6 < found["ess"] < expected * 1.4
    if kind is Walkers:
        assert found["tau"] == pytest.approx(sampler.tau, rel=0.4)
        assert found["length"] == pytest.approx(1000 / found["tau"])


def test_walkers_have_no_r_hat_and_chains_no_length():
    chains = AutoRegressive(nwalkers=4, burn=10, iterations=200)
    assert live_numbers(history_of(chains), chains).keys() == {"ess", "r_hat"}
    walkers = Walkers(nwalkers=4, burn=10, iterations=200)
    found = live_numbers(history_of(walkers), walkers)
    assert found.keys() == {"ess", "tau", "length"}


def test_a_long_chain_is_judged_by_its_evenly_spaced_steps():
    """The spacing is in the autocorrelation time, not lost from it."""
    walkers = Walkers(nwalkers=4, burn=0, iterations=6000, rho=0.95)
    found = live_numbers(history_of(walkers), walkers)
    assert found["tau"] == pytest.approx(walkers.tau, rel=0.5)


@pytest.mark.parametrize("kind", [AutoRegressive, Walkers])
def test_draws_between_the_evenly_spaced_ones_are_not_lost(kind):
    """Of a chain that forgets sooner than these are apart, all draws count."""
    sampler = kind(nwalkers=4, burn=0, iterations=12_000, rho=0.5)
    history = history_of(sampler)
    assert len(history.thinned(1000, SAMPLING)[1]) < 1000
    expected = 4 * 12_000 / sampler.tau
    assert live_numbers(history, sampler)["ess"] == pytest.approx(expected, rel=0.3)


def test_the_last_steps_of_a_chain_that_moves_rarely_do_not_count_as_all():
    """Both chains sit in one of two places for long: the last steps do not tell."""
    history, place = History(), np.repeat([0.0, 9.0, 0.0, 9.0, 9.0, 0.0, 9.0, 0.0], 800)
    rng = np.random.default_rng(0)
    position = place[:, None, None] + rng.normal(size=(6400, 4, 1))
    history.append(Draws(position, {"lp": position[..., 0]}, SAMPLING))
    found = live_numbers(history, AutoRegressive(nwalkers=4))
    assert found["ess"] < 200


def test_what_is_not_known_yet_is_left_out():
    for kind in (AutoRegressive, Walkers):
        warming = History()
        warming.append(draws(20, WARMUP))
        assert live_numbers(warming, kind(nwalkers=3)) == {}
        sampler = kind(nwalkers=4, burn=0, iterations=5)
        assert live_numbers(history_of(sampler), sampler) == {}


@pytest.mark.parametrize("kind", [AutoRegressive, Walkers])
@pytest.mark.parametrize("steps", [100, 6000], ids=["short", "thinned"])
def test_an_element_that_never_moves_is_never_good(kind, steps):
    history, position = History(), np.random.default_rng(0).normal(size=(steps, 4, 2))
    position[..., 1] = 3.0
    history.append(Draws(position, {"lp": position[..., 0]}, SAMPLING))
    assert np.isnan(live_numbers(history, kind(nwalkers=4))["ess"])


def test_r_hat_without_the_odd_chain_is_that_of_the_others():
    sampler = AutoRegressive(nwalkers=4, burn=0, iterations=800, rho=0.0, apart=5.0)
    _, rows = history_of(sampler).thinned(800, SAMPLING)
    without = r_hat_without(rows)
    assert without[0] == pytest.approx(1.0, abs=0.02)
    assert np.all(without[1:] > 1.3)


# The tally


def draws(n: int, phase: str = SAMPLING, seed: int = 0) -> Draws:
    rng = np.random.default_rng(seed)
    stats = {
        "lp": rng.normal(size=(n, 3)),
        "acceptance_rate": rng.uniform(size=(n, 3)),
        "diverging": rng.uniform(size=(n, 3)) < 0.3,
    }
    of_steps = {"swap_rate": rng.uniform(size=(n, 2)), "beta": rng.uniform(size=(n, 3))}
    return Draws(rng.normal(size=(n, 3, 2)), stats, phase, of_steps)


def test_a_tally_of_parts_is_that_of_the_whole():
    whole, tally = draws(50), Tally()
    for part in (slice(0, 7), slice(7, 7), slice(7, 50)):
        tally.take(whole.rows(part))
    for name, values in {**whole.stats, **whole.step_stats}.items():
        if name == "lp":
            assert tally.mean(name) is None, "it may be infinite, and is not asked for"
            continue
        mean, total, last = tally.mean(name), tally.total(name), tally.last(name)
        assert mean is not None and total is not None and last is not None
        np.testing.assert_allclose(mean, values.mean(axis=0))
        np.testing.assert_allclose(total, values.sum(axis=0))
        np.testing.assert_array_equal(last, values[-1])


def test_a_history_tallies_each_phase_and_its_copy_goes_its_own_way():
    history = History()
    history.append(draws(20, WARMUP))
    history.append(draws(30, SAMPLING, 1))
    copy = history.copy()
    copy.append(draws(10, SAMPLING, 2))
    assert (history.tally[WARMUP].steps, history.tally[SAMPLING].steps) == (20, 30)
    assert copy.tally[SAMPLING].steps == 40
    diverging = history.tally[SAMPLING].total("diverging")
    assert diverging is not None and diverging.sum() == history.count("diverging")


def test_the_latest_steps_follow_each_other_to_the_end():
    history, whole = History(), draws(3000)
    history.append(draws(30, WARMUP))
    assert len(history.latest()) == 0
    for part in (slice(0, 300), slice(300, 310), slice(310, 3000)):
        history.append(whole.rows(part))
        expected = whole.position[max(part.stop - LATEST_ROWS, 0) : part.stop]
        np.testing.assert_array_equal(history.latest(), expected)
    np.testing.assert_array_equal(history.copy().latest(), history.latest())


def test_a_history_knows_its_live_points():
    history, live = History(), draws(4)
    assert history.live is None
    history.note_live(live)
    assert history.live is live and history.copy().live is live
    assert history.steps(SAMPLING) == 0, "they are no draws"
