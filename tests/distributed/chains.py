"""What the tests of executors, devices and processes have in common."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import ampynb as anb
from tests.helpers import line_problem

ROOT = Path(__file__).parents[2]
STEPS: dict[str, Any] = {"nwalkers": 8, "burn": 20, "iterations": 60}


def engine(analysis: anb.Analysis) -> anb.InferenceEngine:
    return anb.InferenceEngine(analysis, line_problem().model, seed=2)


def run(analysis: anb.Analysis, workers: Any = None, **options: Any) -> anb.Result:
    options = {**STEPS, "progress": "none", **options}
    return engine(analysis).run(workers=workers, **options)


def whole_chain(result: anb.Result) -> np.ndarray:
    return np.concatenate([result.warmup, result.draws])


def assert_same_chain(first: anb.Result, second: anb.Result) -> None:
    np.testing.assert_array_equal(first.warmup, second.warmup)
    np.testing.assert_array_equal(first.draws, second.draws)
    for name, values in first.stats.items():
        np.testing.assert_array_equal(values, second.stats[name])


def environment(**variables: str) -> dict[str, str]:
    """Return the variables of a process that finds the package and these tests."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", **variables}


def run_python(
    *arguments: str | Path, before: Sequence[str] = (), **variables: str
) -> subprocess.CompletedProcess:
    """Run Python, perhaps started by another command, to its end."""
    return subprocess.run(
        [*before, sys.executable, *map(str, arguments)],
        env=environment(**variables),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
