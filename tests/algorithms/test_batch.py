"""Many runs as one: each is the run that it would be by itself."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

import ampynb as anb
from ampynb.algorithms.algorithm import SAMPLING, WARMUP, Algorithm, Draws, Start
from ampynb.algorithms.batch import Batch, can_be_batched
from ampynb.algorithms.codec import encode_state
from ampynb.algorithms.external import EmceeEnsemble
from ampynb.algorithms.scripted import Scripted
from ampynb.analysis.posterior_batch import PosteriorBatch
from tests.algorithms.cases import MIXTURE
from tests.helpers import line_problem

SIZE = 3
ALGORITHMS = {
    "ensemble": anb.Ensemble(nwalkers=8, burn=5, iterations=12, moves=MIXTURE),
    "nuts": anb.NUTS(nwalkers=2, burn=20, iterations=12),
    "hmc": anb.HMC(nwalkers=2, burn=20, iterations=12),
}
of_each = pytest.mark.parametrize(
    "name",
    [
        "ensemble",
        pytest.param("nuts", marks=pytest.mark.slow),
        pytest.param("hmc", marks=pytest.mark.slow),
    ],
)


def posteriors() -> list[anb.Posterior]:
    problems = [line_problem(seed=seed) for seed in range(SIZE)]
    model = problems[0].model
    return [anb.Posterior(problem.analysis, model) for problem in problems]


def keys() -> jax.Array:
    return jax.random.split(jax.random.key(5), SIZE)


def starts(nwalkers: int) -> np.ndarray:
    return np.random.default_rng(2).normal([1.5, -0.5], size=(SIZE, nwalkers, 2))


def drawn(algorithm: Algorithm, posterior: Any, state: Any, n: int) -> Draws:
    """Return the draws after the warm-up, made ``n`` steps at a time."""
    parts = []
    while not (status := algorithm.status(state)).done:
        state, draws = algorithm.advance(posterior, state, min(n, status.remaining))
        if draws.phase == SAMPLING:
            parts.append(draws)
    stats = {
        name: np.concatenate([part.stats[name] for part in parts])
        for name in ("lp", "log_likelihood")
    }
    position = np.concatenate([part.position for part in parts])
    return Draws(position, stats, SAMPLING)


def together(algorithm: Algorithm, n: int) -> list[Any]:
    batch = Batch.of(algorithm, SIZE)
    many: Any = PosteriorBatch(posteriors())
    state = batch.init(many, keys(), Start(starts(algorithm.nwalkers)))
    return batch.outcomes(drawn(batch, many, state, n))


@of_each
def test_each_run_is_that_of_its_posterior_alone(name: str):
    """Both round alike but not to the last digit, which few steps leave small."""
    algorithm = ALGORITHMS[name]
    outcomes = together(algorithm, 5)
    inputs = zip(posteriors(), keys(), starts(algorithm.nwalkers), strict=True)
    for outcome, (posterior, key, start) in zip(outcomes, inputs, strict=True):
        state = algorithm.init(posterior, key, Start(start))
        alone = drawn(algorithm, posterior, state, 5)
        np.testing.assert_allclose(outcome.position, alone.position, rtol=1e-6)
        for stat, values in alone.stats.items():
            np.testing.assert_allclose(outcome.stats[stat], values, rtol=1e-6)


@of_each
def test_the_draws_do_not_depend_on_the_chunks(name: str):
    for one, other in zip(
        together(ALGORITHMS[name], 1), together(ALGORITHMS[name], 7), strict=True
    ):
        np.testing.assert_array_equal(one.position, other.position)


@of_each
def test_the_template_is_like_a_state(name: str):
    batch = Batch.of(ALGORITHMS[name], SIZE)
    many: Any = PosteriorBatch(posteriors())
    state = batch.init(many, keys(), Start(starts(batch.algorithm.nwalkers)))
    template = batch.template(many)
    assert jax.tree_util.tree_structure(state) == jax.tree_util.tree_structure(template)
    arrays = encode_state(state)
    leaves = jax.tree_util.tree_leaves(template)
    assert [leaf.dtype for leaf in leaves] == [
        leaf.dtype for leaf in jax.tree_util.tree_leaves(state)
    ]
    assert len(arrays) == len(leaves)


def test_the_adaptation_stays_a_branch_of_its_own():
    """Its counters are numbers and not one for each run."""
    batch = Batch.of(ALGORITHMS["nuts"], SIZE)
    runs = batch.template(PosteriorBatch(posteriors())).runs
    assert runs.kernel.i.shape == runs.kernel.adapt_state.window_idx.shape == ()
    assert runs.kernel.z.shape == (SIZE, 2, 2)


def test_the_warm_up_is_not_kept():
    batch = Batch.of(ALGORITHMS["ensemble"], SIZE)
    many: Any = PosteriorBatch(posteriors())
    state = batch.init(many, keys(), Start(starts(8)))
    status = batch.status(state)
    assert (status.phase, status.remaining, status.total) == (WARMUP, 5, 17)
    state, draws = batch.advance(many, state, 5)
    assert (len(draws.position), draws.phase) == (0, WARMUP)
    assert batch.status(state).phase == SAMPLING


def test_what_cannot_be_batched_is_known():
    assert all(map(can_be_batched, ALGORITHMS.values()))
    assert not can_be_batched(EmceeEnsemble())
    assert not can_be_batched(Scripted())


def test_the_algorithms_own_check_is_made():
    with pytest.raises(ValueError, match=r"expected nwalkers of at least twice"):
        Batch.of(anb.Ensemble(nwalkers=3), SIZE).check(posteriors()[0])
