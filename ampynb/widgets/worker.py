"""Work that callbacks leave to a thread: the newest of each kind, the urgent first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from typing import Any

from ampynb.widgets.threads import in_thread

__all__ = ["Worker"]


class Worker:
    """Does work in a thread, one job after the other, with one slot for each kind.

    A new job takes the place of a waiting one of its kind, so that only the newest is
    ever done. A job may be a generator: after each of its steps, more urgent work has
    its turn, and a newer job of the same kind ends it.

    Parameters
    ----------
    kinds : tuple of str
        From the most urgent to the least.
    on_error : callable
        Takes an exception of a job.
    """

    def __init__(self, kinds: tuple[str, ...], on_error: Callable[[Exception], Any]):
        self._kinds, self._on_error = kinds, on_error
        self._jobs: dict[str, tuple[float, Any]] = {}  # when it is due, and what
        self._changed = threading.Condition()
        self._working = False
        self._busy = False

    def submit(
        self, kind: str, job: Callable[[], Generator | None], after: float = 0.0
    ) -> None:
        """Leave a job, to be done in so many seconds or later; return at once."""
        if kind not in self._kinds:
            raise ValueError(f"expected one of {self._kinds}; got {kind!r}")
        with self._changed:
            self._jobs[kind] = (time.monotonic() + after, job)
            if not self._working:
                self._working = True
                in_thread(self._work)
            self._changed.notify_all()

    def close(self) -> None:
        """Forget the jobs that wait, and let go of the thread."""
        with self._changed:
            self._jobs.clear()
            self._changed.notify_all()

    def wait(self, timeout: float = 60.0) -> bool:
        """Wait until all is done; return whether it was in time."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._jobs and not self._busy, timeout
            )

    def _next(self) -> tuple[str, Any] | None:
        """Take the most urgent job, once it is due, or None where there is none."""
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            while self._jobs:
                now = time.monotonic()
                for kind in self._kinds:
                    if kind in self._jobs and self._jobs[kind][0] <= now:
                        self._busy = True
                        return kind, self._jobs.pop(kind)[1]
                self._changed.wait(min(due for due, _ in self._jobs.values()) - now)
            self._working = False
            return None

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            kind, job = taken
            try:
                steps = job if isinstance(job, Generator) else job()
                if isinstance(steps, Generator) and _advance(steps):
                    with self._changed:
                        self._jobs.setdefault(kind, (0.0, steps))
            except Exception as error:
                self._on_error(error)
            del job, taken


def _advance(steps: Generator) -> bool:
    """Do one step; return whether more are to come."""
    try:
        next(steps)
    except StopIteration:
        return False
    return True
