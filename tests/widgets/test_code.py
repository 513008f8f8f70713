import jax
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.widgets.code import code_of
from ampynb.widgets.point import Point


class Gaussian:
    def __init__(self, centre, sigma):
        self.centre, self.sigma = centre, sigma


MODELS = {
    "plain": anb.Model(slope=dist.Normal(0, 1), intercept=dist.Uniform(-5, 5), x0=0.5),
    "nested": anb.Model(
        lens=anb.Model(Gaussian, centre=dist.Normal(0, 1), sigma=2.0),
        weights=dist.Normal(0, 1).expand([2]).to_event(1),
    ),
    "by position": anb.Model(
        anb.Collection(dist.Normal(0, 1), anb.Model(Gaussian, centre=1.0, sigma=2.0))
    ),
    "containers": anb.Model(
        centre=(dist.Normal(0, 1), 2.0),
        one=(dist.Normal(0, 1),),
        bands={"g": dist.Normal(0, 1), "r": [anb.Model(Gaussian, centre=0.0, sigma=1)]},
    ),
    "derived": anb.Model(
        low=dist.Normal(0, 1),
        high=lambda m: dist.Uniform(m.low, 3.0),
        middle=lambda m: (m.low + m.high) / 2,
    ).with_assertions(small=lambda m: m.high < 2.0),
    "tied": anb.Model(a=dist.Normal(0, 1), b=dist.Normal(0, 1)).tie(b="a"),
}
NAMES = {"anb": anb, "np": np, "dist": dist, "Gaussian": Gaussian}


def run(code, model):
    names = {**NAMES, "model": model}
    exec(code, names)
    return names["instance"], names["model"]


def point_of(model):
    return Point.at(model, model.instance_from_vector(np.full(model.ndim, 1 / 3)))


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_the_code_makes_the_instance_exactly(model):
    point = point_of(model)
    code = code_of(point)
    assert "model =" not in code  # nothing was changed in it
    instance, _ = run(code, model)
    mine, theirs = (jax.tree_util.tree_flatten(i) for i in (point.instance, instance))
    assert mine[1] == theirs[1]
    assert all(map(np.array_equal, mine[0], theirs[0]))


def test_the_code_fixes_and_frees_what_was_fixed_and_freed():
    model = MODELS["plain"]
    point = point_of(model).with_fixed("slope").with_free("x0")
    instance, made = run(code_of(point), model)
    assert made.names == point.model.names == ["intercept", "x0"]
    assert made.instance_from_vector(point.vector).slope == instance.slope == 1 / 3
    assert made.prior_of("x0").high == pytest.approx(5.0)


def test_a_fixed_value_that_was_moved_is_told():
    model = MODELS["plain"]
    _, made = run(code_of(point_of(model).moved({"x0": 0.25})), model)
    assert made.instance_from_vector(np.zeros(2)).x0 == 0.25
