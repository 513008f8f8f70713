"""A run's life: pause, resume, stop, wait, fail, and be interrupted."""

import json
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ampynb as anb
from ampynb.algorithms.algorithm import SAMPLING, WARMUP
from ampynb.algorithms.external import EmceeEnsemble
from ampynb.algorithms.scripted import Scripted
from ampynb.inference.events import Advanced, Event, PhaseChanged
from ampynb.inference.run import RunFailedError
from tests.helpers import line_problem

REPOSITORY = Path(__file__).parents[2]
ENDLESS = Scripted(nwalkers=3, burn=0, iterations=10**7, seconds_per_step=0.001)
BRIEF = Scripted(nwalkers=3, burn=50, iterations=200, seconds_per_step=0.001)


def engine(seed: int = 5) -> anb.InferenceEngine:
    problem = line_problem()
    return anb.InferenceEngine(problem.analysis, problem.model, seed=seed)


@pytest.fixture
def start() -> Iterator[Callable[..., anb.Run]]:
    """Start runs, and end those that a test leaves behind."""
    runs = []

    def begin(sampler: Any, progress: Any = "none", **options: Any) -> anb.Run:
        runs.append(engine().start(sampler=sampler, progress=progress, **options))
        return runs[-1]

    yield begin
    for run in runs:
        run.stop()
    for run in runs:
        until(lambda run=run: run.status.ended)


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it has not come true"
        time.sleep(0.005)


def under_way(run: anb.Run) -> anb.Run:
    """Return a run that has made some chunks."""
    until(lambda: run.status.step > 50)
    return run


def positions(run: anb.Run, phase: str) -> np.ndarray:
    """Return what the history holds of a phase."""
    draws = run.history.draws(phase)
    assert draws is not None
    return draws.position


class Listener:
    """Keeps every event."""

    def __init__(self):
        self.events: list[Event] = []

    def show(self, event: Event) -> None:
        self.events.append(event)


# Pause and resume


def test_a_paused_run_makes_no_steps_until_it_is_resumed(start):
    run = under_way(start(ENDLESS))
    run.pause()
    until(lambda: run.status.state == "paused")
    step = run.status.step
    assert "paused" in repr(run)
    time.sleep(0.4)
    assert run.status.step == step
    run.resume()
    until(lambda: run.status.step > step)
    assert run.status.state == "sampling"


def test_pauses_do_not_count_as_computing_time(start):
    run = under_way(start(ENDLESS))
    run.pause()
    until(lambda: run.status.state == "paused")
    seconds = run.status.seconds
    time.sleep(0.5)
    run.stop()
    assert run.wait(5).seconds - seconds < 0.3


def pause_often(run: anb.Run) -> None:
    while not run.status.ended:
        run.pause()
        time.sleep(0.002)
        run.resume()
        time.sleep(0.002)


@pytest.mark.parametrize(
    "sampler",
    [
        Scripted(nwalkers=3, burn=50, iterations=500, seconds_per_step=0.001),
        anb.Ensemble(nwalkers=16, burn=50, iterations=5000),
    ],
    ids=["scripted", "ensemble"],
)
def test_pauses_do_not_change_the_chain(start, sampler: Any):
    unbroken = engine().run(sampler=sampler, progress="none")
    run = start(sampler)
    pause_often(run)
    paused = run.wait()
    np.testing.assert_array_equal(paused.warmup, unbroken.warmup)
    np.testing.assert_array_equal(paused.draws, unbroken.draws)
    for name, values in unbroken.stats.items():
        np.testing.assert_array_equal(paused.stats[name], values)


def test_resuming_or_pausing_a_run_that_has_ended_does_nothing(start):
    run = start(BRIEF)
    result = run.wait()
    for act in (run.pause, run.resume, run.stop):
        act()
    assert run.status.state == "completed"
    assert run.result is result


# Stop


def test_a_stop_keeps_every_draw_and_acts_at_once(start):
    run = under_way(start(ENDLESS))
    run.stop()
    begun = time.monotonic()
    result = run.wait()
    assert time.monotonic() - begun < 0.5
    assert result.reason == run.status.state == "stopped"
    assert len(result.draws) == run.status.step > 50
    np.testing.assert_array_equal(result.draws, positions(run, SAMPLING))
    whole = engine().run(sampler=ENDLESS, iterations=len(result.draws), progress="none")
    np.testing.assert_array_equal(result.draws, whole.draws)


def test_a_paused_run_can_be_stopped(start):
    run = under_way(start(ENDLESS))
    run.pause()
    until(lambda: run.status.state == "paused")
    run.stop()
    assert run.wait(0.5).reason == "stopped"


def test_a_run_stopped_in_its_warmup_keeps_it(start):
    run = start(Scripted(burn=10**7, iterations=1, seconds_per_step=0.001))
    under_way(run).stop()
    result = run.wait()
    assert (result.reason, len(result.draws)) == ("stopped", 0)
    assert len(result.warmup) == run.status.step
    np.testing.assert_array_equal(result.warmup, positions(run, WARMUP))


