"""What is particular to ensembles: moves, halves and affine invariance."""

from typing import Any

import emcee
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.algorithms.algorithm import Algorithm, Start
from ampynb.algorithms.external import EmceeEnsemble, autocorrelation_time
from ampynb.algorithms.moves import weighted_moves
from tests.helpers import Line, NumpyLine, Problem, line_problem

STRETCH, DIFFERENCE, WALK = anb.Stretch(), anb.DifferentialEvolution(), anb.Walk()
SCALE, SHIFT = np.array([1000.0, 1e-2]), np.array([-5.0, 3.0])


def rescaled(problem: Problem) -> anb.Posterior:
    """Return the posterior of ``SHIFT + SCALE * vector``."""
    line, kind = problem.analysis, type(problem.analysis)

    class Rescaled(kind):
        def fit_from(self, instance):
            return super().fit_from(original(instance))

        def log_likelihood_function(self, instance):
            if kind is Line:
                return self.fit_from(instance).log_likelihood
            return super().log_likelihood_function(original(instance))

    def original(instance: Any) -> anb.Instance:
        return anb.Instance(
            slope=(instance.slope - SHIFT[0]) / SCALE[0],
            intercept=(instance.intercept - SHIFT[1]) / SCALE[1],
        )

    model = anb.Model(
        slope=dist.Normal(SHIFT[0] + SCALE[0], 2.0 * SCALE[0]),
        intercept=dist.Normal(SHIFT[1], SCALE[1]),
    )
    return anb.Posterior(Rescaled(line.x, line.y, line.yerr), model)


def draws_from(
    algorithm: Algorithm, posterior: anb.Posterior, position: np.ndarray
) -> np.ndarray:
    state = algorithm.init(posterior, jax.random.key(1), Start(position))
    _, draws = algorithm.advance(posterior, state, 50)
    return draws.position


@pytest.mark.parametrize("kind", [anb.Ensemble, EmceeEnsemble])
def test_the_chain_is_affine_invariant(kind: Any):
    # Goodman and Weare 2010, section 2
    problem = line_problem(use_jax=kind is anb.Ensemble)
    algorithm = kind(
        nwalkers=8, burn=0, iterations=50, moves=(STRETCH, DIFFERENCE, WALK)
    )
    start = np.random.default_rng(0).normal(size=(8, 2))
    plain = draws_from(algorithm, problem.posterior, start)
    scaled = draws_from(algorithm, rescaled(problem), SHIFT + SCALE * start)
    assert np.any(plain[-1] != start)
    np.testing.assert_allclose(scaled, SHIFT + SCALE * plain, rtol=1e-6)


@pytest.mark.parametrize("move", [STRETCH, DIFFERENCE, anb.Stretch(a=3.0)])
def test_a_proposal_lies_on_lines_through_the_other_walkers(move: Any):
    generator = np.random.default_rng(1)
    points = generator.normal(size=(5, 3)), generator.normal(size=(4, 3))
    active, others = points
    proposal, log_factor = move.propose(jax.random.key(0), *map(jnp.asarray, points))
    assert proposal.shape == (5, 3) and log_factor.shape == (5,)
    for i in range(5):
        if isinstance(move, anb.Stretch):  # Goodman and Weare 2010, equation 7
            stretches = (proposal[i] - others) / (active[i] - others)
            on_line = np.ptp(stretches, axis=1) < 1e-9
            assert on_line.sum() == 1
            stretch = stretches[on_line][0, 0]
            assert 1 / move.a <= stretch <= move.a
            assert log_factor[i] == pytest.approx(2 * np.log(stretch))
        else:  # ter Braak 2006, equation 2
            pairs = [a - b for a in others for b in others if np.any(a != b)]
            gammas = (proposal[i] - active[i]) / np.array(pairs)
            on_line = np.ptp(gammas, axis=1) < 1e-9
            assert on_line.sum() == 2  # a pair, and the same one reversed
            usual = 2.38 / np.sqrt(2 * 3)
            np.testing.assert_allclose(np.abs(gammas[on_line]), usual, rtol=1e-3)
            assert log_factor[i] == 0


def test_the_stretch_has_its_density():
    # Goodman and Weare 2010, equation 9: g(z) ~ 1 / sqrt(z) between 1/a and a
    a, n = 2.0, 100_000
    active, others = jnp.ones((n, 1)), jnp.zeros((1, 1))
    stretch, _ = anb.Stretch(a).propose(jax.random.key(3), active, others)
    grid = np.linspace(1 / a, a, 20)
    exact = (np.sqrt(grid) - np.sqrt(1 / a)) / (np.sqrt(a) - np.sqrt(1 / a))
    found = np.searchsorted(np.sort(np.ravel(stretch)), grid) / n
    np.testing.assert_allclose(found, exact, atol=2 / np.sqrt(n))


@pytest.mark.parametrize(("scale", "expected"), [(None, 2.38 / np.sqrt(3)), (0.5, 0.5)])
def test_a_walk_has_the_covariance_of_the_other_walkers(scale, expected: float):
    # Goodman and Weare 2010, equation 11
    n, generator = 50_000, np.random.default_rng(1)
    others = generator.normal(size=(6, 3)) @ generator.normal(size=(3, 3)) + 5.0
    active = np.full((n, 3), 2.0)
    proposal, log_factor = anb.Walk(scale).propose(
        jax.random.key(0), jnp.asarray(active), jnp.asarray(others)
    )
    steps = np.asarray(proposal) - active
    covariance = expected**2 * np.cov(others.T, ddof=0)
    sd = np.sqrt(np.diag(covariance))
    error = 5 * np.outer(sd, sd) * np.sqrt(2 / n)
    assert np.all(np.abs(np.cov(steps.T) - covariance) < error)
    assert np.all(np.abs(steps.mean(axis=0)) < 5 * sd / np.sqrt(n))
    assert np.all(log_factor == 0)


