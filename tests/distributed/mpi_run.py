"""A script that every rank of an MPI job runs; its arguments say what and where.

``mpirun -n 3 python mpi_run.py runs FOLDER`` and the like; see `test_mpi`.
"""

import sys
from pathlib import Path

import numpy as np

from ampynb.inference.run import RunFailedError
from tests.algorithms.traced_line import FailingElsewhere, TracedLine
from tests.distributed.chains import engine, run, whole_chain

MPI = {"workers": 2, "executor": "mpi"}


class InScript(TracedLine):
    """An analysis that is defined in the script itself."""


def two_runs(folder: Path) -> None:
    """Two runs, one of which is saved, and what comes after them."""
    analysis = InScript(folder / "processes.txt", seconds=0.002)
    first = run(analysis, path=folder / "run", **MPI)
    mine = engine(analysis)
    second = mine.start(nwalkers=8, burn=20, iterations=60, progress="none", **MPI)
    np.savez(
        folder / "chains.npz",
        first=whole_chain(first),
        second=whole_chain(second.wait(60)),
    )
    print("the script has ended")


def failing(folder: Path) -> None:
    """A likelihood that fails in the other ranks."""
    analysis = FailingElsewhere(folder / "processes.txt", after=100)
    try:
        run(analysis, iterations=10**5, **MPI)
    except RunFailedError as error:
        drawn = len(error.result.warmup) + len(error.result.draws)
        print("draws are kept:", drawn > 0)
        raise


def too_many(folder: Path) -> None:
    """More workers than there are ranks."""
    run(TracedLine(folder / "processes.txt"), workers=5, executor="mpi")


if __name__ == "__main__":
    {"runs": two_runs, "failing": failing, "many": too_many}[sys.argv[1]](
        Path(sys.argv[2])
    )
