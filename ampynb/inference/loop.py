"""The one sampling loop: a generator of events that is sent commands."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass

import jax

from ampynb.algorithms.algorithm import Algorithm, Start
from ampynb.algorithms.start import draw_start
from ampynb.analysis.posterior import Posterior
from ampynb.inference.events import Advanced, Event, Finished, PhaseChanged, Started
from ampynb.results.history import History

__all__ = ["COMPILING", "Command", "sampling"]

COMPILING = "compiling"


class Command(enum.Enum):
    """What the loop is told at each event."""

    CONTINUE = "continue"
    STOP = "stop"


@dataclass
class _Pace:
    """Chooses the chunk length so that a chunk lasts about ``target`` seconds.

    Long enough that the loop costs nothing, short enough that a click is answered
    and a picture lives.
    """

    target: float = 0.12
    growth: int = 8
    n: int = 1

    def observe(self, steps: int, seconds: float) -> None:
        fitting = int(self.target * steps / max(seconds, 1e-9))
        self.n = max(1, min(fitting, self.growth * max(steps, 1)))


def sampling(
    posterior: Posterior,
    algorithm: Algorithm,
    seed: int,
    start: Start | None,
    history: History,
    clock: Callable[[], float] = time.perf_counter,
) -> Generator[Event, Command, None]:
    """Run an algorithm to its end, or until told to stop.

    It does no I/O: what happens is yielded, what is drawn goes into ``history``, and
    whoever drives it decides when the next chunk is made.
    """
    yield Started(
        sampler=algorithm.name,
        nwalkers=algorithm.nwalkers,
        ndim=posterior.model.ndim,
        burn=algorithm.burn,
        iterations=algorithm.iterations,
        seed=seed,
    )
    yield PhaseChanged(COMPILING)
    begun = clock()
    key_start, key = jax.random.split(jax.random.key(seed))
    if start is None:
        candidates = algorithm.candidates_per_walker
        start = draw_start(posterior, key_start, algorithm.nwalkers, candidates)
    state = algorithm.init(posterior, key, start)
    elapsed, phase, pace, reason = clock() - begun, COMPILING, _Pace(), "completed"
    status = algorithm.status(state)
    while not status.done:
        begun = clock()
        state, draws = algorithm.advance(
            posterior, state, min(pace.n, status.remaining)
        )
        seconds = clock() - begun
        elapsed += seconds
        history.append(draws)
        status = algorithm.status(state)
        if phase == COMPILING:  # the first chunk's time is the compiler's
            pace.observe(len(draws.position), pace.target)
        else:
            pace.observe(len(draws.position), seconds)
        if phase != draws.phase:
            phase = draws.phase
            yield PhaseChanged(phase)
        command = yield Advanced(
            phase=phase,
            step=status.step,
            total=status.total,
            seconds=elapsed,
            metrics=status.metrics,
        )
        if command is Command.STOP and not status.done:
            reason = "stopped"
            break
    yield Finished(reason=reason, step=status.step, seconds=elapsed)
