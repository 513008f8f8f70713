"""Every algorithm in one table, and a plain driver of the protocol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
import pytest

import ampynb as anb
from ampynb.algorithms.algorithm import (
    SAMPLING,
    WARMUP,
    Algorithm,
    Draws,
    Outcome,
    Start,
)
from ampynb.algorithms.external import EmceeEnsemble
from ampynb.algorithms.external_nested import DynestyNested
from ampynb.algorithms.scripted import Scripted
from ampynb.algorithms.start import start_or_draw
from ampynb.results.history import History
from tests.helpers import Problem, line_problem

BURN = 200
MIXTURE = (("stretch", 0.2), ("differential_evolution", 0.5), ("walk", 0.3))


@dataclass(frozen=True)
class Case:
    """An algorithm, and what is known of its chain.

    ``steps_for_moments`` give some thousand independent draws; with an algorithm that
    knows itself when it is done, ``walkers_for_moments`` do.
    """

    name: str
    algorithm: Algorithm
    steps_for_moments: int = 0
    use_jax: bool = True
    samples_posterior: bool = True
    walkers_for_moments: int = 0

    def problem(self) -> Problem:
        """Return the line; an algorithm that samples no posterior has its own law."""
        problem = line_problem(self.use_jax)
        if self.samples_posterior:
            return problem
        return replace(problem, mean=np.zeros(2), covariance=np.eye(2))

    @property
    def ends_itself(self) -> bool:
        return self.walkers_for_moments > 0

    @property
    def points_per_step(self) -> int:
        return getattr(self.algorithm, "n_replaced", self.algorithm.nwalkers)

    def with_steps(self, iterations: int | None, burn: int = BURN) -> Algorithm:
        burn = 0 if self.ends_itself else burn
        return replace(self.algorithm, iterations=iterations, burn=burn)

    def steps(self, iterations: int, burn: int = BURN) -> int:
        """Return the number of steps that ``with_steps`` makes."""
        return iterations if self.ends_itself else burn + iterations

    def enough(self, longer: int = 1) -> Algorithm:
        """Return an algorithm that gives some thousand independent draws."""
        if self.ends_itself:
            walkers = longer * self.walkers_for_moments
            return replace(self.algorithm, nwalkers=walkers, iterations=None)
        return self.with_steps(longer * self.steps_for_moments)


CASES = (
    Case("stretch", anb.Ensemble(nwalkers=16, moves="stretch"), 8_000),
    Case("ensemble", anb.Ensemble(nwalkers=16), 8_000),
    Case(
        "differential evolution",
        anb.Ensemble(nwalkers=16, moves=anb.DifferentialEvolution()),
        8_000,
    ),
    Case("mixture", anb.Ensemble(nwalkers=13, moves=MIXTURE), 8_000),
    Case(
        "tempered",
        anb.Tempered(nwalkers=13, ntemps=4, keep_temperatures=True),
        4_000,
    ),
    Case("nuts", anb.NUTS(nwalkers=4), 2_500),
    Case("hmc", anb.HMC(nwalkers=4), 2_500),
    Case("emcee", EmceeEnsemble(nwalkers=13, moves=MIXTURE), 4_000, use_jax=False),
    Case(
        "nested",
        anb.Nested(nwalkers=300, share_replaced=0.04),
        walkers_for_moments=300,
    ),
    Case(
        "dynesty",
        DynestyNested(nwalkers=50, share_replaced=0.04),
        use_jax=False,
        walkers_for_moments=300,
    ),
    Case("scripted", Scripted(nwalkers=4), 2_500, samples_posterior=False),
)


def _over(cases: list[Case], numpy_is_slow: bool = False) -> pytest.MarkDecorator:
    def marks(case: Case) -> Any:
        return pytest.mark.slow if numpy_is_slow and not case.use_jax else ()

    return pytest.mark.parametrize(
        "case", [pytest.param(c, id=c.name, marks=marks(c)) for c in cases]
    )


all_cases = _over([*CASES])
all_long_cases = _over([*CASES], numpy_is_slow=True)
jax_cases = _over([case for case in CASES if case.use_jax])
chain_cases = _over([case for case in CASES if not case.ends_itself])
long_chain_cases = _over(
    [case for case in CASES if not case.ends_itself], numpy_is_slow=True
)
self_ending_cases = _over([case for case in CASES if case.ends_itself])
posterior_cases = _over([case for case in CASES if case.samples_posterior])
long_posterior_cases = _over(
    [case for case in CASES if case.samples_posterior], numpy_is_slow=True
)
ensemble_cases = _over(
    [case for case in CASES if not case.algorithm.independent_chains]
)


def begin(
    algorithm: Algorithm,
    posterior: anb.Posterior,
    seed: int = 0,
    start: Start | None = None,
) -> Any:
    """Return the state of an algorithm before its first step."""
    key_start, key = jax.random.split(jax.random.key(seed))
    start = start_or_draw(posterior, key_start, algorithm, start)
    return algorithm.init(posterior, key, start)


def chunks(
    algorithm: Algorithm,
    posterior: anb.Posterior,
    n: int,
    seed: int = 0,
    start: Start | None = None,
) -> Iterator[tuple[Any, Draws]]:
    """Yield each state and the draws before it, ``n`` steps at a time."""
    state = begin(algorithm, posterior, seed, start)
    while not (status := algorithm.status(state)).done:
        state, draws = algorithm.advance(posterior, state, min(n, status.remaining))
        yield state, draws


def chain(
    algorithm: Algorithm, posterior: anb.Posterior, n: int, seed: int = 0
) -> dict[str, np.ndarray]:
    """Return positions and all stats of all steps, warm-up included, by name."""
    parts = [_arrays(draws) for _, draws in chunks(algorithm, posterior, n, seed)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def outcome(
    algorithm: Algorithm, posterior: anb.Posterior, n: int = 500, seed: int = 0
) -> Outcome:
    """Return what all the draws of an algorithm amount to."""
    history = History()
    for state, draws in chunks(algorithm, posterior, n, seed):
        history.append(draws, state)
    made = history.draws(SAMPLING)
    assert made is not None
    return algorithm.finish(made, algorithm.live(history.state))


def sampled(draws: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return what was drawn after the warm-up."""
    after = draws["phase"] == SAMPLING
    return {name: values[after] for name, values in draws.items()}


def _arrays(draws: Draws) -> dict[str, np.ndarray]:
    assert draws.phase in (WARMUP, SAMPLING)
    phase = np.full(len(draws.position), draws.phase)
    numbers = {**draws.stats, **draws.step_stats}
    return {"position": draws.position, "phase": phase, **numbers}
