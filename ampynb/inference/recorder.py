"""Saves a run as it goes on, often enough and at a bounded cost."""

from __future__ import annotations

import time
from collections.abc import Callable

from ampynb.algorithms.algorithm import Algorithm
from ampynb.algorithms.codec import encode_state
from ampynb.inference.events import Advanced, Event, Failed, Finished, Saved
from ampynb.inference.store import Folder
from ampynb.results.history import History

__all__ = ["Recorder"]

SHORTEST_INTERVAL = 0.5  # [s]
SHARE_OF_TIME = 0.01  # of the run's, at most, for saving


class Recorder:
    """Commits what is new in a history to a run's folder.

    Parameters
    ----------
    folder : Folder
    algorithm : Algorithm
    history : History
    """

    def __init__(
        self,
        folder: Folder,
        algorithm: Algorithm,
        history: History,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.folder = folder
        self._algorithm, self._history, self._clock = algorithm, history, clock
        self._next = -float("inf")

    def observe(self, event: Event) -> Saved | None:
        """Save if it is time to, or if the event is the last one."""
        if isinstance(event, Finished):
            return self._save(event.reason, event.message, event.step, event.seconds)
        if isinstance(event, Failed):
            message = f"{event.error}: {event.message}"
            return self._save("failed", message, event.step, event.seconds)
        if isinstance(event, Advanced) and self._clock() >= self._next:
            return self._save("running", "", event.step, event.seconds)
        return None

    def close(self) -> None:
        """Let others write to the folder."""
        self.folder.release()

    def _save(self, reason: str, message: str, step: int, seconds: float) -> Saved:
        begun = self._clock()
        chunks, state = self._history.unsaved(), self._history.state
        nothing = state is None
        self.folder.commit(
            chunks,
            {} if nothing else encode_state(state),
            None if nothing else self._algorithm.live(state),
            {"reason": reason, "message": message, "step": step, "seconds": seconds},
        )
        self._history.release(len(chunks), self.folder.draws)
        ended = self._clock()
        wait = max(SHORTEST_INTERVAL, (ended - begun) / SHARE_OF_TIME)
        self._next = ended + wait
        return Saved(str(self.folder.path), step)
