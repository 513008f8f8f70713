"""A run that saves without pause, for others to kill: ``killed_run.py CASE PATH``.

It prints a line at each commit. ``run_case`` is the same run, unbroken or continued to
an end, for whoever imports this module.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import ampynb as anb
from ampynb.inference import recorder
from ampynb.inference.events import Event, Saved
from tests.algorithms.cases import CASES, Case

ENDLESS = 10**7
LONGER = {  # what ends itself, by the live points that it has to replace
    "nested": {"nwalkers": 500, "share_replaced": 2e-3},
    "dynesty": {"nwalkers": 200, "share_replaced": 5e-3},
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
    """Tells on a line of each commit."""

    def show(self, event: Event) -> None:
        if isinstance(event, Saved):
            print(event.step, flush=True)


if __name__ == "__main__":
    (chosen,) = [case for case in CASES if case.name == sys.argv[1]]
    recorder.MOST_UNSAVED = 0  # each chunk is committed
    print("ready", flush=True)
    run_case(chosen, Path(sys.argv[2]), ENDLESS, _Told())
