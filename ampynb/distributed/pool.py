"""Processes that compute NumPy likelihoods."""

from __future__ import annotations

import multiprocessing
import pickle
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

import numpy as np

from ampynb.analysis.posterior import Posterior

__all__ = ["LikelihoodPool", "closing_pool", "open_pool"]

Yielded = TypeVar("Yielded")
Sent = TypeVar("Sent")

_held: list[Posterior] = []


class LikelihoodPool:
    """Worker processes that hold the posterior from their start.

    They are spawned and not forked: a fork of a process with JAX's threads may hang.

    Parameters
    ----------
    workers : int
    posterior : Posterior
        Sent to each worker once.
    """

    def __init__(self, workers: int, posterior: Posterior):
        self._workers = workers
        self._executor = ProcessPoolExecutor(
            workers,
            multiprocessing.get_context("spawn"),
            initializer=_hold,
            initargs=(posterior,),
        )

    def map(self, function: Callable, vectors: Iterable[np.ndarray]) -> Iterator[float]:
        """Return the log likelihoods of the posterior that the workers hold.

        ``function`` is not sent: it is that posterior's own.
        """
        vectors = list(vectors)
        share = -(-len(vectors) // self._workers)
        return self._executor.map(_log_likelihood, vectors, chunksize=max(share, 1))

    def close(self) -> None:
        """End the workers."""
        self._executor.shutdown(cancel_futures=True)


def _hold(posterior: Posterior) -> None:
    _held.append(posterior)


def _log_likelihood(vector: np.ndarray) -> float:
    return float(_held[0].log_likelihood(vector))


def open_pool(workers: Any, posterior: Posterior) -> Any:
    """Return the pool that a user asked for, or None for none.

    Raises
    ------
    ValueError
        Where workers cannot help, or cannot be given the analysis.
    """
    if workers is None or workers == 1:
        return None
    if posterior.analysis.use_jax:
        raise ValueError(
            "expected workers=None with a JAX analysis, whose walkers are computed "
            f"together in one program; got workers={workers!r}; leave it out"
        )
    if hasattr(workers, "map"):
        return workers
    kind = type(posterior.analysis)
    interactive = not hasattr(sys.modules["__main__"], "__file__")
    if (kind.__module__ == "__main__" and interactive) or not _can_be_sent(posterior):
        raise ValueError(
            "expected an analysis that other processes can import; got "
            f"{kind.__qualname__}, defined in the notebook or in a function; put the "
            "class into a module, or pass workers=concurrent.futures."
            "ThreadPoolExecutor(n)"
        )
    if not isinstance(workers, int) or workers < 1:
        raise ValueError(
            f"expected workers as a number of processes or a pool with map; got "
            f"{workers!r}; give for instance workers=2"
        )
    return LikelihoodPool(workers, posterior)


def _can_be_sent(posterior: Posterior) -> bool:
    try:
        pickle.dumps(posterior)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return True


def closing_pool(
    loop: Generator[Yielded, Sent, None], pool: Any
) -> Generator[Yielded, Sent, None]:
    """Run a loop and end the pool after it, if the pool is ours."""
    try:
        yield from loop
    finally:
        if isinstance(pool, LikelihoodPool):
            pool.close()
