"""Where NumPy likelihoods are computed: pools of workers, ours and users' own."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import numpy as np

from ampynb.analysis.posterior import Posterior
from ampynb.distributed.executors import EXECUTORS, Workers

__all__ = ["WorkerPool", "ending", "get_pool_context", "open_pool"]

Yielded = TypeVar("Yielded")
Sent = TypeVar("Sent")


class WorkerPool:
    """Workers that hold the function that they compute, which is sent to them once.

    Parameters
    ----------
    workers : int or dask Client
    executor : str
    """

    def __init__(self, workers: Any, executor: str):
        self._number, self._executor = workers, executor
        self._function: Callable | None = None
        self._workers: Workers | None = None

    def hold(self, function: Callable) -> None:
        """Start the workers, with this function as it is now."""
        self.close()
        self._workers = EXECUTORS[self._executor](self._number, function)
        self._function = function

    def map(self, function: Callable, arguments: Iterable[Any]) -> list:
        """Return what the function gives for each argument, in order."""
        if self._workers is None or function != self._function:
            self.hold(function)
        assert self._workers is not None
        return self._workers.map(list(arguments))

    def close(self) -> None:
        """End the workers."""
        if self._workers is not None:
            self._workers.close()
            self._workers = None

    def __repr__(self) -> str:
        state = "idle" if self._workers is None else "running"
        return f"WorkerPool({self._number}, executor={self._executor!r}; {state})"


@contextmanager
def get_pool_context(
    workers: Any = None, executor: str = "process"
) -> Iterator[Any | None]:
    """Give workers to several runs, or to an outside sampler, and end them after.

    The value is None where there are no workers to start, and else a pool whose ``map``
    sends a function to the workers once and not at each call. One run at a time.

    Parameters
    ----------
    workers : int, optional
        How many; None and 1 are this process alone. Or, for dask, a client.
    executor : str
        ``"process"``, ``"thread"``, ``"mpi"`` or ``"dask"``.

    Raises
    ------
    ValueError
        For workers that there cannot be.
    ImportError
        Where the library of an executor is not installed; it names the extra.

    Notes
    -----
    *process*: they import the analysis' class from its module. A script needs ``if
    __name__ == "__main__":`` around its runs.

    *thread*: for likelihoods that NumPy computes outside Python's lock, and for what
    cannot be sent to a process. All use one analysis, which must not change itself.

    *mpi*: start the script as ``mpirun -n 3 python script.py`` and ask for 2 workers.
    All ranks run it as far as the first use of the workers; from there on the others
    compute for the first, which alone goes on, and end with it. The script needs
    no guard. ``mpirun -n 3 python -m mpi4py.futures script.py`` does as well, with one.
    mpirun ends the whole job where a rank dies: give the run a path.

    *dask*: processes of this machine, or those of a cluster with ``workers=client``.
    The analysis is sent whole, also where a notebook defines it; workers need ampynb.
    dask starts lost workers again and repeats their work.

    Examples
    --------
    ::

        with get_pool_context(workers=4) as pool:
            engine.run(nwalkers=32, iterations=1000, workers=pool)
    """
    pool = _pool_from(workers, executor)
    try:
        yield pool
    finally:
        if isinstance(pool, WorkerPool):
            pool.close()


@contextmanager
def open_pool(
    workers: Any, executor: str, posterior: Posterior
) -> Iterator[Any | None]:
    """Give a run the pool that a user asked for, or None, and end it if it is ours.

    Raises
    ------
    ValueError
        Where workers cannot help, or cannot be given the analysis.
    """
    pool = _pool_from(workers, executor)
    if workers is None and executor != "process":
        raise ValueError(
            f"expected workers with executor={executor!r}; got none; say how many, as "
            "workers=2, or leave executor out"
        )
    if pool is not None and posterior.analysis.use_jax:
        raise ValueError(
            "expected workers=None with a JAX analysis, whose walkers are computed "
            f"together in one program; got workers={workers!r}; leave it out; devices "
            "are shared without it"
        )
    if isinstance(pool, WorkerPool):
        pool.hold(posterior.evaluate)
    try:
        yield pool
    finally:
        if isinstance(pool, WorkerPool) and pool is not workers:
            pool.close()


def _pool_from(workers: Any, executor: str) -> Any | None:
    if executor not in EXECUTORS:
        raise ValueError(
            f"expected executor among {', '.join(map(repr, EXECUTORS))}; got "
            f"{executor!r}; 'process' is usual"
        )
    is_cluster = executor == "dask" and hasattr(workers, "scatter")
    if workers is None or (hasattr(workers, "map") and not is_cluster):
        return workers
    is_count = isinstance(workers, int | np.integer) and not isinstance(workers, bool)
    if not is_cluster and not (is_count and workers >= 1):
        raise ValueError(
            f"expected workers as a whole number or a pool with map; got {workers!r}; "
            "give for instance workers=2"
        )
    # With MPI the rank that runs the script computes nothing itself.
    alone = not is_cluster and workers == 1 and executor != "mpi"
    return None if alone else WorkerPool(workers, executor)


def ending(
    loop: Generator[Yielded, Sent, None], resources: ExitStack
) -> Generator[Yielded, Sent, None]:
    """Run a loop, and close what it needs after it."""
    with resources:
        yield from loop
