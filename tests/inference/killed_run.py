"""A run that saves without pause, for others to kill, and the same run unbroken."""

from __future__ import annotations

import dataclasses
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import ampynb as anb
from ampynb.inference import recorder
from ampynb.inference.events import Event, Saved
from tests.algorithms.cases import CASES, Case

ENDLESS = 10**7
LONGER = {  # what ends itself, by the live points that it has to replace
    "nested": {"nwalkers": 500, "share_replaced": 2e-3},
    "dynesty": {"nwalkers": 100, "share_replaced": 1e-2},
}


def run_case(
    case: Case, path: Path | None, iterations: int, progress: Any = "none"
) -> anb.Result:
    """Run a case to its end, continuing what is at the path."""
    problem = case.problem()
    algorithm = case.with_steps(None if case.ends_itself else iterations)
    algorithm = dataclasses.replace(algorithm, **LONGER.get(case.name, {}))
    engine = anb.InferenceEngine(problem.analysis, problem.model, seed=5)
    resume = "auto" if path is not None else False
    return engine.run(sampler=algorithm, path=path, resume=resume, progress=progress)


class _Told:
    """Tells of each commit."""

    def __init__(self, connection: Connection):
        self.connection = connection

    def show(self, event: Event) -> None:
        if isinstance(event, Saved):
            self.connection.send(event.step)


def run_until_killed(name: str, path: Path, connection: Connection) -> None:
    """Run a case, continuing what is at the path, and tell of the start and commits."""
    (chosen,) = [case for case in CASES if case.name == name]
    recorder.MOST_UNSAVED = 0  # each chunk is committed
    connection.send("ready")
    run_case(chosen, path, ENDLESS, _Told(connection))
