"""Runs that wait to be interrupted: ``python -m tests.inference.interrupts KIND``.

A line ``ready`` is printed when it is time for the interrupt, and at the end what
became of the run, as JSON.
"""

import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from ampynb import InferenceEngine, Result
from ampynb.algorithms.scripted import Scripted
from ampynb.inference.events import Advanced, Event
from tests.helpers import line_problem

QUICK = Scripted(nwalkers=2, burn=0, iterations=10**6, seconds_per_step=0.001)
SLOW = Scripted(nwalkers=2, burn=0, iterations=10, seconds_per_step=20.0)
START = [[0.0, 0.0], [1.0, 1.0]]
SHORT = Scripted(nwalkers=2, burn=0, iterations=300, seconds_per_step=0.001)


class Announcer:
    """Says when the run is well on its way, and counts its steps."""

    def __init__(self, at_event: int):
        self.at_event, self.events, self.step = at_event, 0, 0

    def show(self, event: Event) -> None:
        self.events += 1
        if isinstance(event, Advanced):
            self.step = event.step
        if self.events == self.at_event:
            print("ready", flush=True)


def engine() -> InferenceEngine:
    problem = line_problem()
    return InferenceEngine(problem.analysis, problem.model, seed=5)


def report(make: Callable[[], Result], announcer: Announcer) -> dict[str, Any]:
    """Return what became of a run."""
    before = signal.getsignal(signal.SIGINT)
    begun, told = time.monotonic(), {}
    try:
        result = make()
        told = {"reason": result.reason, "draws": len(result.draws)}
    except KeyboardInterrupt:
        told = {"raised": "KeyboardInterrupt"}
    return {
        **told,
        "step": announcer.step,
        "seconds": time.monotonic() - begun,
        "restored": signal.getsignal(signal.SIGINT) is before,
    }


def run_here(script: Scripted, at_event: int) -> dict[str, Any]:
    announcer = Announcer(at_event)
    return report(
        lambda: engine().run(sampler=script, start=START, progress=announcer),
        announcer,
    )


def wait_for_thread(script: Scripted, at_event: int) -> dict[str, Any]:
    announcer = Announcer(at_event)
    run = engine().start(sampler=script, start=START, progress=announcer)
    return report(run.wait, announcer)


def interrupt_under_the_lock() -> dict[str, Any]:
    """Interrupt a run while the main thread holds the lock of a `threading.Event`."""
    fired = []

    def in_wait(frame, event, argument):
        locked = frame.f_locals["self"]._cond._lock.locked()
        if event == "line" and locked and not fired:
            fired.append(True)
            signal.raise_signal(signal.SIGINT)
        return in_wait

    def everywhere(frame, event, argument):
        ours = signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        is_wait = frame.f_code is threading.Event.wait.__code__
        return in_wait if ours and is_wait and not fired else None

    sys.settrace(everywhere)
    try:
        return run_here(SHORT, at_event=0)
    finally:
        sys.settrace(None)


# The 12th event tells of a chunk; after the 2nd comes the first step, 20 s for SLOW.
KINDS = {
    "run": lambda: run_here(QUICK, at_event=12),
    "run twice": lambda: run_here(SLOW, at_event=2),
    "wait": lambda: wait_for_thread(QUICK, at_event=12),
    "wait twice": lambda: wait_for_thread(SLOW, at_event=2),
    "under the lock": interrupt_under_the_lock,
}

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print(json.dumps(KINDS[sys.argv[1]]()), flush=True)