@pytest.mark.parametrize(
    ("name", "move"),
    [("stretch", STRETCH), ("differential_evolution", DIFFERENCE), ("walk", WALK)],
)
@pytest.mark.parametrize("kind", [anb.Ensemble, EmceeEnsemble])
def test_a_move_has_a_name(kind: Any, name: str, move: Any):
    assert kind(moves=name).moves == ((move, 1.0),)
    pairs = kind(moves=[(name, 1), (anb.Stretch(3.0), 3)]).moves
    assert pairs == ((move, 0.25), (anb.Stretch(3.0), 0.75))


@pytest.mark.parametrize(
    ("moves", "weights"),
    [
        (STRETCH, [1.0]),
        ([STRETCH], [1.0]),
        ([STRETCH, DIFFERENCE], [0.5, 0.5]),
        ([(STRETCH, 3), (DIFFERENCE, 1)], [0.75, 0.25]),
        ([(STRETCH, 0.0), (DIFFERENCE, 2.0)], [0.0, 1.0]),
        (weighted_moves([(STRETCH, 3), (DIFFERENCE, 1)]), [0.75, 0.25]),
    ],
)
def test_moves_have_weights_that_sum_to_one(moves: Any, weights: list[float]):
    assert [weight for _, weight in weighted_moves(moves)] == weights


@pytest.mark.parametrize("kind", [anb.Ensemble, EmceeEnsemble])
@pytest.mark.parametrize(
    "moves",
    [[], [(STRETCH, 0.0)], [(STRETCH, -1.0), (DIFFERENCE, 2.0)], "strech", None],
    ids=["none", "no weight", "a negative weight", "an unknown name", "None"],
)
def test_moves_that_cannot_be_are_refused(kind: Any, moves: Any):
    with pytest.raises((ValueError, TypeError), match=r"expected moves\b.*; got .*; "):
        kind(moves=moves)


@pytest.mark.parametrize("a", [1.0, 0.5, -2.0, np.nan])
def test_a_stretch_that_cannot_be_is_refused(a: float):
    with pytest.raises(ValueError, match=r"expected a.*; got .*; "):
        anb.Stretch(a=a)


def test_moves_of_emcee_are_for_numpy():
    with pytest.raises(TypeError, match=r"expected moves .*; got KDEMove; .*use_jax"):
        anb.Ensemble(moves=emcee.moves.KDEMove())
    problem = line_problem(use_jax=False)
    sampler = EmceeEnsemble(
        nwalkers=8, burn=0, iterations=50, moves=emcee.moves.KDEMove()
    )
    engine = anb.InferenceEngine(problem.analysis, problem.model)
    assert engine.run(sampler=sampler, progress="none").draws.shape == (50, 8, 2)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_mixture_draws_its_moves_by_weight(share: float):
    problem = line_problem()
    pair = ((anb.Stretch(a=1.0 + 1e-9), share), (STRETCH, 1.0 - share))
    algorithm = anb.Ensemble(nwalkers=8, burn=0, iterations=50, moves=pair)
    start = np.random.default_rng(0).normal(size=(8, 2))
    moved = np.abs(draws_from(algorithm, problem.posterior, start)[-1] - start).max()
    assert (moved < 1e-6) == (share == 1.0)


@pytest.mark.parametrize(("nwalkers", "ndim"), [(3, 1), (3, 2), (7, 4)])
@pytest.mark.parametrize("kind", [anb.Ensemble, EmceeEnsemble])
def test_too_few_walkers_are_refused(kind: Any, nwalkers: int, ndim: int):
    model = anb.Model(slope=dist.Normal(0.0, 1.0).expand([ndim]))
    line = line_problem(use_jax=kind is anb.Ensemble).analysis
    posterior = anb.Posterior(line, model)
    with pytest.raises(
        ValueError, match=rf"twice .* {max(2 * ndim, 4)}; got {nwalkers}"
    ):
        kind(nwalkers=nwalkers).check(posterior)
    kind(nwalkers=max(2 * ndim, 4)).check(posterior)


def test_the_numpy_likelihood_is_not_asked_outside_the_prior():
    asked = []

    class Asked(NumpyLine):
        def log_likelihood_function(self, instance):
            asked.append(instance.slope)
            return super().log_likelihood_function(instance)

    line = line_problem(use_jax=False).analysis
    model = anb.Model(slope=dist.Uniform(1.4, 1.6), intercept=dist.Normal(0.0, 1.0))
    engine = anb.InferenceEngine(Asked(line.x, line.y, line.yerr), model)
    engine.run(8, 50, 0, progress="none")
    assert 1.4 <= min(asked) and max(asked) <= 1.6


def test_the_autocorrelation_time_of_an_autoregressive_chain():
    # of x[t] = r x[t-1] + noise it is (1 + r) / (1 - r)
    r, noise = 0.9, np.random.default_rng(2).normal(size=(40_000, 4, 2))
    chain = np.zeros_like(noise)
    for t in range(1, len(chain)):
        chain[t] = r * chain[t - 1] + noise[t]
    np.testing.assert_allclose(autocorrelation_time(chain), 19.0, rtol=0.1)
