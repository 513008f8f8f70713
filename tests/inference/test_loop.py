"""The loop alone: what it yields, in which order, and in what rhythm."""

import builtins
import json
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from ampynb.algorithms.scripted import Scripted
from ampynb.inference.events import Event
from ampynb.inference.loop import Command, Plan, sampling
from ampynb.results.history import History
from tests.helpers import line_problem


class Clock:
    """A clock that only a script's sleep moves."""

    def __init__(self):
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    fake = SimpleNamespace(sleep=clock.sleep)
    monkeypatch.setattr("ampynb.algorithms.scripted.time", fake)
    return clock


def plan_of(algorithm: Scripted, seed: int = 0) -> Plan:
    return Plan(line_problem().posterior, algorithm, seed)


def events_of(
    algorithm: Scripted, clock: Clock, history: History | None = None
) -> Iterator[Event]:
    """Return the loop's events; each is taken without a command to stop."""
    history = History() if history is None else history
    loop = sampling(plan_of(algorithm, 3), history, clock=clock)
    yield next(loop)
    try:
        while True:
            yield loop.send(Command.CONTINUE)
    except StopIteration:
        return


def steps_in(history: History) -> list[int]:
    return [len(draws.position) for draws in history.unsaved()]


def names(events: list[Event]) -> list[str]:
    """Return the events' types, one for all that follow each other."""
    told = [event.as_dict() for event in events]
    words = [event["event"] + " " * ("phase" in event) for event in told]
    words = [w + e.get("phase", "") for w, e in zip(words, told, strict=True)]
    before = [None, *words]
    return [word for word, last in zip(words, before, strict=False) if word != last]


@pytest.mark.parametrize(
    ("burn", "phases"),
    [
        (0, ["sampling"]),
        (40, ["warmup", "sampling"]),
    ],
)
def test_events_come_in_order(clock: Clock, burn: int, phases: list[str]):
    script = Scripted(burn=burn, iterations=60, seconds_per_step=0.01)
    of_phases = [
        f"{e} {phase}" for phase in phases for e in ("PhaseChanged", "Advanced")
    ]
    assert names(list(events_of(script, clock))) == [
        "Started",
        "PhaseChanged compiling",
        *of_phases,
        "Finished",
    ]


def test_events_say_what_happened(clock: Clock):
    script = Scripted(nwalkers=3, burn=40, iterations=60, seconds_per_step=0.25)
    history = History()
    events = [event.as_dict() for event in events_of(script, clock, history)]
    assert events[0] == {
        "event": "Started",
        "sampler": "scripted",
        "nwalkers": 3,
        "ndim": 2,
        "burn": 40,
        "iterations": 60,
        "seed": 3,
        "step": 0,
        "seconds": 0.0,
        "devices": 1,
    }
    advanced = [event for event in events if event["event"] == "Advanced"]
    steps = [event["step"] for event in advanced]
    np.testing.assert_array_equal(steps, np.cumsum(steps_in(history)))
    for event in advanced:
        assert event["total"] == 100
        assert event["fraction"] == event["step"] / 100
        assert event["seconds"] == pytest.approx(0.25 * event["step"])
    assert events[-1] == {
        "event": "Finished",
        "reason": "completed",
        "step": 100,
        "seconds": pytest.approx(25.0),
        "message": "",
    }
    assert json.loads(json.dumps(events[:-1])) == events[:-1]


def test_draws_are_in_the_history_when_they_are_told_of(clock: Clock):
    history = History()
    script = Scripted(burn=4, iterations=20, seconds_per_step=0.05)
    for event in events_of(script, clock, history):
        told = event.as_dict()
        if told["event"] == "Advanced":
            assert sum(steps_in(history)) == told["step"]


