"""Ranks of an MPI job that compute for the first one."""

from __future__ import annotations

import atexit
import functools
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from mpi4py import MPI
from mpi4py.futures import MPICommExecutor

from ampynb.distributed.executors import (
    ExecutorWorkers,
    Workers,
    begin_worker,
    held_call,
)

__all__ = ["start"]

SERVE, END = 1, 0
SECONDS_BETWEEN_LOOKS = 0.01


def start(number: int, function: Callable) -> Workers:
    """Return the other ranks of ``mpirun``, which are sent the function once.

    The first rank goes on with the script. Where all ranks run it, the others compute
    for the first from here on, and end with it.

    Raises
    ------
    ValueError
        Where there are too few ranks.
    """
    world, others = MPI.COMM_WORLD, MPI.COMM_WORLD.size - 1
    if number > others:
        raise ValueError(
            f"expected at most as many workers as there are ranks besides the first, "
            f"{others}; got {number}; start the script as mpirun -n {number + 1} "
            "python script.py, or pass executor='process'"
        )
    held, call = held_call(function)
    # Under `python -m mpi4py.futures` the other ranks compute and do nothing else.
    if "mpi4py.futures" not in sys.orig_argv:
        if world.rank > 0:
            _serve()
        _register_end()
        _tell(SERVE)
    executor: Any = MPICommExecutor(
        world, root=0, initializer=begin_worker, initargs=held
    )
    # Its exit is the shutdown of the executor that it gives.
    return ExecutorWorkers(executor.__enter__(), number, call)


def _serve() -> NoReturn:
    """Compute for the first rank until its script ends, and end this process."""
    while _heard() == SERVE:
        with MPICommExecutor(MPI.COMM_WORLD, root=0):
            pass
    sys.exit(0)


@functools.cache
def _register_end() -> None:
    atexit.register(_tell, END)


def _tell(what: int) -> None:
    MPI.COMM_WORLD.Ibcast(bytearray([what]), root=0).Wait()


def _heard() -> int:
    """Return what the first rank tells; a blocking wait would keep a core busy."""
    told = bytearray(1)
    request = MPI.COMM_WORLD.Ibcast(told, root=0)
    while not request.Test():
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return told[0]
