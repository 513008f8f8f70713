"""A run that saves without pause, for others to kill: ``killed_run.py CASE PATH``.

``run_case`` is the same run, unbroken, for whoever imports this module.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import ampynb as anb
from ampynb.inference import recorder
from tests.algorithms.cases import CASES, Case

ITERATIONS = {"emcee": 6_000, "emcee mixture": 6_000, "scripted": 15_000}
LONGER = {  # what ends itself, by the live points that it has to replace
    "nested": {"nwalkers": 2_000, "share_replaced": 5e-4},
    "dynesty": {"nwalkers": 300, "share_replaced": 0.01},
}
USUAL_ITERATIONS = 40_000


def run_case(case: Case, path: Path | None) -> anb.Result:
    """Run a case to its end, continuing what is at the path."""
    problem = case.problem()
    algorithm = case.with_steps(ITERATIONS.get(case.name, USUAL_ITERATIONS))
    algorithm = dataclasses.replace(algorithm, **LONGER.get(case.name, {}))
    engine = anb.InferenceEngine(problem.analysis, problem.model, seed=5)
    resume = "auto" if path is not None else False
    return engine.run(sampler=algorithm, path=path, resume=resume, progress="none")


if __name__ == "__main__":
    (chosen,) = [case for case in CASES if case.name == sys.argv[1]]
    recorder.SHORTEST_INTERVAL, recorder.SHARE_OF_TIME = 0.0, 1.0
    print("ready", flush=True)
    run_case(chosen, Path(sys.argv[2]))
