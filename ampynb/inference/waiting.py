"""Waiting for what samples in another thread."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["wait_or_stop"]

SECONDS_PER_LOOK = 0.05


def wait_or_stop(
    has_ended: Callable[[float], bool],
    stop: Callable[[], None],
    timeout: float | None = None,
) -> bool:
    """Wait for an end, and return whether it came within a time.

    An interrupt stops what is waited for, which ends soon then; a second one is raised.

    Parameters
    ----------
    has_ended : callable
        ``has_ended(seconds)`` waits so long at most.
    stop : callable
    timeout : float, optional [s]
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        return _wait_until(has_ended, deadline)
    except KeyboardInterrupt:
        stop()
        return _wait_until(has_ended, deadline)


def _wait_until(has_ended: Callable[[float], bool], deadline: float | None) -> bool:
    # In short waits: a long one would not notice an interrupt on every platform.
    while not has_ended(SECONDS_PER_LOOK):
        if deadline is not None and time.monotonic() > deadline:
            return False
    return True
