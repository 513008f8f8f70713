"""NumPy likelihoods on the ranks of an MPI job, really started by mpirun."""

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest

import ampynb as anb
from tests.algorithms.traced_line import TracedLine
from tests.distributed.chains import run, run_python, whole_chain
from tests.helpers import line_problem

HERE = Path(__file__).parent
MPIRUN = ("mpirun", "-n", "3", "--allow-run-as-root", "--oversubscribe")

pytestmark = [
    pytest.mark.mpi,
    pytest.mark.skipif(
        shutil.which("mpirun") is None or importlib.util.find_spec("mpi4py") is None,
        reason="needs mpirun and mpi4py: apt install openmpi-bin libopenmpi-dev, "
        "or conda install openmpi, and pip install 'ampynb[mpi]'",
    ),
]


def mpi_run(what: str, folder: Path, *, module: str | None = None):
    started = [] if module is None else ["-m", module]
    return run_python(*started, HERE / "mpi_run.py", what, folder, before=MPIRUN)


WAYS = [
    pytest.param(None, id="every rank runs the script"),
    pytest.param(
        "mpi4py.futures", id="the first alone runs it", marks=pytest.mark.slow
    ),
]


@pytest.mark.parametrize("module", WAYS)
def test_ranks_draw_the_chain_of_one_process(module: str | None, tmp_path: Path):
    done = mpi_run("runs", tmp_path, module=module)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the script has ended") == 1
    alone = whole_chain(run(line_problem(use_jax=False).analysis))
    with np.load(tmp_path / "chains.npz") as chains:
        np.testing.assert_array_equal(chains["first"], alone)
        np.testing.assert_array_equal(chains["second"], alone)
    stored = anb.open_run(tmp_path / "run")
    np.testing.assert_array_equal(whole_chain(stored), alone)
    processes = TracedLine(tmp_path / "processes.txt").processes()
    assert len(processes) == 3  # the first rank looks for starting points


@pytest.mark.slow
def test_an_error_in_a_rank_ends_the_job_with_its_traceback(tmp_path: Path):
    done = mpi_run("failing", tmp_path)
    assert done.returncode != 0
    assert "draws are kept: True" in done.stdout
    assert "the user's own error" in done.stderr
    assert "in fail\n" in done.stderr
    assert "RunFailedError" in done.stderr


@pytest.mark.slow
def test_more_workers_than_ranks_are_refused(tmp_path: Path):
    done = mpi_run("many", tmp_path)
    assert done.returncode != 0
    assert "expected at most as many workers as there are ranks" in done.stderr
    assert "mpirun -n 6 python" in done.stderr


@pytest.mark.slow
def test_a_script_that_mpirun_has_not_started_is_told_how(tmp_path: Path):
    done = run_python(HERE / "mpi_run.py", "many", tmp_path)
    assert done.returncode != 0
    assert "besides the first, 0; got 5; start the script as mpirun" in done.stderr
