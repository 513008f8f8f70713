"""Tasks on a cluster of dask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from typing import Any

import cloudpickle
from distributed import Client, KilledWorker, LocalCluster, Worker, WorkerPlugin

from ampynb.distributed.executors import (
    Workers,
    WorkersLostError,
    forget,
    held_call,
    hold,
    share_of,
)

__all__ = ["start"]


class Holder(WorkerPlugin):
    """Keeps a function on every worker, also on one that dask starts anew."""

    def __init__(self, name: str, function: bytes):
        self.name, self.function = name, function

    def setup(self, worker: Worker) -> None:
        """Keep the function."""
        hold(self.name, self.function)

    def teardown(self, worker: Worker) -> None:
        """Let go of the function."""
        forget(self.name)


class DaskWorkers:
    """Workers of a cluster that hold one function.

    One that is lost is started again by dask, and its work is repeated.

    Parameters
    ----------
    number : int or Client
        Processes on this machine, or a cluster of your own, which stays open.
    function : callable
        It is sent whole: also classes that are defined in a notebook.
    """

    def __init__(self, number: int | Client, function: Callable):
        held, self._call = held_call(function, cloudpickle.dumps)
        self._cluster = None
        if isinstance(number, Client):
            self._client = number
        else:
            no_page: Any = None  # its annotation leaves out that there may be none
            self._cluster = LocalCluster(
                n_workers=number, threads_per_worker=1, dashboard_address=no_page
            )
            self._client = Client(self._cluster)
        self._name = held[0]
        self._client.register_plugin(Holder(*held), name=self._name)

    def map(self, arguments: Sequence[Any]) -> list:
        """Return what the function gives for each argument, in order."""
        threads: Any = self._client.nthreads()  # no coroutine: the client is not async
        share = share_of(arguments, sum(threads.values()))
        shares = [arguments[i : i + share] for i in range(0, len(arguments), share)]
        tasks = [
            self._client.submit(_each, self._call, share, pure=False)
            for share in shares
        ]
        try:
            gathered: Any = self._client.gather(tasks)
            return [value for values in gathered for value in values]
        except (KilledWorker, CancelledError) as error:
            raise WorkersLostError(
                f"expected dask's workers to live as long as the run; got {error}; see "
                "their logs; resume=True continues from the draws so far"
            ) from error

    def close(self) -> None:
        """Let go of the function, and end the workers if they are ours."""
        self._client.unregister_worker_plugin(self._name)
        if self._cluster is not None:
            self._client.close()
            self._cluster.close()


def start(number: int | Client, function: Callable) -> Workers:
    """Return workers on this machine, or those of a client."""
    return DaskWorkers(number, function)


def _each(function: Callable, arguments: Sequence[Any]) -> list:
    return [function(argument) for argument in arguments]
