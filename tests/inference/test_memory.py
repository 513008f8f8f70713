"""A saved run takes no more memory than what is asked of it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ampynb.algorithms.algorithm import SAMPLING, Draws
from ampynb.results.history import FEWEST_ROWS, KEPT_BYTES, History
from tests.inference import grown_run

REPOSITORY = Path(__file__).parents[2]
DRAWS = 8 * grown_run.NWALKERS * grown_run.STEPS * grown_run.NDIM  # 2e6 of 20: 320 MB


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="it needs Linux")
def test_two_million_draws_of_twenty_parameters_are_not_kept(tmp_path: Path):
    told = subprocess.run(
        [sys.executable, "-m", grown_run.__name__, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=True,
    )
    after_run, after_look, after_use = map(int, told.stdout.split())
    assert after_run < 0.5 * DRAWS, "what waits for the disk, and rows for pictures"
    assert after_look < 0.75 * DRAWS
    assert after_use - after_look < 0.1 * DRAWS
    size = sum(file.stat().st_size for file in (tmp_path / "run").iterdir())
    assert size > DRAWS


@pytest.mark.parametrize("nwalkers", [4, 200, 2000])
def test_what_is_kept_for_pictures_is_bounded(nwalkers: int):
    history, row = History(), 8 * nwalkers * 20
    chunk = Draws(np.ones((100, nwalkers, 20)), {}, SAMPLING)
    for _ in range(30):
        history.append(chunk)
        history.release(1, lambda phase: None)
    _, kept = history.thinned(10**6, SAMPLING)
    assert len(kept) >= FEWEST_ROWS / 2
    assert kept.nbytes <= max(KEPT_BYTES, FEWEST_ROWS * row)
