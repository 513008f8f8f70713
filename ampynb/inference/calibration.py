"""Simulation-based calibration: a model, its likelihood and a sampler, proved right."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from ampynb.algorithms.algorithm import Algorithm
from ampynb.analysis.analysis import Analysis
from ampynb.analysis.check import check_likelihood
from ampynb.analysis.joint import analyses_in
from ampynb.analysis.posterior import Posterior
from ampynb.analysis.simulation import Simulation, simulate
from ampynb.inference.engine import InferenceEngine
from ampynb.inference.events import (
    Advanced,
    Event,
    Finished,
    PhaseChanged,
    Started,
)
from ampynb.inference.loop import Command, StopWhen, sampling
from ampynb.inference.ranks import Quantities
from ampynb.inference.renderers import in_notebook, renderers_for
from ampynb.inference.request import Request
from ampynb.inference.run import Run
from ampynb.inference.study import Study
from ampynb.model.options import names_options
from ampynb.results.calibration import Calibration
from ampynb.results.history import History

__all__ = ["calibrate"]

FEWEST_FITS, FEWEST_DRAWS = 10, 9
ROUNDS = 20


@names_options
def calibrate(
    engine: InferenceEngine,
    n: int = 200,
    nwalkers: int | None = None,
    iterations: int | None = None,
    burn: int | None = None,
    sampler: str | Algorithm = "ensemble",
    ntemps: int | None = None,
    sampler_kw: Mapping[str, Any] | None = None,
    *,
    draws: int = 99,
    quantities: Mapping[str, Callable[[Any], Any]] | None = None,
    progress: Any = "auto",
) -> Calibration:
    """Prove a model, its likelihood and a sampler right on simulated data.

    True values are drawn from the prior and data simulated at them; each data set is
    fitted, and the true values are ranked among draws of its posterior. Where all is
    right every rank is as probable as any other (Talts et al. 2018). An interrupt
    (Ctrl-C, or the notebook's stop button) keeps the fits that are done.

    Parameters
    ----------
    engine : InferenceEngine
        Its analysis must have `Analysis.fit_from` whose fit has ``data`` and
        ``predict(key)``; see also `Analysis.with_data`. The observed data themselves
        play no part. The same seed gives the same ranks.
    n : int
        Number of data sets.
    nwalkers, iterations, burn, sampler, ntemps, sampler_kw
        Of each fit, as in `InferenceEngine.run`.
    draws : int
        Draws of each fit among which the true values are ranked, evenly spaced in the
        chains: as far apart as these allow.
    quantities : dict of str to callable, optional
        Further numbers to be ranked, each of one instance:
        ``{"ratio": lambda instance: instance.a / instance.b}``. Those that depend on
        several parameters find faults that no single one shows (Modrák et al. 2023),
        and so does the log likelihood, which is always ranked.
    progress : str
        As in `InferenceEngine.run`.

    Returns
    -------
    Calibration

    Raises
    ------
    ValueError, TypeError
        For an analysis that cannot simulate data, and for options that cannot be.
    RunFailedError
        Where a fit fails; its ``result`` has the fits so far.
    """
    if not isinstance(engine, InferenceEngine):
        raise TypeError(
            f"expected an ampynb.InferenceEngine; got {type(engine).__qualname__}; "
            "give ampynb.InferenceEngine(analysis, model, seed=1)"
        )
    request = Request(
        nwalkers, iterations, burn, sampler, ntemps=ntemps, sampler_kw=sampler_kw
    )
    posterior, seed = engine.posterior, engine.seed
    algorithm = request.algorithm(posterior)
    _check_counts(n, draws, algorithm)
    check_likelihood(posterior)
    algorithm.check(posterior)
    _check_fits(posterior.analysis)
    key_fits, key = jax.random.split(jax.random.key(seed))
    simulations, left_out = _simulations(posterior, key, n)
    tested = Quantities(posterior, quantities or {})
    tested.check(simulations[0].vector)
    seeds = np.asarray(jax.random.bits(key_fits, (n,), np.uint32))
    study = Study(algorithm, simulations, left_out, seeds, draws, tested, seed)
    run = _run_of(study, posterior)
    renderers = renderers_for(progress, run)
    if progress in ("auto", True, "widget") and in_notebook():
        calibration: Any = run.drive_in_thread(renderers).wait()
    else:
        calibration = run.drive_here(renderers)
    return calibration


def _check_fits(analysis: Analysis) -> None:
    """Raise where a likelihood has no data: true values are drawn without it."""
    for name, member in analyses_in(analysis).items():
        if not member.has_fit:
            where = "" if member is analysis else f" of {name!r}"
            raise TypeError(
                f"expected {type(member).__qualname__}{where} to have fit_from(self, "
                "instance), whose fit simulates data; got none; return for instance "
                "ampynb.GaussianFit(data=..., noise=..., model=...) from it, or put a "
                "factor without data into the priors"
            )


def _check_counts(n: int, draws: int, algorithm: Algorithm) -> None:
    counts = {"n": (n, FEWEST_FITS, 200), "draws": (draws, FEWEST_DRAWS, 99)}
    for name, (count, least, usual) in counts.items():
        is_count = isinstance(count, int | np.integer) and not isinstance(count, bool)
        if not is_count or count < least:
            raise ValueError(
                f"expected {name} as a whole number of at least {least}; got "
                f"{count!r}; give for instance {name}={usual}"
            )
    if algorithm.iterations is None:
        return
    made = algorithm.iterations * algorithm.nwalkers
    if made < draws:
        raise ValueError(
            f"expected at least {draws} draws of each fit; got {algorithm.iterations} "
            f"iterations of {algorithm.nwalkers} walkers; ask for more iterations"
        )


def _simulations(
    posterior: Posterior, key: jax.Array, n: int
) -> tuple[list[Simulation], int]:
    """Simulate data at prior draws of finite likelihood; say how many had none.

    A point of no likelihood is outside the prior in effect, whatever the data.
    """
    found: list[Simulation] = []
    left_out = 0
    for key_round in jax.random.split(key, ROUNDS):
        key_vectors, key_data = jax.random.split(key_round)
        vectors = np.asarray(posterior.model.sample_prior(key_vectors, n))
        for one in simulate(posterior, vectors, jax.random.split(key_data, n)):
            if np.isfinite(one.log_likelihood):
                found.append(one)
            else:
                left_out += 1
            if len(found) == n:
                return found, left_out
    raise ValueError(
        f"expected draws from the prior at which simulated data have a finite log "
        f"likelihood; got {left_out} of {left_out + len(found)} without; move the "
        "priors to where the model is defined"
    )


def _run_of(study: Study, posterior: Posterior) -> Run:
    loop, result_of = _fitting(study), study.calibration
    return Run(
        posterior, study.algorithm, loop, History(), result_of, takes_rules=False
    )


def _fitting(
    study: Study, clock: Callable[[], float] = time.perf_counter
) -> Generator[Event, Command | StopWhen, None]:
    """Make the fits of a study, group by group, as one run with its events."""
    groups, algorithm = study.groups(), study.algorithm
    steps = algorithm.iterations
    stopped = Command.STOP is (
        yield Started(
            sampler=algorithm.name,
            nwalkers=algorithm.nwalkers * len(groups[0]),
            ndim=study.ndim,
            burn=algorithm.burn * len(groups),
            iterations=None if steps is None else steps * len(groups),
            seed=study.seed,
        )
    )
    step, seconds = 0, 0.0
    for index, members in enumerate(groups):
        if stopped:
            break
        begun = clock()
        plan, history = study.begin(members)
        seconds += clock() - begun
        size = len(study.fits(members))
        part = _Part(step, seconds, index, len(groups), len(study.done), size)
        ended, stopped = yield from _of_whole(sampling(plan, history), part)
        begun = clock()
        if ended.reason == "completed":
            study.take(members, plan, history)
        step, seconds = step + ended.step, seconds + ended.seconds + clock() - begun
    made = len(study.done)
    reason = "completed" if made == len(study.simulations) else "stopped"
    yield Finished(reason, step, seconds, f"{made} fits done")


@dataclass(frozen=True)
class _Part:
    """Where a group of fits is in the whole: what was before it, and its size."""

    step: int
    seconds: float
    index: int
    groups: int
    done: int
    size: int

    def of_whole(self, event: Advanced) -> Advanced:
        """Return a group's progress as that of the whole calibration."""
        fits = self.done + (self.size if event.fraction >= 1 else 0)
        return Advanced(
            phase=event.phase,
            step=self.step + event.step,
            total=None if event.total is None else event.total * self.groups,
            fraction=(self.index + event.fraction) / self.groups,
            seconds=self.seconds + event.seconds,
            metrics={"fits_done": fits},
        )


def _of_whole(
    loop: Generator[Event, Command | StopWhen, None], part: _Part
) -> Generator[Event, Command | StopWhen, tuple[Finished, bool]]:
    """Pass a group's events on as those of the whole.

    Returns
    -------
    ended : Finished
        The group's last event.
    stopped : bool
        Whether the whole is to end, though the group may have been at its end too.
    """
    event, stopped = next(loop), False
    while not isinstance(event, Finished):
        command = Command.CONTINUE
        if isinstance(event, Advanced):
            command = yield part.of_whole(event)
        elif isinstance(event, PhaseChanged):
            command = yield event
        stopped = command is Command.STOP or stopped
        event = loop.send(command)
    return event, stopped
