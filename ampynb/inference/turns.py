"""Several runs that take turns in one thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from ampynb.inference.run import Renderer, Run

__all__ = ["drive_in_turns"]

ENDED = object()
SECONDS_BETWEEN_LOOKS = 0.02  # at runs that are all paused


def drive_in_turns(
    runs: Sequence[Run], renderers: Sequence[Sequence[Renderer]]
) -> threading.Thread:
    """Make the draws of several runs in one worker thread, and return it at once.

    The next chunk is always that of the run which has computed for the least time so
    far. So each has the processors for itself while it computes, and the times that
    the runs take can be compared.

    Parameters
    ----------
    runs : sequence of Run
    renderers : sequence of sequence of renderers
        Those of each run.
    """
    thread = threading.Thread(
        target=_take_turns, args=(runs, renderers), name="ampynb-turns", daemon=True
    )
    thread.start()
    return thread


def _take_turns(runs: Sequence[Run], renderers: Sequence[Sequence[Renderer]]) -> None:
    going = {
        run: run.driving(shown) for run, shown in zip(runs, renderers, strict=True)
    }
    while going:
        ready = [run for run in going if run.may_go_on()]
        if not ready:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            continue
        # One that is to stop needs no computing: it goes first.
        run = min(ready, key=lambda run: (not run.is_stopping, run.status.seconds))
        if next(going[run], ENDED) is ENDED:
            del going[run]