@pytest.mark.parametrize("at", range(6))
def test_no_step_is_made_after_a_stop(clock: Clock, at: int):
    # told at Started, compiling, warm-up, and the first chunks
    history, script = History(), Scripted(burn=99, iterations=1, seconds_per_step=0.2)
    loop = sampling(plan_of(script), history, clock=clock)
    event = next(loop)
    for _ in range(at):
        event = loop.send(Command.CONTINUE)
    made = sum(steps_in(history))
    while event.as_dict()["event"] != "Finished":
        event = loop.send(Command.STOP)
    told = event.as_dict()
    assert (told["reason"], told["step"]) == ("stopped", made)
    assert sum(steps_in(history)) == made
    with pytest.raises(StopIteration):
        loop.send(Command.STOP)


def test_stop_at_the_very_end_is_a_completed_run(clock: Clock):
    script = Scripted(burn=0, iterations=1)
    loop = sampling(plan_of(script), History(), clock=clock)
    *_, advanced = (next(loop) for _ in range(4))
    assert advanced.as_dict()["event"] == "Advanced"
    assert loop.send(Command.STOP).as_dict()["reason"] == "completed"


@pytest.mark.parametrize(
    "seconds_per_step", [pytest.param(1e-5, marks=pytest.mark.slow), 1e-4, 1e-3, 1e-2]
)
def test_a_chunk_comes_to_take_a_tenth_to_a_fifth_of_a_second(
    clock: Clock, seconds_per_step: float
):
    settled = int(100 / seconds_per_step)  # far more than needed to settle
    script = Scripted(
        nwalkers=1, burn=0, iterations=settled, seconds_per_step=seconds_per_step
    )
    durations, last = [], 0.0
    for event in events_of(script, clock):
        told = event.as_dict()
        if told["event"] == "Advanced":
            durations.append(told["seconds"] - last)
            last = told["seconds"]
        if len(durations) == 20:
            break
    assert all(0.1 <= seconds <= 0.2 for seconds in durations[8:])
    assert all(seconds <= 0.2 for seconds in durations)


def test_a_slow_step_makes_a_chunk_of_its_own(clock: Clock):
    history = History()
    script = Scripted(burn=5, iterations=5, seconds_per_step=30.0)
    list(events_of(script, clock, history))
    assert steps_in(history) == [1] * 10


def test_chunks_shrink_when_steps_become_slow(clock: Clock):
    class Slowing:
        """Sleeps that become a hundred times as long."""

        def __init__(self):
            self.factor = 1.0

        def sleep(self, seconds: float) -> None:
            clock.sleep(self.factor * seconds)

    slowing = Slowing()
    script = Scripted(burn=0, iterations=10_000, seconds_per_step=1e-3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ampynb.algorithms.scripted.time", slowing)
        durations, last = [], 0.0
        for event in events_of(script, clock):
            told = event.as_dict()
            if told["event"] == "Advanced":
                durations.append(told["seconds"] - last)
                last = told["seconds"]
            slowing.factor = 100.0 if len(durations) >= 10 else 1.0
            if len(durations) == 15:
                break
    assert durations[9] < 0.2
    assert all(seconds <= 0.2 for seconds in durations[11:])


def test_the_loop_does_nothing_but_compute(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
):
    script = Scripted(burn=10, iterations=200, seconds_per_step=0.01)
    list(events_of(script, clock))  # what is compiled and imported once
    loaded = set(sys.modules)

    def forbidden(*args, **kwargs):
        raise AssertionError("the loop does I/O")

    events = events_of(script, clock)
    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", forbidden)
        patch.setattr(builtins, "print", forbidden)
        patch.setattr(threading.Thread, "start", forbidden)
        last = list(events)[-1]
    assert last.as_dict()["reason"] == "completed"
    assert set(sys.modules) == loaded
    assert capfd.readouterr() == ("", "")


def test_a_failing_step_leaves_the_draws_before_it(clock: Clock):
    history = History()
    script = Scripted(burn=0, iterations=100, seconds_per_step=1.0, fails_at=7)
    with pytest.raises(FloatingPointError, match="step 7"):
        list(events_of(script, clock, history))
    assert sum(steps_in(history)) == 7
