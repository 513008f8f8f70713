"""Work that is done often enough, but never takes more than its share of the time."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Throttle"]


class Throttle:
    """Says when to do a piece of work again.

    It goes by the median of the last three costs, the lower of two: what is loaded or
    laid out once does not keep the next time waiting.

    Parameters
    ----------
    least : float
        Seconds between two times, at least.
    share : float
        Share of a processor that the work may take, at most.
    """

    def __init__(self, least: float, share: float):
        self._least, self._share = least, share
        self._costs: deque[float] = deque([0.0], maxlen=3)
        self._next = -float("inf")

    @property
    def is_due(self) -> bool:
        """Whether it is time again."""
        return time.monotonic() >= self._next

    @contextmanager
    def working(self) -> Iterator[None]:
        """Take the time of the work, also of work that fails."""
        begun = time.thread_time()
        try:
            yield
        finally:
            self._costs.append(time.thread_time() - begun)
            usual = statistics.median_low(self._costs)
            self._next = time.monotonic() + max(self._least, usual / self._share)