def test_a_run_stopped_at_once_ends(start):
    run = start(ENDLESS)
    run.stop()
    assert run.wait(5).reason == "stopped"


# Wait, inspect, result


def test_waiting_times_out_and_the_run_goes_on(start):
    run = under_way(start(ENDLESS))
    begun = time.monotonic()
    with pytest.raises(TimeoutError, match=r"expected .* within 0\.2 s; .* step \d+"):
        run.wait(0.2)
    assert 0.2 <= time.monotonic() - begun < 1.0
    step = run.status.step
    until(lambda: run.status.step > step)


def test_waiting_twice_gives_the_same_result(start):
    run = start(BRIEF)
    assert run.wait(20) is run.wait(0) is run.result


def test_inspect_shows_the_draws_so_far(start):
    run = under_way(start(ENDLESS))
    glimpse = run.inspect()
    assert glimpse.reason == "running"
    assert 0 < len(glimpse.draws) <= run.status.step
    until(lambda: run.status.step > len(glimpse.draws))
    later = run.inspect()
    np.testing.assert_array_equal(later.draws[: len(glimpse.draws)], glimpse.draws)
    run.stop()
    assert run.wait() is not glimpse
    assert run.inspect().reason == "stopped"


def test_there_is_no_result_before_the_end(start):
    run = under_way(start(ENDLESS))
    with pytest.raises(RuntimeError, match=r"expected .* ended; .* wait\(\).*inspect"):
        _ = run.result


def test_status_follows_the_run(start):
    states, run = [], start(BRIEF)
    while not run.status.ended:
        states.append(run.status.state)
        time.sleep(0.002)
    run.wait()
    assert set(states) <= {"compiling", "warmup", "sampling"}
    assert states == sorted(states, key=["compiling", "warmup", "sampling"].index)
    status = run.status
    assert (status.state, status.step, status.total) == ("completed", 250, 250)
    assert 0.25 < status.seconds < 10
    assert status.metrics == {"acceptance_rate": 1.0}


def test_the_rate_is_in_steps_per_second(start):
    run = start(Scripted(burn=0, iterations=10**6, seconds_per_step=0.01))
    until(lambda: run.status.step > 40)
    assert 50 < run.status.rate <= 100
    left = (10**6 - run.status.step) / 100
    assert run.status.seconds_left == pytest.approx(left, rel=0.5)


@pytest.mark.slow
def test_two_runs_at_once_draw_what_each_draws_alone(start):
    samplers = (
        anb.Ensemble(nwalkers=12, burn=50, iterations=3000),
        anb.NUTS(nwalkers=3, burn=50, iterations=300),
    )
    runs = [start(sampler) for sampler in samplers]
    together = [run.wait().draws for run in runs]
    for draws, sampler in zip(together, samplers, strict=True):
        alone = engine().run(sampler=sampler, progress="none")
        np.testing.assert_array_equal(draws, alone.draws)


# Failure


class Breaking(anb.Analysis):
    """A likelihood in NumPy that fails at a certain call."""

    def __init__(self, fails_at: int):
        super().__init__(use_jax=False)
        self.calls, self.fails_at = 0, fails_at

    def log_likelihood_function(self, instance):
        self.calls += 1
        if self.calls == self.fails_at:
            raise RuntimeError("the user's own error")
        return -0.5 * (instance.slope**2 + instance.intercept**2)


def test_a_failing_step_keeps_the_draws_before_it():
    script = Scripted(nwalkers=3, burn=20, iterations=10**6, fails_at=500)
    with pytest.raises(RunFailedError, match="step 500") as caught:
        engine().run(sampler=script, progress="none")
    assert isinstance(caught.value.__cause__, FloatingPointError)
    result = caught.value.result
    assert result.reason == "failed"
    assert 0 < len(result.draws) <= 480
    whole = engine().run(sampler=script, iterations=len(result.draws), progress="none")
    np.testing.assert_array_equal(result.draws, whole.draws)
    assert f"after {20 + len(result.draws)} steps" in str(caught.value)


def test_a_failing_run_in_a_thread_tells_it_when_waited_for(start):
    listener = Listener()
    script = Scripted(burn=0, iterations=10**6, fails_at=100)
    run = start(script, progress=listener)
    until(lambda: run.status.ended)
    with pytest.raises(RunFailedError) as caught:
        run.wait()
    assert isinstance(caught.value.__cause__, FloatingPointError)
    assert run.status.state == "failed"
    assert "scripted failure at step 100" in run.status.message
    assert run.result is caught.value.result
    last = listener.events[-1].as_dict()
    assert last["event"] == "Failed"
    assert last["error"] == "FloatingPointError"
    assert last["step"] == len(run.result.draws)


