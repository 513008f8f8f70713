"""Runs that are broken off at a step, for tests of what comes after."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import ampynb as anb
from ampynb.inference.events import Advanced, Event
from tests.helpers import line_problem

LINE = line_problem()


def engine_of(problem: Any = LINE, seed: int = 5) -> anb.InferenceEngine:
    return anb.InferenceEngine(problem.analysis, problem.model, seed=seed)


def run(engine: anb.InferenceEngine, sampler: Any, **options: Any) -> anb.Result:
    return engine.run(sampler=sampler, progress="none", **options)


class _Stopping:
    """A renderer that stops its run at the first chunk that ends beyond a step."""

    def __init__(self, step: int):
        self.step, self.knows_run = step, threading.Event()
        self.stop: Callable[[], None] = lambda: None

    def show(self, event: Event) -> None:
        assert self.knows_run.wait(60)
        if isinstance(event, Advanced) and event.step >= self.step:
            self.stop()


def run_to(
    engine: anb.InferenceEngine, sampler: Any, step: int, **options: Any
) -> anb.Result:
    """Run, and break off at the first chunk that ends at a step or beyond."""
    stopping = _Stopping(step)
    run = engine.start(sampler=sampler, progress=stopping, **options)
    stopping.stop = run.stop
    stopping.knows_run.set()
    return run.wait(60)


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it has not come true"
        time.sleep(0.005)


def assert_same(first: anb.Result, second: anb.Result) -> None:
    """Assert that two results have the same draws, bit for bit."""
    np.testing.assert_array_equal(first.warmup, second.warmup)
    np.testing.assert_array_equal(first.draws, second.draws)
    for attribute in ("warmup_stats", "stats", "step_stats"):
        _assert_same_arrays(getattr(first, attribute), getattr(second, attribute))
    _assert_same_arrays(first.outcome.weighted, second.outcome.weighted)
    assert first.log_evidence == second.log_evidence


def _assert_same_arrays(first: Mapping, second: Mapping) -> None:
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
