"""Contests: what ampynb and a peer do in the same time, in turns, in one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["HEAD", "Contest", "row"]

HEAD = f"{'contest':52s} {'by wall time':>20s} {'by CPU time':>20s} {'bar':>6s}"
Work = Callable[[int], float]


@dataclass(frozen=True)
class Contest:
    """Two ways to the same thing.

    Attributes
    ----------
    name : str
    ours, peer : callable
        ``ours(seed)`` does some work and returns how much: steps, effective samples,
        1/error^2, or 1 for a whole run.
    bar : float
        How many times the peer's work ampynb is to do in the same time, or more.
    rounds : int
    warm : bool
        Whether both run once before they are timed, so that nothing is compiled later.
    """

    name: str
    ours: Work
    peer: Work
    bar: float
    rounds: int = 5
    warm: bool = True


def timed(work: Work, seed: int) -> tuple[float, float]:
    """Return the work done in a second of wall and of CPU time, of all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    done = work(seed)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return done / wall, done / cpu


def row(contest: Contest) -> str:
    """Hold a contest and return its row: the median ratios, and their spans."""
    both = contest.ours, contest.peer
    if contest.warm:
        for work in both:
            work(0)
    wall, cpu = [], []
    for seed in range(1, contest.rounds + 1):
        # Each goes first in turn: the second finds the caches full.
        order = both if seed % 2 else both[::-1]
        found = {work: timed(work, seed) for work in order}
        ours, peer = (found[work] for work in both)
        wall.append(ours[0] / peer[0])
        cpu.append(ours[1] / peer[1])
    cells = [
        f"{statistics.median(one):.3g} ({min(one):.3g}-{max(one):.3g})"
        for one in (wall, cpu)
    ]
    return f"{contest.name:52s} {cells[0]:>20s} {cells[1]:>20s} {contest.bar:6.3g}"
