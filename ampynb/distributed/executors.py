"""Processes, threads, MPI ranks and dask tasks, all with ``map`` and ``close``."""

from __future__ import annotations

import functools
import importlib
import multiprocessing
import pickle
import signal
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from typing import Any, Protocol

from ampynb.distributed.sending import pickled

__all__ = [
    "EXECUTORS",
    "ExecutorWorkers",
    "Workers",
    "WorkersLostError",
    "begin_worker",
    "forget",
    "held_call",
    "hold",
    "share_of",
]

_held: dict[str, Callable] = {}


class WorkersLostError(RuntimeError):
    """A worker ended before the run did; it says what to do."""


class Workers(Protocol):
    """Workers that hold one function from their start."""

    def map(self, arguments: Sequence[Any]) -> list:
        """Return what the function gives for each argument, in order."""
        ...

    def close(self) -> None:
        """End the workers."""
        ...


class ExecutorWorkers:
    """Workers of an executor of `concurrent.futures`.

    Parameters
    ----------
    executor : Executor
    number : int
        Into how many shares work is cut.
    function : callable
    """

    def __init__(self, executor: Executor, number: int, function: Callable):
        self._executor, self._number, self._function = executor, number, function
        self._have_worked = False

    def map(self, arguments: Sequence[Any]) -> list:
        """Return what the function gives for each argument, in order."""
        share = share_of(arguments, self._number)
        try:
            values = list(
                self._executor.map(self._function, arguments, chunksize=share)
            )
        except BrokenExecutor as error:
            raise WorkersLostError(self._explained(error)) from error
        self._have_worked = True
        return values

    def _explained(self, error: BrokenExecutor) -> str:
        expected = "expected workers that live as long as the run"
        if error.__cause__ is not None:
            return (
                f"{expected}; got an error from one that cannot be sent here, told "
                "above; raise errors that can be pickled, such as ValueError(text)"
            )
        if not self._have_worked:
            return (
                f"{expected}; got one that ended at its start; see what it printed: a "
                "script that uses processes needs its run below if __name__ == "
                "'__main__':"
            )
        return (
            f"{expected}; got one that was killed or crashed; ask for fewer workers if "
            "memory ran out; resume=True continues from the draws so far"
        )

    def close(self) -> None:
        """End the workers."""
        self._executor.shutdown(cancel_futures=True)


def held_call(
    function: Callable, dumps: Callable[[Any], bytes] | None = None
) -> tuple[tuple[str, bytes], Callable]:
    """Return what `hold` is to be told in each worker, and what makes calls then.

    Parameters
    ----------
    function : callable
    dumps : callable, optional
        See `pickled`.
    """
    name = uuid.uuid4().hex
    return (name, pickled(function, dumps)), functools.partial(_call, name)


def hold(name: str, function: bytes) -> None:
    """Keep a function in this process."""
    _held[name] = pickle.loads(function)


def forget(name: str) -> None:
    """Let go of a function."""
    _held.pop(name, None)


def begin_worker(name: str, function: bytes) -> None:
    """Keep a function in this process, and leave Ctrl-C to the run's own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hold(name, function)


def _call(name: str, argument: Any) -> Any:
    return _held[name](argument)


def share_of(arguments: Sequence[Any], number: int) -> int:
    """Return how many arguments each of a number of workers takes."""
    return max(-(-len(arguments) // max(number, 1)), 1)


def start_threads(number: int, function: Callable) -> Workers:
    """Return threads of this process; nothing is copied."""
    threads = ThreadPoolExecutor(number, thread_name_prefix="ampynb-worker")
    return ExecutorWorkers(threads, number, function)


def start_processes(number: int, function: Callable) -> Workers:
    """Return processes that are sent the function once, when they start.

    They are spawned and not forked: a fork of a process with JAX's threads may hang.
    """
    held, call = held_call(function)
    spawning = multiprocessing.get_context("spawn")
    processes = ProcessPoolExecutor(
        number, spawning, initializer=begin_worker, initargs=held
    )
    return ExecutorWorkers(processes, number, call)


def start_mpi(number: int, function: Callable) -> Workers:
    """Return ranks of an MPI job; see `ampynb.distributed.mpi`."""
    return _optional("mpi", "mpi4py").start(number, function)


def start_dask(number: int, function: Callable) -> Workers:
    """Return workers of dask; see `ampynb.distributed.dask`."""
    return _optional("dask", "distributed").start(number, function)


def _optional(executor: str, library: str) -> Any:
    """Return the module of an executor whose library is an extra."""
    try:
        return importlib.import_module(f"ampynb.distributed.{executor}")
    except ImportError as error:
        raise ImportError(
            f"expected {library} for executor={executor!r}; got {error}; install it "
            f"with pip install 'ampynb[{executor}]', or pass executor='process'"
        ) from error


EXECUTORS: dict[str, Callable[[Any, Callable], Workers]] = {
    "process": start_processes,
    "thread": start_threads,
    "mpi": start_mpi,
    "dask": start_dask,
}
