"""The draws of a run, as they come: in memory, or in files as far as they are saved."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ampynb.algorithms.algorithm import SAMPLING, WARMUP, Draws, Status
from ampynb.analysis.rejections import NO_REJECTIONS
from ampynb.results.tally import Tally

__all__ = ["Best", "History", "Snapshot"]

ROWS_AT_ONCE = 4096  # of files that are gone through
KEPT_ROWS = 2048  # steps of each phase at hand for pictures and diagnostics,
KEPT_BYTES = 16 * 2**20  # fewer where there are many walkers,
FEWEST_ROWS = 64  # but not fewer than these
LATEST_ROWS = 2000  # sampling steps at hand as they follow each other


class Best(NamedTuple):
    """The draw at which a density is highest."""

    value: float
    position: np.ndarray


class Snapshot(NamedTuple):
    """A history as it was at one moment, between two chunks."""

    warmup: Draws | None
    sampling: Draws | None
    state: Any
    best: Best | None


class History:
    """Chunks of draws in order; one thread may append while others read.

    What pictures, rules and counters need is taken from each chunk as it comes: reading
    it costs the same however long the run is, and reads no file.

    Attributes
    ----------
    state : pytree
        The algorithm's state after the last draw.
    live : Draws or None
        Points that belong to the outcome and are no draws yet, as they were last.
    tally : dict of str to Tally
        What chains and temperatures say of themselves, by phase.
    rejections : Rejections
        Points that the likelihood has rejected so far.
    defaults : str
        What was left out where the run was asked for, and what it is then.
    said : tuple of str
        What else the algorithm says of the draws.
    periods : array, (ndim,)
        Of parameters that wrap, infinite of others; empty where none is known to.
    """

    def __init__(self):
        self.state: Any = None
        self.live: Draws | None = None
        self.rejections = NO_REJECTIONS
        self.defaults = ""
        self.said: tuple[str, ...] = ()
        self.periods = np.zeros(0)
        self.tally = {WARMUP: Tally(), SAMPLING: Tally()}
        self._chunks: list[Draws] = []
        self._saved: Callable[[str], Draws | None] = _nothing_saved
        self._joined: dict[str, tuple[int, Draws]] = {}
        self._rows = {WARMUP: _EvenRows(), SAMPLING: _EvenRows(), None: _EvenRows()}
        self._latest = np.zeros((0, 0, 0))
        self._counts: dict[str, int] = {}
        self._best: dict[tuple[str, str], Best] = {}
        self._lock = threading.RLock()

    # Writing

    def append(self, draws: Draws, state: Any = None) -> None:
        """Add the draws of the next steps, and the state after them."""
        with self._lock:
            self._chunks.append(draws)
            self.state = state
            self._take_note(draws)

    def note_live(self, live: Draws) -> None:
        """Take note of points that are no draws yet; `best` may be among them."""
        with self._lock:
            self.live = live
            self._note_densities(live)

    def note_status(self, status: Status) -> None:
        """Record the algorithm's rejections and remarks."""
        self.rejections, self.said = status.rejections, status.remarks

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be known of the draws, and is nothing wrong with them."""
        return tuple(filter(None, [self.defaults, *self.said]))

    def unsaved(self) -> list[Draws]:
        """Return the chunks that are in memory only, in order."""
        with self._lock:
            return list(self._chunks)

    def release(self, n: int, saved: Callable[[str], Draws | None]) -> None:
        """Let go of the first ``n`` chunks: ``saved(phase)`` gives them from now on."""
        with self._lock:
            self._chunks, self._saved = self._chunks[n:], saved
            self._joined.clear()

    def restore(self, saved: Callable[[str], Draws | None], state: Any) -> None:
        """Begin with the draws and the state of a run that was saved."""
        self.release(0, saved)
        self.state = state
        for phase in (WARMUP, SAMPLING):
            if (draws := saved(phase)) is not None:
                for some in _in_parts(draws):
                    self._take_note(some)

    def copy(self) -> History:
        """Return a history that goes on from here, and leaves this one as it is."""
        with self._lock:
            other = History()
            other.state, other._saved = self.state, self._saved
            other.periods = self.periods
            other._chunks, other._counts = list(self._chunks), dict(self._counts)
            other._best, other.live = dict(self._best), self.live
            other._latest = self._latest
            other.rejections, other.said = self.rejections, self.said
            other.defaults = self.defaults
            other.tally = {phase: one.copy() for phase, one in self.tally.items()}
            other._rows = {phase: rows.copy() for phase, rows in self._rows.items()}
            return other

    def keep(self, rows: int) -> None:
        """Keep so many evenly spaced sampling steps at hand, if not more."""
        with self._lock:
            if rows > self._rows[SAMPLING].least:
                self._rows[SAMPLING] = kept = _EvenRows(rows)
                drawn = self.draws(SAMPLING)
                for some in () if drawn is None else _in_parts(drawn):
                    kept.take(some.position)

    def _take_note(self, draws: Draws) -> None:
        if not len(draws.position):
            return
        self._rows[draws.phase].take(draws.position)
        self._rows[None].take(draws.position)
        self._note_densities(draws)
        if draws.phase == SAMPLING:
            self._note_latest(draws.position)
        self.tally[draws.phase].take(draws)
        for name, values in draws.stats.items():
            if draws.phase == SAMPLING and values.dtype == bool:
                self._counts[name] = self._counts.get(name, 0) + int(values.sum())

    def _note_latest(self, rows: np.ndarray) -> None:
        # New arrays: whoever reads the old one does so in another thread.
        most = min(LATEST_ROWS, max(KEPT_BYTES // rows[0].nbytes, FEWEST_ROWS))
        known = self._latest if len(self._latest) else rows[:0]
        self._latest = np.concatenate([known, rows[-most:]])[-most:].copy()

    def _note_densities(self, draws: Draws) -> None:
        for name in ("lp", "log_likelihood"):
            self._note_best(name, draws)

    def _note_best(self, name: str, draws: Draws) -> None:
        values = draws.stats.get(name)
        if values is None:
            return
        place = np.unravel_index(np.argmax(values), values.shape)
        known = self._best.get((name, draws.phase))
        if known is None or values[place] > known.value:
            position = np.array(draws.position[place])
            self._best[name, draws.phase] = Best(float(values[place]), position)

    def __getstate__(self) -> dict[str, Any]:
        """Return the history for a pickle or a deep copy, all draws in memory.

        The algorithm's state is left out: a copy is read, and not continued.
        """
        with self._lock:
            drawn = [self.draws(phase) for phase in (WARMUP, SAMPLING)]
            kept = vars(self.copy())
        del kept["_lock"]
        chunks = [draws for draws in drawn if draws is not None]
        return {**kept, "state": None, "_chunks": chunks, "_saved": _nothing_saved}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._lock = threading.RLock()

    # Reading

    def draws(self, phase: str = SAMPLING) -> Draws | None:
        """Return all draws of a phase, or None where there are none yet.

        Saved draws are arrays that read their file when they are used.
        """
        with self._lock:
            saved, chunks = self._saved(phase), self._of(phase)
            parts = ([] if saved is None else [saved]) + chunks
            if len(parts) <= 1:
                return parts[0] if parts else None
            known = self._joined.get(phase)
            if known is None or known[0] != len(parts):
                known = self._joined[phase] = (len(parts), _join(parts))
            return known[1]

    def snapshot(self) -> Snapshot:
        """Return the draws, the state after them, and the best fit among them.

        The best by its log likelihood, in the burn-in only where there is nothing else.
        """
        with self._lock:
            warmup, sampling = map(self.draws, (WARMUP, SAMPLING))
            best = self.best("log_likelihood", SAMPLING)
            best = best or self.best("log_likelihood", WARMUP)
            return Snapshot(warmup, sampling, self.state, best)

    def steps(self, phase: str) -> int:
        """Return the number of steps of a phase so far."""
        return self._rows[phase].total

    def best(self, density: str = "lp", phase: str | None = None) -> Best | None:
        """Return the best point so far by ``"lp"`` or ``"log_likelihood"``, or None."""
        phases = (WARMUP, SAMPLING) if phase is None else (phase,)
        found = [self._best.get((density, one)) for one in phases]
        return max(
            (best for best in found if best is not None),
            key=lambda best: best.value,
            default=None,
        )

    def count(self, flag: str) -> int | None:
        """Return how often a flag is set after the warm-up; None without the flag."""
        return self._counts.get(flag)

    def thinned(
        self, most: int, phase: str | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return evenly spaced steps and their positions, at most ``most``.

        They are taken from the some thousand steps that are kept at hand.

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
        with self._lock:
            return self._rows[phase].at_most(most)

    def latest(self) -> np.ndarray:
        """Return the last sampling steps as they follow each other, two thousand or so.

        Returns
        -------
        array, (n, nwalkers, ndim) [model units]
        """
        return self._latest

    def _of(self, phase: str) -> list[Draws]:
        return [chunk for chunk in self._chunks if chunk.phase == phase]


class _EvenRows:
    """Evenly spaced rows of what is appended: their spacing doubles when full.

    Which they are depends on their number alone, and not on how they came.
    """

    def __init__(self, least: int = FEWEST_ROWS):
        self.total, self.least, self._stride = 0, least, 1
        self._kept: list[np.ndarray] = []

    def copy(self) -> _EvenRows:
        other = _EvenRows(self.least)
        other.total, other._stride = self.total, self._stride
        other._kept = list(self._kept)
        return other

    def take(self, rows: np.ndarray) -> None:
        # A copy: a view would keep the whole chunk alive.
        fresh = rows[-self.total % self._stride :: self._stride]
        self._kept += [row.copy() for row in fresh]
        self.total += len(rows)
        fitting = KEPT_BYTES // max(rows[0].nbytes, 1) if len(rows) else KEPT_ROWS
        most = max(min(KEPT_ROWS, fitting), self.least)
        while len(self._kept) > most:
            self._kept, self._stride = self._kept[::2], 2 * self._stride

    def at_most(self, most: int) -> tuple[np.ndarray, np.ndarray]:
        """Return steps, counted from 1, and their rows, evenly spaced."""
        apart = 1
        while -(-len(self._kept) // apart) > most:
            apart *= 2
        kept = self._kept[::apart]
        steps = np.arange(len(kept)) * apart * self._stride + 1
        return steps, np.stack(kept) if kept else np.zeros((0, 0, 0))


def _in_parts(draws: Draws) -> Iterator[Draws]:
    for begin in range(0, len(draws.position), ROWS_AT_ONCE):
        yield draws.rows(slice(begin, begin + ROWS_AT_ONCE))


def _nothing_saved(phase: str) -> Draws | None:
    return None


def _join(parts: Sequence[Draws]) -> Draws:
    def together(values: Callable[[Draws], Any]) -> dict[str, np.ndarray]:
        names = values(parts[0])
        return {
            name: np.concatenate([values(part)[name] for part in parts])
            for name in names
        }

    position = np.concatenate([part.position for part in parts])
    return Draws(
        position,
        together(lambda part: part.stats),
        parts[0].phase,
        together(lambda part: part.step_stats),
    )
