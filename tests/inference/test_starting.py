"""Starting points that users give."""

import re
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.algorithms.algorithm import Start
from ampynb.algorithms.scripted import Scripted
from ampynb.inference.starting import start_from
from tests.helpers import line_problem

NWALKERS = 16
MODEL = anb.Model(
    slope=dist.Uniform(0.0, 1.0), weights=dist.LogNormal(0.0, 1.0).expand([2])
)
POINT = np.array([0.5, 1.0, 2.0])
INSTANCE = anb.Instance(slope=0.5, weights=np.array([1.0, 2.0]))
EACH = POINT + np.linspace(0.0, 0.1, NWALKERS)[:, None]


def position_from(start: Any, model: anb.Model = MODEL, seed: int = 3) -> np.ndarray:
    begin = start_from(start, model, NWALKERS, seed)
    assert begin is not None
    return np.asarray(begin.position)


def result_of(model: anb.Model, **options: Any) -> anb.Result:
    engine = anb.InferenceEngine(line_problem().analysis, model, seed=3)
    script = Scripted(nwalkers=2, burn=0, iterations=50, **options)
    return engine.run(sampler=script, progress="none")


@pytest.mark.parametrize(
    "point",
    [INSTANCE, POINT, POINT.tolist(), tuple(POINT), jnp.asarray(POINT)],
    ids=["instance", "vector", "list", "tuple", "jax"],
)
def test_a_point_gives_a_small_ball_around_it(point: Any):
    position = position_from(point)
    assert position.shape == (NWALKERS, 3)
    assert len(np.unique(position, axis=0)) == NWALKERS
    # 2 % of the prior's sd: of 0.3 for the uniform prior, of 1 for ln of the others
    assert np.all(np.abs(position[:, 0] - POINT[0]) < 0.1)
    assert np.all(np.abs(np.log(position[:, 1:] / POINT[1:])) < 0.1)
    np.testing.assert_array_equal(position, position_from(point))
    assert not np.any(position == position_from(point, seed=4))


@pytest.mark.parametrize("slope", [1e-12, 1.0 - 1e-12])
def test_a_point_near_a_bound_gives_a_ball_within_it(slope: float):
    position = position_from([slope, 1.0, 2.0])
    assert np.all((position[:, 0] > 0.0) & (position[:, 0] < 1.0))


@pytest.mark.parametrize("make", [np.asarray, jnp.asarray, np.ndarray.tolist])
def test_a_point_for_each_walker_is_taken_as_it_is(make: Any):
    np.testing.assert_array_equal(position_from(make(EACH)), EACH)


def test_no_start_and_a_start_are_passed_on():
    begin = Start(EACH)
    assert start_from(None, MODEL, NWALKERS, 0) is None
    assert start_from(begin, MODEL, NWALKERS, 0) is begin


def test_a_result_gives_draws_of_it():
    result = result_of(line_problem().model)
    position = position_from(result, result.model)
    known = {tuple(row) for row in result.flat_draws}
    assert position.shape == (NWALKERS, 2)
    assert {tuple(row) for row in position} <= known


def test_a_result_gives_the_parameters_that_it_has():
    """The next model frees one: that one begins at draws from its prior."""
    result = result_of(line_problem().model.fix(slope=1.0))
    model = anb.Model(slope=dist.Uniform(5.0, 6.0), intercept=dist.Normal(0.0, 1.0))
    position = position_from(result, model)
    known = set(result.flat_draws.ravel().tolist())
    assert set(position[:, 1].tolist()) <= known
    assert np.all((position[:, 0] > 5.0) & (position[:, 0] < 6.0))
    assert len(np.unique(position[:, 0])) == NWALKERS


def test_a_result_gives_a_model_with_fewer_parameters_what_it_needs():
    result = result_of(line_problem().model)
    position = position_from(result, line_problem().model.fix(slope=1.0))
    assert set(position[:, 0].tolist()) <= set(result.flat_draws[:, 1].tolist())


def test_draws_of_a_result_outside_the_new_priors_are_passed_over():
    result = result_of(line_problem().model)
    narrow = line_problem().model.with_priors(slope=dist.Uniform(0.0, 10.0))
    position = position_from(result, narrow)
    assert np.all(position[:, 0] > 0.0)
    far = line_problem().model.with_priors(slope=dist.Uniform(50.0, 60.0))
    with pytest.raises(ValueError, match=r"expected 16 draws .*; got 0 of 100; widen"):
        position_from(result, far)


def test_a_result_with_other_parameters_is_refused():
    result = result_of(line_problem().model)
    with pytest.raises(
        ValueError, match=r"expected .*weights.*; got .*intercept.*; pass"
    ):
        position_from(result, anb.Model(weights=dist.Normal(0.0, 1.0)))