def test_a_likelihood_that_fails_is_the_cause():
    analysis, model = Breaking(fails_at=3000), line_problem().model
    fragile = anb.InferenceEngine(analysis, model, seed=1)
    sampler = EmceeEnsemble(nwalkers=8, burn=0, iterations=10**6)
    with pytest.raises(RunFailedError) as caught:
        fragile.run(sampler=sampler, progress="none")
    assert isinstance(caught.value.__cause__, RuntimeError)
    result = caught.value.result
    assert len(result.draws) > 0
    analysis.fails_at = -1
    whole = fragile.run(sampler=sampler, iterations=len(result.draws), progress="none")
    np.testing.assert_array_equal(result.draws, whole.draws)


def test_an_error_is_told_by_its_exception_alone(capfd: pytest.CaptureFixture):
    fragile = anb.InferenceEngine(Breaking(fails_at=300), line_problem().model)
    with pytest.raises(RunFailedError):
        fragile.run(nwalkers=8, burn=0, iterations=1000, progress="none")
    assert capfd.readouterr() == ("", "")


# Renderers


class Faulty:
    """A renderer that breaks at its third event."""

    def __init__(self):
        self.calls = 0

    def show(self, event: Event) -> None:
        self.calls += 1
        if self.calls == 3:
            raise OSError("no display")


class Both:
    """Two renderers as one, for a run takes one besides its log."""

    def __init__(self, *renderers: Any):
        self.renderers = renderers

    def show(self, event: Event) -> None:
        for renderer in self.renderers:
            renderer.show(event)


def test_a_renderer_that_raises_is_dropped_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    log = tmp_path / "events.jsonl"
    monkeypatch.setenv("AMPYNB_EVENT_LOG", str(log))
    faulty = Faulty()
    with caplog.at_level(logging.WARNING, logger="ampynb"):
        result = engine().run(sampler=BRIEF, progress=faulty)
    assert result.draws.shape == (200, 3, 2)
    assert faulty.calls == 3
    (record,) = caplog.records
    assert "Faulty" in record.message and "run goes on" in record.message
    assert record.exc_info is not None and "no display" in str(record.exc_info[1])
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert events[0] == "Started" and events[-1] == "Finished"


def test_a_renderer_that_cannot_settle_costs_no_result(start):
    class Unsettled(Listener):
        def settle(self) -> None:
            raise OSError("no display")

    assert start(BRIEF, progress=Unsettled()).wait(20).reason == "completed"


def test_a_renderer_is_shown_every_event_in_order(start):
    listener = Listener()
    start(BRIEF, progress=listener).wait(20)
    phases = [e.phase for e in listener.events if isinstance(e, PhaseChanged)]
    assert phases == ["compiling", "warmup", "sampling"]
    steps = [e.step for e in listener.events if isinstance(e, Advanced)]
    assert steps == sorted(set(steps)) and steps[-1] == 250


def test_a_renderer_may_stop_its_run(start):
    class Impatient(Listener):
        run: anb.Run | None = None

        def show(self, event: Event) -> None:
            super().show(event)
            if self.run and isinstance(event, Advanced) and event.step > 100:
                self.run.stop()

    impatient = Impatient()
    impatient.run = run = start(ENDLESS, progress=impatient)
    assert run.wait(20).reason == "stopped"


# Interrupts


def interrupt(kind: str, times: int) -> dict[str, Any]:
    """Run a kind of interrupted run in a process, and return what became of it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.inference.interrupts", kind],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            if times:
                assert process.stdout.readline() == "ready\n"
            for _ in range(times):
                time.sleep(0.5)
                process.send_signal(signal.SIGINT)
            out, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert out, errors
    return json.loads(out)


@pytest.mark.parametrize("kind", ["run", pytest.param("wait", marks=pytest.mark.slow)])
def test_an_interrupt_ends_at_the_edge_of_a_chunk_and_keeps_every_draw(kind: str):
    told = interrupt(kind, times=1)
    assert told["reason"] == "stopped"
    assert told["draws"] == told["step"] > 0
    assert told["restored"]


@pytest.mark.parametrize(
    "kind", ["run twice", pytest.param("wait twice", marks=pytest.mark.slow)]
)
def test_a_second_interrupt_raises(kind: str):
    told = interrupt(kind, times=2)
    assert told["raised"] == "KeyboardInterrupt"
    assert told["seconds"] < 10, "it waited for the end of a step of 20 s"
    assert told["restored"]


def test_an_interrupt_at_a_bad_moment_does_not_hang_the_run():
    told = interrupt("under the lock", times=0)
    assert told["reason"] in ("stopped", "completed")
    assert told["draws"] == told["step"]


@pytest.mark.parametrize("fails_at", [None, 20])
def test_the_handler_of_interrupts_is_restored(fails_at: int | None):
    before = signal.getsignal(signal.SIGINT)
    script = Scripted(burn=0, iterations=50, fails_at=fails_at)
    try:
        engine().run(sampler=script, progress="none")
    except RunFailedError:
        assert fails_at is not None
    assert signal.getsignal(signal.SIGINT) is before


def test_a_run_in_a_thread_of_the_users_needs_no_signals():
    results = []
    thread = threading.Thread(
        target=lambda: results.append(engine().run(sampler=BRIEF, progress="none"))
    )
    thread.start()
    thread.join(20)
    assert results[0].reason == "completed"
