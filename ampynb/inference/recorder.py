"""Saves a run as it goes on: beside it, often enough, and at a bounded cost."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from ampynb.algorithms.algorithm import Algorithm, Draws
from ampynb.algorithms.codec import encode_state
from ampynb.inference.events import Advanced, Event, Failed, Finished, Saved
from ampynb.inference.folder_lock import FolderLock
from ampynb.inference.store import Folder
from ampynb.results.history import History

__all__ = ["Recorder"]

SHORTEST_INTERVAL = 1.0  # between two commits [s]
SHARE_OF_TIME = 0.1  # that commits may take, beside the run
MOST_UNSAVED = 32 * 2**20  # bytes that wait for the next commit


class Recorder:
    """Commits what is new in a history to a run's folder.

    The files are written in a thread of their own, so that the run does not wait for
    the disk; it waits only where the disk cannot keep up. An error is raised at the
    next event.

    Parameters
    ----------
    folder : Folder
    lock : FolderLock
        Released at the end.
    algorithm : Algorithm
    history : History
    """

    def __init__(
        self,
        folder: Folder,
        lock: FolderLock,
        algorithm: Algorithm,
        history: History,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.folder, self._lock = folder, lock
        self._algorithm, self._history, self._clock = algorithm, history, clock
        self._next = -float("inf")
        self._jobs: queue.SimpleQueue | None = None
        self._under_way: Future[Saved] | None = None
        self._warnings: list[str] = []

    def observe(self, event: Event) -> Saved | None:
        """Save if it is time to, or if the event is the last one.

        Returns
        -------
        Saved, optional
            Of a commit that has ended.

        Raises
        ------
        StoreError
            Where a commit has failed.
        """
        if isinstance(event, Finished):
            self._wait()
            return self._commit(event.reason, event.message, event.step, event.seconds)
        if isinstance(event, Failed):
            self._wait()
            message = f"{event.error}: {event.message}"
            return self._commit("failed", message, event.step, event.seconds)
        if not isinstance(event, Advanced):
            return None
        unsaved = sum(map(_bytes, self._history.unsaved()))
        ended = None
        if self._under_way is not None and (
            self._under_way.done() or unsaved > 2 * MOST_UNSAVED
        ):
            ended = self._wait()
        due = self._clock() >= self._next or unsaved > MOST_UNSAVED
        if self._under_way is None and due:
            self._begin_commit(event)
        return ended

    def warn(self, warnings: Sequence[str], at_once: bool) -> None:
        """Save with the next commit, or at once after the last, what went wrong."""
        if list(warnings) == self._warnings:
            return
        self._warnings = list(warnings)
        if at_once:
            self.folder.add_to_status(warnings=self._warnings)

    def close(self) -> None:
        """End the thread, and let others write to the folder."""
        if self._jobs is not None:
            if self._under_way is not None:
                self._under_way.exception()
            self._jobs.put(None)
        self._lock.release()

    def _wait(self) -> Saved | None:
        under_way, self._under_way = self._under_way, None
        return None if under_way is None else under_way.result()

    def _begin_commit(self, event: Advanced) -> None:
        if self._jobs is None:
            self._jobs = queue.SimpleQueue()
            threading.Thread(
                target=_work, args=(self._jobs,), name="ampynb-recorder", daemon=True
            ).start()
        self._under_way = Future()
        commit = self._prepared("running", "", event.step, event.seconds)
        self._jobs.put((self._under_way, commit))

    def _commit(self, reason: str, message: str, step: int, seconds: float) -> Saved:
        return self._prepared(reason, message, step, seconds)()

    def _prepared(
        self, reason: str, message: str, step: int, seconds: float
    ) -> Callable[[], Saved]:
        """Return what commits the history as it is now, also when it has grown."""
        chunks, state = self._history.unsaved(), self._history.state
        arrays = {} if state is None else encode_state(state)
        live = None if state is None else self._algorithm.live(state)
        status: dict[str, Any] = {
            "reason": reason,
            "message": message,
            "step": step,
            "seconds": seconds,
            "warnings": self._warnings,
            "rejections": self._history.rejections.as_dict(),
            "remarks": list(self._history.remarks),
        }

        def commit() -> Saved:
            begun = self._clock()
            self.folder.commit(chunks, arrays, live, status)
            self._history.release(len(chunks), self.folder.saved())
            ended = self._clock()
            wait = max(SHORTEST_INTERVAL, (ended - begun) / SHARE_OF_TIME)
            self._next = ended + wait
            return Saved(str(self.folder.path), step)

        return commit


def _work(jobs: queue.SimpleQueue) -> None:
    while (job := jobs.get()) is not None:
        future, action = job
        try:
            future.set_result(action())
        except Exception as error:
            future.set_exception(error)


def _bytes(chunk: Draws) -> int:
    arrays = chunk.position, *chunk.stats.values(), *chunk.step_stats.values()
    return sum(array.nbytes for array in arrays)
