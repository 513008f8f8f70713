"""The one sampling loop: a generator of events that is sent commands."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import jax
from jax.sharding import Mesh

from ampynb.algorithms.algorithm import (
    WARMUP,
    Algorithm,
    Draws,
    Start,
)
from ampynb.algorithms.start import start_or_draw
from ampynb.analysis.posterior import Posterior
from ampynb.distributed.devices import on_mesh, placed
from ampynb.inference.events import Advanced, Event, Finished, PhaseChanged, Started
from ampynb.inference.goal import Goal
from ampynb.inference.stopping import StoppingRule
from ampynb.results.history import History

__all__ = ["COMPILING", "Command", "Plan", "StopWhen", "sampling"]

COMPILING = "compiling"


class Command(enum.Enum):
    """What the loop is to do after an event."""

    CONTINUE = "continue"
    STOP = "stop"


@dataclass(frozen=True)
class StopWhen:
    """A command to go on until another rule is met.

    Attributes
    ----------
    until : StoppingRule, optional
        None for no rule.
    """

    until: StoppingRule | None


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


@dataclass(frozen=True)
class Plan:
    """What is to be sampled, by what, and how long.

    Attributes
    ----------
    posterior : Posterior
    algorithm : Algorithm
    seed : int
    start : Start, optional
        Where the walkers begin; prior draws by default.
    until : StoppingRule, optional
        Ends the run early.
    thin_by : int
        One in so many sampling steps is kept.
    mesh : Mesh, optional
        The devices that share the work.
    """

    posterior: Posterior
    algorithm: Algorithm
    seed: int
    start: Start | None = None
    until: StoppingRule | None = None
    thin_by: int = 1
    mesh: Mesh | None = None

    @property
    def devices(self) -> int:
        """Number of devices that share the work."""
        return 1 if self.mesh is None else self.mesh.size

    def beginning(self) -> tuple[Start, jax.Array]:
        """Return where the walkers begin, and the random key of the first step."""
        key_start, key = jax.random.split(jax.random.key(self.seed))
        start = start_or_draw(self.posterior, key_start, self.algorithm, self.start)
        return start, key

    def begin(self) -> Any:
        """Return the algorithm's state before its first step."""
        start, key = self.beginning()
        with on_mesh(self.mesh):
            return self.algorithm.init(self.posterior, key, start)

    def advance(self, state: Any, n: int) -> tuple[Any, Draws]:
        """Make up to ``n`` steps."""
        with on_mesh(self.mesh):
            return self.algorithm.advance(self.posterior, state, n)

    def kept(self, draws: Draws, last_step: int) -> Draws:
        """Return the draws that are kept of a chunk that ends with a step."""
        if self.thin_by == 1 or draws.phase == WARMUP:
            return draws
        first = last_step - self.algorithm.burn - len(draws.position)
        return draws.rows(slice((-first - 1) % self.thin_by, None, self.thin_by))


def sampling(
    plan: Plan,
    history: History,
    seconds: float = 0.0,
    clock: Callable[[], float] = time.perf_counter,
) -> Generator[Event, Command | StopWhen, None]:
    """Run an algorithm until it ends, a rule is met, or a stop is asked for.

    It does no I/O: what happens is yielded, what is drawn goes into ``history``, and
    whoever drives it decides when the next chunk is made, and may change the rule. A
    history that has a state is continued; ``seconds`` is the time that it has taken so
    far.
    """
    algorithm = plan.algorithm
    history.periods = plan.posterior.model.periods
    goal = Goal(plan.until, history, algorithm, plan.thin_by)
    step = 0 if history.state is None else algorithm.status(history.state).step
    command = yield Started(
        sampler=algorithm.name,
        nwalkers=algorithm.nwalkers,
        ndim=plan.posterior.model.ndim,
        burn=algorithm.burn,
        iterations=algorithm.iterations,
        seed=plan.seed,
        step=step,
        seconds=seconds,
        devices=plan.devices,
    )
    _obey(command, goal)
    _obey((yield PhaseChanged(COMPILING)), goal)
    if goal.stopped:
        yield Finished(reason="stopped", step=step, seconds=seconds)
        return
    begun = clock()
    former = history.state
    state = plan.begin() if former is None else placed(plan.mesh, former)
    status, phase, pace = algorithm.status(state), COMPILING, _Pace()
    history.note_status(status)
    seconds += clock() - begun
    goal.look(seconds)
    while not (status.done or goal.is_reached):
        begun = clock()
        state, draws = plan.advance(state, min(pace.n, goal.most_steps(status)))
        spent, before = clock() - begun, status.step
        status = algorithm.status(state)
        history.append(plan.kept(draws, status.step), state)
        history.note_status(status)
        if (live := algorithm.live(state)) is not None:
            history.note_live(live)
        seconds += spent
        goal.look(seconds)
        # The first chunk's time is the compiler's.
        spent = pace.target if phase == COMPILING else spent
        pace.observe(status.step - before, spent)
        advanced = Advanced(
            phase=draws.phase,
            step=status.step,
            total=status.total,
            fraction=goal.fraction(status, draws.phase),
            seconds=seconds,
            metrics=status.metrics,
            rejected=str(status.rejections),
        )
        if phase != draws.phase:
            phase = draws.phase
            _obey((yield PhaseChanged(phase)), goal)
        _obey((yield advanced), goal)
    yield Finished(
        reason="completed" if status.done or goal.met else "stopped",
        step=status.step,
        seconds=seconds,
        message=goal.told(status),
    )


def _obey(command: Command | StopWhen, goal: Goal) -> None:
    if isinstance(command, StopWhen):
        goal.change(command.until)
    elif command is Command.STOP:
        goal.stopped = True
