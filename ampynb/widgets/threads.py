"""Threads for the work of widgets, used again by the next who has some.

The GNU C library gives each new thread another arena of memory, and keeps what was
freed there: cells that make threads each time they run fill arena after arena. The
executors of the standard library would wait for an optimiser when the kernel ends, and
keep their threads for good.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable

__all__ = ["in_thread"]

SECONDS_OF_REST = 60.0

# What each thread that rests waits at. The longest at rest is first: so none ends while
# there is work now and then, only to be made anew.
_resting: deque[queue.SimpleQueue] = deque()
_lock = threading.Lock()


def in_thread(work: Callable[[], None]) -> None:
    """Begin work in a thread that rests, or in a new one; return at once."""
    with _lock:
        inbox = _resting.popleft() if _resting else None
    if inbox is None:
        inbox = queue.SimpleQueue()
        thread = threading.Thread(
            target=_serve, args=(inbox,), name="ampynb-widgets", daemon=True
        )
        thread.start()
    inbox.put(work)


def _serve(inbox: queue.SimpleQueue) -> None:
    """Do what is left in the inbox, until there was nothing for a while."""
    while (work := _next(inbox)) is not None:
        work()
        del work
        with _lock:
            _resting.append(inbox)


def _next(inbox: queue.SimpleQueue) -> Callable[[], None] | None:
    try:
        return inbox.get(timeout=SECONDS_OF_REST)
    except queue.Empty:
        with _lock:
            if inbox in _resting:
                _resting.remove(inbox)
                return None
    return inbox.get()  # it was taken from rest in the last moment
