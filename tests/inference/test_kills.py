"""Runs that are killed at random moments go on to the chain of an unbroken run."""

import multiprocessing
import time
from pathlib import Path

import numpy as np
import pytest

import ampynb as anb
from ampynb.algorithms.algorithm import SAMPLING, WARMUP
from ampynb.inference.manifest import MANIFEST
from tests.algorithms.cases import CASES, Case, all_cases
from tests.inference import killed_run
from tests.inference.broken_runs import assert_same

KILLS = -(-52 // sum(not case.ends_itself for case in CASES))
# Each life is a fork of one process, which has imported most and computed nothing: no
# blackjax, which computes when it is imported.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["ampynb.inference.engine", "ampynb.algorithms.hmc", "emcee", "dynesty", "pytest"]
)
MOST_COMMITS = 5  # of one life
LONGEST_WAIT = 0.1  # after the last of them [s]
MORE = 100  # steps of the last life, which ends by itself


def kill_once(case: Case, path: Path, commits: int, wait: float) -> bool:
    """Start or continue the run, and kill it; False where it ended before."""
    told, telling = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(
        target=killed_run.run_until_killed, args=(case.name, path, telling)
    )
    process.start()
    telling.close()
    try:
        for _ in range(1 + commits):  # the first is of its start
            told.recv()
    except EOFError:  # it has ended
        pass
    time.sleep(wait)
    killed = process.is_alive()
    process.kill()
    process.join()
    assert killed or process.exitcode == 0
    return killed


def steps_in(path: Path) -> int:
    """Return the steps that were committed; a nested run's draws are not these."""
    history = anb.open_run(path).history
    drawn = (history.draws(phase) for phase in (WARMUP, SAMPLING))
    return sum(len(draws.position) for draws in drawn if draws is not None)


@pytest.mark.slow
@all_cases
def test_a_killed_run_goes_on_to_the_same_chain(case: Case, tmp_path: Path):
    path, reached = tmp_path / "run", []
    random = np.random.default_rng([7, *case.name.encode()])
    # One while it compiles; the others at a random moment after a random commit.
    for commits in [0, *random.integers(1, MOST_COMMITS, KILLS - 1, endpoint=True)]:
        if not kill_once(case, path, commits, random.uniform(0, LONGEST_WAIT)):
            assert case.ends_itself
            break
        if (path / MANIFEST).exists():  # wherever it fell, what was committed is whole
            reached.append(steps_in(path))
    assert reached == sorted(reached) and len({0, *reached}) > 1, "no commit survived"
    iterations = len(anb.open_run(path).draws) + MORE
    resumed = killed_run.run_case(case, path, iterations)
    assert_same(resumed, killed_run.run_case(case, None, iterations))
    assert resumed.reason == "completed"
