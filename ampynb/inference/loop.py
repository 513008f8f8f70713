"""The one sampling loop: a generator of events that is sent commands."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass

import jax

from ampynb.algorithms.algorithm import Algorithm, Start
from ampynb.algorithms.start import start_or_draw
from ampynb.analysis.posterior import Posterior
from ampynb.inference.events import Advanced, Event, Finished, PhaseChanged, Started
from ampynb.results.history import History

__all__ = ["COMPILING", "Command", "sampling"]

COMPILING = "compiling"


class Command(enum.Enum):
    """What the loop is told at each event."""

    CONTINUE = "continue"
    STOP = "stop"


STOP = Command.STOP


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
    stopped = STOP is (
        yield Started(
            sampler=algorithm.name,
            nwalkers=algorithm.nwalkers,
            ndim=posterior.model.ndim,
            burn=algorithm.burn,
            iterations=algorithm.iterations,
            seed=seed,
        )
    )
    stopped = STOP is (yield PhaseChanged(COMPILING)) or stopped
    if stopped:
        yield Finished(reason="stopped", step=0, seconds=0.0)
        return
    begun = clock()
    key_start, key = jax.random.split(jax.random.key(seed))
    start = start_or_draw(posterior, key_start, algorithm, start)
    state = algorithm.init(posterior, key, start)
    elapsed, phase, pace = clock() - begun, COMPILING, _Pace()
    status = algorithm.status(state)
    while not status.done and not stopped:
        begun = clock()
        state, draws = algorithm.advance(
            posterior, state, min(pace.n, status.remaining)
        )
        seconds = clock() - begun
        elapsed += seconds
        history.append(draws)
        status = algorithm.status(state)
        # The first chunk's time is the compiler's.
        spent = pace.target if phase == COMPILING else seconds
        pace.observe(len(draws.position), spent)
        if phase != draws.phase:
            phase = draws.phase
            stopped = STOP is (yield PhaseChanged(phase))
        advanced = Advanced(
            phase=phase,
            step=status.step,
            total=status.total,
            fraction=status.fraction,
            seconds=elapsed,
            metrics=status.metrics,
        )
        stopped = STOP is (yield advanced) or stopped
    reason = "completed" if status.done else "stopped"
    yield Finished(reason=reason, step=status.step, seconds=elapsed)
