"""Every algorithm in one table, and a plain driver of the protocol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import jax
import numpy as np
import pytest

import ampynb as anb
from ampynb.algorithms.algorithm import SAMPLING, WARMUP, Algorithm, Draws
from ampynb.algorithms.external import EmceeEnsemble
from ampynb.algorithms.scripted import Scripted
from ampynb.algorithms.start import draw_start
from tests.helpers import Problem, line_problem

BURN = 200
MIXTURE = ((anb.Stretch(), 0.3), (anb.DifferentialEvolution(), 0.7))


@dataclass(frozen=True)
class Case:
    """An algorithm, and what is known of its chain.

    ``steps_for_moments`` give some thousand independent draws.
    """

    name: str
    algorithm: Algorithm
    steps_for_moments: int
    use_jax: bool = True
    samples_posterior: bool = True

    def problem(self) -> Problem:
        """Return the line; an algorithm that samples no posterior has its own law."""
        problem = line_problem(self.use_jax)
        if self.samples_posterior:
            return problem
        return replace(problem, mean=np.zeros(2), covariance=np.eye(2))

    def with_steps(self, iterations: int, burn: int = BURN) -> Algorithm:
        return replace(self.algorithm, iterations=iterations, burn=burn)


CASES = (
    Case("stretch", anb.Ensemble(nwalkers=16), 8_000),
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
    Case("emcee", EmceeEnsemble(nwalkers=16), 4_000, use_jax=False),
    Case(
        "emcee mixture",
        EmceeEnsemble(nwalkers=13, moves=MIXTURE),
        4_000,
        use_jax=False,
    ),
    Case("scripted", Scripted(nwalkers=4), 2_500, samples_posterior=False),
)


def _over(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


all_cases = _over([*CASES])
posterior_cases = _over([case for case in CASES if case.samples_posterior])
ensemble_cases = _over(
    [case for case in CASES if not case.algorithm.independent_chains]
)


def chunks(
    algorithm: Algorithm, posterior: anb.Posterior, n: int, seed: int = 0
) -> Iterator[Draws]:
    """Yield all the draws of an algorithm, ``n`` steps at a time."""
    key_start, key = jax.random.split(jax.random.key(seed))
    state = algorithm.init(
        posterior, key, draw_start(posterior, key_start, algorithm.nwalkers)
    )
    while not (status := algorithm.status(state)).done:
        state, draws = algorithm.advance(posterior, state, min(n, status.remaining))
        yield draws


def chain(
    algorithm: Algorithm, posterior: anb.Posterior, n: int, seed: int = 0
) -> dict[str, np.ndarray]:
    """Return positions and all stats of all steps, warm-up included, by name."""
    parts = [_arrays(draws) for draws in chunks(algorithm, posterior, n, seed)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def sampled(draws: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return what was drawn after the warm-up."""
    after = draws["phase"] == SAMPLING
    return {name: values[after] for name, values in draws.items()}


def _arrays(draws: Draws) -> dict[str, np.ndarray]:
    assert draws.phase in (WARMUP, SAMPLING)
    phase = np.full(len(draws.position), draws.phase)
    numbers = {**draws.stats, **draws.step_stats}
    return {"position": draws.position, "phase": phase, **numbers}
