"""A rule that is set, changed or taken back while the run goes on."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import ampynb as anb
from ampynb.algorithms.scripted import Scripted
from ampynb.inference.events import Advanced, Event, Finished
from ampynb.inference.loop import Command, Plan, StopWhen, sampling
from ampynb.inference.run import Run
from ampynb.inference.stopping import FIRST_LOOK, GROWTH, StoppingRule
from ampynb.results.history import History
from tests.inference.autoregressive import AutoRegressive
from tests.inference.broken_runs import LINE, engine_of, until

CHAINS = AutoRegressive(nwalkers=4, burn=10, iterations=10**6, rho=0.0)


def end_of(
    orders: dict[int, StoppingRule | None],
    first: StoppingRule | None = None,
    most: int = 20_000,
) -> Finished:
    """Run a loop that is told of rules at the first event after these steps.

    After ``most`` steps it is told to stop.
    """
    loop = sampling(Plan(LINE.posterior, CHAINS, 3, until=first), History())
    event, orders, command = next(loop), dict(orders), Command.CONTINUE
    while not isinstance(event, Finished):
        command: Any = Command.CONTINUE
        if isinstance(event, Advanced):
            due = [step for step in orders if event.step >= step]
            command = StopWhen(orders.pop(due[0])) if due else command
            command = Command.STOP if event.step > most else command
        event = loop.send(command)
    return event


def test_a_rule_set_on_the_way_ends_the_run_where_it_is_met():
    end = end_of({100: anb.ess(4000)})
    assert end.reason == "completed"
    assert end.message.startswith("ended by ess(4000): the least effective sample size")
    # 4,000 draws of four independent chains, found at a look at most a fifth later
    assert 1000 / 1.25 < end.step < 1000 * 1.25 * GROWTH + CHAINS.burn


@pytest.mark.parametrize("rule", [anb.ess(400), anb.seconds(1e-9)], ids=str)
def test_a_rule_that_the_draws_meet_already_ends_the_run_at_once(rule: StoppingRule):
    loop = sampling(Plan(LINE.posterior, CHAINS, 3), History())
    event: Event = next(loop)
    while not (isinstance(event, Advanced) and event.step > 3000):
        event = loop.send(Command.CONTINUE)
    end = loop.send(StopWhen(rule))
    assert isinstance(end, Finished) and end.step == event.step
    assert end.reason == "completed" and end.message.startswith(f"ended by {rule}")


def test_no_rule_is_met_before_the_first_look():
    """Of few draws any number may be good by chance."""
    end = end_of({1: anb.rhat(1.5)})
    assert end.step >= FIRST_LOOK + CHAINS.burn


def test_another_rule_takes_the_place_of_the_first():
    end = end_of({100: anb.ess(4000)}, first=anb.ess(400))
    assert end.message.startswith("ended by ess(4000)")
    end = end_of({50: anb.ess(400)}, first=anb.ess(10**7))
    assert end.message.startswith("ended by ess(400)")


def test_a_rule_is_taken_back():
    end = end_of({100: None}, first=anb.ess(2000), most=3000)
    assert (end.reason, end.message) == ("stopped", "")
    assert end.step > 3000


def test_the_same_rule_given_at_the_start_ends_at_the_same_step():
    """Where it is told before the draws that meet it, the looks are the same."""
    assert end_of({20: anb.ess(2000)}).step == end_of({}, anb.ess(2000)).step


# Of a run


@pytest.fixture
def slow() -> Iterator[anb.Run]:
    sampler = Scripted(burn=0, iterations=10**7, seconds_per_step=1e-4)
    run = engine_of().start(sampler=sampler, progress="none")
    yield run
    run.stop()
    run.wait(20)


def test_a_run_ends_by_the_rule_and_its_result_says_by_which(slow: anb.Run):
    until(lambda: slow.status.step > 300)
    slow.stop_when(anb.ess(400))
    assert str(slow.until) == "ess(400)"
    result = slow.wait(20)
    assert result.reason == "completed"
    assert result.message.startswith("ended by ess(400): ")
    assert slow.status.fraction == 1.0


def test_a_paused_run_takes_the_rule_and_ends_when_it_goes_on(slow: anb.Run):
    until(lambda: slow.status.step > 300)
    slow.pause()
    until(lambda: slow.status.state == "paused")
    slow.stop_when(anb.ess(100))
    assert not slow.status.ended
    slow.resume()
    result = slow.wait(20)
    assert result.message.startswith("ended by ess(100)")


def test_a_run_goes_on_when_its_rule_is_taken_back():
    sampler = Scripted(burn=0, iterations=10**7, seconds_per_step=1e-4)
    run = engine_of().start(sampler=sampler, until=anb.seconds(0.3), progress="none")
    assert str(run.until) == "seconds(0.3)"
    run.stop_when(None)
    until(lambda: run.status.seconds > 0.5)
    assert not run.status.ended and run.until is None
    run.stop()
    assert run.wait(20).message == ""


def test_the_draws_are_those_of_a_run_without_a_rule(slow: anb.Run):
    slow.stop_when(anb.seconds(0.2))
    drawn = slow.wait(20).draws
    other = Scripted(burn=0, iterations=len(drawn))
    same = engine_of().run(sampler=other, progress="none")
    np.testing.assert_array_equal(drawn, same.draws)


# Misuse


@pytest.mark.parametrize("rule", [400, "ess(400)", anb.ess])
def test_what_is_no_rule_is_refused(slow: anb.Run, rule: Any):
    with pytest.raises(TypeError, match=r"expected until as a rule such as .*; got"):
        slow.stop_when(rule)
    assert not slow.status.ended and slow.until is None


def test_a_rule_that_cannot_judge_the_sampler_is_refused():
    engine = engine_of()
    sampler = Scripted(nwalkers=1, burn=0, iterations=10**7, seconds_per_step=1e-4)
    run = engine.start(sampler=sampler, progress="none")
    with pytest.raises(ValueError, match="expected nwalkers of at least 2 with"):
        run.stop_when(anb.rhat(1.01))
    run.stop()
    run.wait(20)


def test_a_run_that_has_ended_takes_no_rule():
    run = engine_of().start(sampler=Scripted(burn=0, iterations=50), progress="none")
    run.wait(20)
    with pytest.raises(RuntimeError, match=r"expected a run that goes on; it is compl"):
        run.stop_when(anb.ess(400))


def test_several_processes_take_their_rule_at_the_start(
    slow: anb.Run, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("ampynb.inference.run.is_alone", lambda: False)
    with pytest.raises(RuntimeError, match=r"one process; got several.*; give until="):
        slow.stop_when(anb.ess(400))


def test_a_calibration_takes_no_rule():
    """It is many fits, of which no rule can judge the draws."""
    loop = sampling(Plan(LINE.posterior, CHAINS, 3), History())
    no_result: Any = None
    many = Run(LINE.posterior, CHAINS, loop, History(), no_result, takes_rules=False)
    with pytest.raises(RuntimeError, match=r"one fit; got a calibration.*; stop\(\)"):
        many.stop_when(anb.seconds(10))
