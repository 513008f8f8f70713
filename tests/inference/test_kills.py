"""Runs that are killed at random moments go on to the chain of an unbroken run."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import ampynb as anb
from ampynb.inference.manifest import MANIFEST
from tests.algorithms.cases import CASES, Case, all_cases
from tests.inference import killed_run

KILLS = -(-52 // len(CASES))
LONGEST_LIFE = 1.5  # after the process is ready [s]


def kill_once(case: Case, path: Path, life: float) -> bool:
    """Start or continue the run, and kill it; False where it ended before."""
    command = [sys.executable, "-m", killed_run.__name__, case.name, str(path)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=root, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        if process.stdout.readline().strip() != "ready":
            raise AssertionError(process.stderr.read())
        time.sleep(life)
        killed = process.poll() is None
        process.kill()
        error = process.stderr.read()
    assert killed or process.returncode == 0, error
    return killed


@pytest.mark.slow
@all_cases
def test_a_killed_run_goes_on_to_the_same_chain(case: Case, tmp_path: Path):
    path = tmp_path / "run"
    random = np.random.default_rng([7, *case.name.encode()])
    lives = random.uniform(0, LONGEST_LIFE, KILLS)
    assert all(kill_once(case, path, life) for life in lives), "the run is too short"
    # Wherever the kills fell, what was committed is whole.
    if (path / MANIFEST).exists():
        anb.open_run(path)
    resumed = killed_run.run_case(case, path)
    whole = killed_run.run_case(case, None)
    np.testing.assert_array_equal(resumed.warmup, whole.warmup)
    np.testing.assert_array_equal(resumed.draws, whole.draws)
    assert resumed.stats.keys() == whole.stats.keys()
    for name, values in whole.stats.items():
        np.testing.assert_array_equal(resumed.stats[name], values, err_msg=name)
    assert resumed.reason == "completed"
