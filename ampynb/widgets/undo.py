"""Undo and redo."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["UndoHistory"]

State = TypeVar("State")
SECONDS_OF_A_GESTURE = 1.0


class UndoHistory(Generic[State]):
    """States in the order in which they came, and where in it we are.

    A drag of one slider is one entry: states with the same key, each within a second
    of the one before, replace each other.

    Parameters
    ----------
    state
        The first.
    clock : callable
        Returns seconds.
    """

    def __init__(self, state: State, clock: Callable[[], float] = time.monotonic):
        self._states, self._at = [state], 0
        self._clock = clock
        self._key: Hashable = None
        self._last = -float("inf")

    @property
    def state(self) -> State:
        """The present state."""
        return self._states[self._at]

    @property
    def can_undo(self) -> bool:
        """Whether there is a state before the present one."""
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        """Whether a state has been undone."""
        return self._at < len(self._states) - 1

    def record(self, state: State, key: Hashable = None) -> None:
        """Add a state; what was undone is forgotten.

        Parameters
        ----------
        key : hashable, optional
            What was moved; None never merges.
        """
        now = self._clock()
        same = key is not None and key == self._key
        del self._states[self._at + 1 :]
        if not (same and now - self._last < SECONDS_OF_A_GESTURE):
            self._at += 1
        self._states[self._at :] = [state]
        self._key, self._last = key, now

    def replace(self, state: State) -> None:
        """Put a state in the place of the present one; what was undone is forgotten."""
        self._states[self._at :] = [state]

    def undo(self) -> State:
        """Go back by one state, or stay at the first; return where we are."""
        self._at, self._key = max(self._at - 1, 0), None
        return self.state

    def redo(self) -> State:
        """Go forward by one state, or stay at the last; return where we are."""
        self._at, self._key = min(self._at + 1, len(self._states) - 1), None
        return self.state
