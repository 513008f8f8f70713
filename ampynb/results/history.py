"""The draws of a run, as they come."""

from __future__ import annotations

import numpy as np

from ampynb.algorithms.algorithm import SAMPLING, WARMUP, Draws

__all__ = ["History"]


class History:
    """Chunks of draws in order; one thread may append while others read.

    Reading copies nothing twice: the chunks of a phase are joined once and kept until
    more arrive.
    """

    def __init__(self):
        self._chunks: list[Draws] = []
        self._counts: dict[str, tuple[int, int]] = {}
        self._joined: dict[str, tuple[int, Draws]] = {}

    def append(self, draws: Draws) -> None:
        """Add the draws of the next steps."""
        self._chunks.append(draws)

    def draws(self, phase: str = SAMPLING) -> Draws | None:
        """Return all draws of a phase, or None where there are none yet."""
        chunks = self._of(phase)
        if not chunks:
            return None
        known = self._joined.get(phase)
        if known is None or known[0] != len(chunks):
            known = self._joined[phase] = (len(chunks), _join(chunks))
        return known[1]

    def since(self, chunk: int) -> list[Draws]:
        """Return the chunks from number ``chunk`` on."""
        return self._chunks[chunk:]

    def warmup_steps(self) -> int:
        """Return the number of warm-up steps so far."""
        return sum(len(chunk.position) for chunk in self._of(WARMUP))

    def count(self, flag: str) -> int | None:
        """Return how often a flag is set after the warm-up; None where there is none.

        Each chunk is counted once, whatever the number of calls.
        """
        chunks = self._of(SAMPLING)
        known, total = self._counts.get(flag, (0, 0))
        fresh = [chunk for chunk in chunks[known:] if flag in chunk.stats]
        total += sum(int(np.sum(chunk.stats[flag])) for chunk in fresh)
        self._counts[flag] = (len(chunks), total)
        return total if chunks and flag in chunks[0].stats else None

    def thinned(
        self, most: int, phase: str | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return evenly spaced steps and their positions, at most ``most``.

        Parameters
        ----------
        most : int
        phase : str, optional
            Of this phase only; of the whole run by default.

        Returns
        -------
        steps : array of int, (n,)
            Counted from 1, within what was asked for.
        position : array, (n, nwalkers, ndim) [model units]
        """
        chunks = self._of(phase)
        lengths = [len(chunk.position) for chunk in chunks]
        stride = max(-(-sum(lengths) // most), 1)
        starts = np.cumsum([0, *lengths[:-1]])
        parts = [
            chunk.position[-start % stride :: stride]
            for chunk, start in zip(chunks, starts, strict=False)
        ]
        steps = np.arange(0, sum(lengths), stride) + 1
        return steps, np.concatenate(parts) if parts else np.zeros((0, 0, 0))

    def _of(self, phase: str | None) -> list[Draws]:
        chunks = list(self._chunks)
        return [c for c in chunks if phase is None or c.phase == phase]


def _join(chunks: list[Draws]) -> Draws:
    stats = {
        name: np.concatenate([chunk.stats[name] for chunk in chunks])
        for name in chunks[0].stats
    }
    position = np.concatenate([chunk.position for chunk in chunks])
    return Draws(position, stats, chunks[0].phase)
