"""The draws of a run, as they come."""

from __future__ import annotations

import numpy as np

from ampynb.algorithms.algorithm import SAMPLING, Draws

__all__ = ["History"]


class History:
    """Chunks of draws in order; one thread may append while others read.

    Reading copies nothing twice: the chunks of a phase are joined once and kept until
    more arrive.
    """

    def __init__(self):
        self._chunks: list[Draws] = []
        self._joined: dict[str, tuple[int, Draws]] = {}

    def append(self, draws: Draws) -> None:
        """Add the draws of the next steps."""
        self._chunks.append(draws)

    def draws(self, phase: str = SAMPLING) -> Draws | None:
        """Return all draws of a phase, or None where there are none yet."""
        chunks = [chunk for chunk in list(self._chunks) if chunk.phase == phase]
        if not chunks:
            return None
        known = self._joined.get(phase)
        if known is None or known[0] != len(chunks):
            known = self._joined[phase] = (len(chunks), _join(chunks))
        return known[1]

    def latest(self) -> Draws | None:
        """Return the last chunk, or None where there is none yet."""
        return self._chunks[-1] if self._chunks else None

    def recent(self, steps: int) -> np.ndarray | None:
        """Return the positions of about the last ``steps`` steps of any phase."""
        taken, found = [], 0
        for chunk in reversed(list(self._chunks)):
            taken.append(chunk.position)
            found += len(chunk.position)
            if found >= steps:
                break
        return np.concatenate(taken[::-1])[-steps:] if taken else None


def _join(chunks: list[Draws]) -> Draws:
    stats = {
        name: np.concatenate([chunk.stats[name] for chunk in chunks])
        for name in chunks[0].stats
    }
    position = np.concatenate([chunk.position for chunk in chunks])
    return Draws(position, stats, chunks[0].phase)