def test_a_result_without_draws_is_refused():
    problem = line_problem()
    engine = anb.InferenceEngine(problem.analysis, problem.model)
    run = engine.start(sampler=Scripted(burn=10**7), progress="none")
    run.stop()
    with pytest.raises(ValueError, match=r"expected draws .*; got 0.*; run it longer"):
        position_from(run.wait(20), problem.model)


@pytest.mark.parametrize("shape", [(), (2,), (4,), (NWALKERS,), (3, 3), (NWALKERS, 2)])
def test_another_shape_is_refused(shape: tuple[int, ...]):
    told = rf"expected a start of shape \(3,\) or \({NWALKERS}, 3\); got "
    with pytest.raises(ValueError, match=told + re.escape(str(shape)) + "; give"):
        position_from(np.full(shape, 0.5))


OUTSIDE = [-0.1, 1.1, np.nan]
OUT_OF_BOUNDS = r"expected a start inside .*bounds; got .*slope=.*; move it inside"


@pytest.mark.parametrize("slope", [*OUTSIDE, 0.0, 1.0])
def test_a_point_out_of_bounds_is_refused_by_name(slope: float):
    with pytest.raises(ValueError, match=OUT_OF_BOUNDS):
        position_from([slope, 1.0, 2.0])


@pytest.mark.parametrize("kind", [np.asarray, Start])
@pytest.mark.parametrize("slope", OUTSIDE)
def test_a_walker_out_of_bounds_is_refused_by_name(slope: float, kind: Any):
    each = EACH.copy()
    each[5, 0] = slope
    with pytest.raises(ValueError, match=OUT_OF_BOUNDS):
        position_from(kind(each))


def test_an_instance_without_a_parameter_is_refused_by_name():
    with pytest.raises((ValueError, AttributeError), match=r"expected .*weights"):
        position_from(anb.Instance(slope=0.5))


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (
            {"slope": 0.5},
            r"\(slope, weights\); got .* without weights; give it one",
        ),
        (
            {"slop": 0.5, "weights": [1.0, 2.0]},
            r"without slope; did you mean 'slope'\?",
        ),
    ],
)
def test_a_dictionary_without_a_parameter_is_refused_by_name(start: Any, told: str):
    with pytest.raises(ValueError, match=rf"expected a start with a number .*{told}"):
        position_from(start)


def test_numbers_by_name_are_a_point():
    model = anb.Model(lens=anb.Model(mass=dist.LogNormal(0.0, 1.0)), x=3.0)
    for start in ({"lens": {"mass": 2.0}}, {"lens.mass": 2.0}):
        position = position_from(start, model)
        np.testing.assert_array_equal(position, position_from([2.0], model))


@pytest.mark.parametrize("start", ["prior", {"slope": 0.5}, 7.0, object()])
def test_what_is_no_start_is_refused(start: Any):
    with pytest.raises((ValueError, TypeError), match=r"expected a start.*; got .*; "):
        position_from(start)


def test_a_start_for_another_number_of_walkers_is_refused():
    with pytest.raises(
        ValueError, match=rf"expected .*\({NWALKERS}, 3\); got \(7, 3\)"
    ):
        position_from(Start(EACH[:7]))


# Through the engine


def test_walkers_begin_where_they_are_told():
    problem = line_problem()
    engine = anb.InferenceEngine(problem.analysis, problem.model, seed=1)
    far = np.array([40.0, -30.0])  # 20 and 30 prior standard deviations off
    result = engine.run(NWALKERS, 1, 1, start=far, progress="none")
    assert np.all(np.abs(result.warmup[0] - far) < 5.0)


def test_a_start_of_zero_probability_everywhere_is_refused():
    class Walled(anb.Analysis):
        def log_likelihood_function(self, instance):
            return jnp.where(instance.slope < 10.0, -(instance.slope**2), -jnp.inf)

    model = anb.Model(slope=dist.Normal(0.0, 10.0), level=dist.Normal(0.0, 1.0))
    engine = anb.InferenceEngine(Walled(), model)
    with pytest.raises((ValueError, RuntimeError), match=r"expected .*start.*; got"):
        engine.run(8, 20, 0, start=[20.0, 0.0], progress="none")


@pytest.mark.parametrize(
    "along", [np.zeros(8), np.linspace(0.0, 1.0, 8)], ids=["at a point", "on a line"]
)
def test_walkers_of_an_ensemble_must_span_the_space(along: np.ndarray):
    # each moves along lines through the others, and so never leaves a line
    problem = line_problem()
    engine = anb.InferenceEngine(problem.analysis, problem.model)
    start = np.array([1.5, -0.5]) + along[:, None] * np.array([0.1, 0.2])
    with pytest.raises(ValueError, match=r"expected .*differ.*; got .*; "):
        engine.run(8, 20, 0, start=start, progress="none")
