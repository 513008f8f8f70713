"""Parameters that wrap, in every algorithm."""

import dataclasses
from typing import Any

import emcee
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy.special import ive
from scipy.stats import vonmises

import ampynb as anb
from ampynb.algorithms.algorithm import Start
from ampynb.algorithms.external import EmceeEnsemble
from ampynb.algorithms.start import start_or_draw
from ampynb.inference.starting import start_from
from tests.algorithms.cases import CASES, Case, chain, outcome
from tests.algorithms.test_laws import assert_identical, assert_mean

TURN = 2 * np.pi
each_case = pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            c, id=c.name, marks=() if c.name == "mixture" else pytest.mark.slow
        )
        for c in CASES
        if c.samples_posterior
    ],
)
VAGUE = ("stretch", "mixture", "nuts", "hmc")  # nested sampling refuses flat ones
MODEL = anb.Model(
    angle=anb.Parameter(dist.Uniform(0.0, TURN), period=TURN),
    hour=anb.Parameter(dist.Uniform(-12.0, 12.0), period=24.0, unit="h"),
)


class Torus(anb.Analysis):
    """Two angles: one about 0.05, on the seam, and its distance from the other.

    Each has a von Mises distribution, and they are independent.
    """

    def __init__(self, single: float, both: float, use_jax: bool = True):
        super().__init__(use_jax=use_jax)
        self.single, self.both = single, both

    def log_likelihood_function(self, instance):
        number: Any = jnp if self.use_jax else np
        difference = instance.angle - instance.hour * TURN / 24
        return self.single * number.cos(instance.angle - 0.05) + self.both * (
            number.cos(difference - 0.3)
        )


def posterior_of(case: Case, single: float = 8.0, both: float = 20.0) -> Any:
    return anb.Posterior(Torus(single, both, case.use_jax), MODEL)


def moments(position: np.ndarray) -> np.ndarray:
    """Return what the moments of both angles are the means of."""
    first = position[..., 0] - 0.05
    second = position[..., 0] - position[..., 1] * TURN / 24 - 0.3
    waves = [np.cos(first), np.sin(first), np.cos(second), np.sin(second)]
    upper = np.sin(position[..., 0]) > 0
    return np.stack([*waves, waves[1] * waves[3], upper.astype(float)], axis=-1)


def exact(single: float, both: float) -> np.ndarray:
    """Return the moments; Mardia and Jupp 2000, section 3.5.4."""
    first, second = (ive(1, k) / ive(0, k) for k in (single, both))
    upper = 0.5
    if single:
        upper = np.diff(vonmises(single).cdf(np.array([-0.05, np.pi - 0.05])))[0]
    return np.array([first, 0, second, 0, 0, upper])


def assert_on_torus(case: Case, single: float, both: float) -> None:
    posterior = posterior_of(case, single, both)
    draws = outcome(case.enough(), posterior, seed=5).position
    low, high = MODEL.bounds.T
    assert np.all((draws >= low) & (draws <= high))
    assert_mean(moments(draws), exact(single, both), case)


@each_case
def test_a_correlated_mode_over_both_seams(case: Case):
    assert_on_torus(case, 8.0, 20.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name in VAGUE], ids=lambda case: case.name
)
@pytest.mark.parametrize("known", [(0.0, 0.0), (1.0, 2.0)], ids=["nothing", "little"])
def test_a_torus_on_which_little_is_known(case: Case, known: tuple[float, float]):
    assert_on_torus(case, *known)


@each_case
def test_chain_does_not_depend_on_the_chunk_length(case: Case):
    algorithm, posterior = case.with_steps(40), posterior_of(case)
    whole = chain(algorithm, posterior, 500)
    assert_identical(chain(algorithm, posterior, 7), whole)


def test_evidence_of_a_mode_over_the_seam():
    case = next(case for case in CASES if case.name == "nested")
    found = outcome(case.enough(), posterior_of(case), seed=6).log_evidence
    estimate = next(iter(found.values()))
    truth = sum(np.log(ive(0, k)) + k for k in (8.0, 20.0))
    assert abs(estimate.value - truth) < 4 * estimate.error


# Moves


@pytest.mark.parametrize("move", [anb.Stretch(), anb.DifferentialEvolution()])
def test_a_move_does_not_know_where_the_circle_is_cut(move: Any):
    periods = np.array([TURN, np.inf])
    random = np.random.default_rng(0)
    active, others = random.uniform(0, TURN, (2, 32, 2))
    shift = np.array([2.5, 0.0])
    first, factor = move.propose(jax.random.key(0), active, others, periods)
    moved = [
        np.where(np.isfinite(periods), (x + shift) % TURN, x) for x in (active, others)
    ]
    second, same = move.propose(jax.random.key(0), *moved, periods)
    apart = np.asarray(second - shift - first)
    np.testing.assert_allclose(np.exp(1j * apart[:, 0]), 1, atol=1e-10)
    np.testing.assert_allclose(apart[:, 1], 0, atol=1e-10)
    np.testing.assert_allclose(same, factor)


def test_moves_without_periods_are_as_they_were():
    active, others = np.random.default_rng(1).normal(size=(2, 16, 2))
    for move in (anb.Stretch(), anb.DifferentialEvolution(), anb.Walk()):
        plain, factor = move.propose(jax.random.key(0), active, others)
        wide, same = move.propose(
            jax.random.key(0), active, others, np.array([1e9, np.inf])
        )
        np.testing.assert_allclose(wide, plain, atol=1e-6)
        np.testing.assert_allclose(same, factor)


def test_moves_of_emcee_are_refused_where_a_parameter_wraps():
    algorithm = EmceeEnsemble(nwalkers=8, moves=emcee.moves.StretchMove())
    case = next(case for case in CASES if case.name == "emcee")
    with pytest.raises(TypeError, match=r"expected moves .* period; got .*; leave"):
        algorithm.check(posterior_of(case))


def test_programs_without_periods_do_not_wrap():
    model = anb.Model(a=dist.Uniform(0.0, 1.0), b=dist.Uniform(0.0, 1.0))

    def program(model: anb.Model) -> str:
        return str(jax.make_jaxpr(model.log_prior)(jnp.ones(model.ndim)))

    assert "floor" in program(MODEL) and "floor" not in program(model)


# Starts


def test_starts_wrap():
    posterior = anb.Posterior(Torus(8.0, 20.0), MODEL)
    start = start_from(anb.Instance(angle=0.0, hour=12.0), MODEL, 64, 0)
    assert start is not None
    ball = start.position
    low, high = MODEL.bounds.T
    assert np.all((ball >= low) & (ball <= high))
    assert np.ptp(ball, axis=0).min() > 5, "on both sides of the seam"
    outside = Start(ball + MODEL.periods)
    algorithm = dataclasses.replace(anb.NUTS(), nwalkers=64)
    begun = start_or_draw(posterior, jax.random.key(0), algorithm, outside)
    np.testing.assert_allclose(begun.position, ball, atol=1e-9)
