"""Component classes: instances are of the user's own class, and are pytrees."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb


class Gaussian:
    """A plain class with a setting."""

    def __init__(self, centre, sigma, order=2):
        self.centre, self.sigma, self.order = centre, sigma, order

    def __call__(self, x):
        return jnp.exp(-0.5 * ((x - self.centre) / self.sigma) ** 2)


@dataclass(frozen=True)
class FrozenGaussian:
    centre: Any
    sigma: Any

    def __call__(self, x):
        return jnp.exp(-0.5 * ((x - self.centre) / self.sigma) ** 2)


class TupleGaussian(NamedTuple):
    centre: Any
    sigma: Any

    def __call__(self, x):
        return jnp.exp(-0.5 * ((x - self.centre) / self.sigma) ** 2)


@dataclass(slots=True)
class SlottedGaussian:
    centre: Any
    sigma: Any

    def __call__(self, x):
        return jnp.exp(-0.5 * ((x - self.centre) / self.sigma) ** 2)


@jax.tree_util.register_dataclass
@dataclass
class RegisteredGaussian:
    centre: Any
    sigma: Any

    def __call__(self, x):
        return jnp.exp(-0.5 * ((x - self.centre) / self.sigma) ** 2)


KINDS = [Gaussian, FrozenGaussian, TupleGaussian, SlottedGaussian, RegisteredGaussian]


def model_of(kind: type) -> anb.Model:
    return anb.Model(kind, centre=dist.Normal(0.0, 1.0), sigma=dist.HalfNormal(1.0))


@pytest.mark.parametrize("kind", KINDS)
def test_an_instance_is_of_its_class(kind):
    instance = model_of(kind).instance_from_vector(np.array([0.5, 2.0]))
    assert type(instance) is kind
    assert (instance.centre, instance.sigma) == (0.5, 2.0)


@pytest.mark.parametrize("kind", KINDS)
def test_vector_and_instance_are_inverse(kind):
    model, vector = model_of(kind), np.array([0.5, 2.0])
    instance = model.instance_from_vector(vector)
    assert model.vector_from_instance(instance).tolist() == vector.tolist()
    assert model.vector_from_instance(kind(0.5, 2.0)).tolist() == vector.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_instances_pass_through_jax(kind):
    model = model_of(kind)
    instance = model.instance_from_vector(jnp.array([0.5, 2.0]))
    value = np.exp(-0.5 * 0.25**2)
    found, slope = jax.jit(jax.value_and_grad(lambda i: i(1.0)))(instance)
    assert float(found) == pytest.approx(value)
    assert type(slope) is kind
    # d/dc exp(-u^2/2) = u / sigma * value, with u = (x - c) / sigma
    assert float(slope.centre) == pytest.approx(0.25 / 2.0 * value)
    assert float(slope.sigma) == pytest.approx(0.25**2 / 2.0 * value)
    batch = jax.vmap(model.instance_from_vector)(jnp.array([[0.5, 2.0], [1.0, 1.0]]))
    np.testing.assert_allclose(jax.vmap(lambda i: i(1.0))(batch), [value, 1.0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_hand_made_instance_has_the_same_structure(kind):
    of_model = model_of(kind).instance_from_vector(jnp.array([0.5, 2.0]))
    by_hand = kind(0.5, 2.0)
    structure = jax.tree_util.tree_structure
    assert structure(by_hand) == structure(of_model)
    leaves = jax.tree_util.tree_leaves(by_hand)
    np.testing.assert_allclose(leaves, jax.tree_util.tree_leaves(of_model))


def test_settings_are_structure_and_not_leaves():
    model_of(Gaussian)
    structure = jax.tree_util.tree_structure
    assert structure(Gaussian(0.0, 1.0, 2)) == structure(Gaussian(1.0, 2.0, 2))
    assert structure(Gaussian(0.0, 1.0, 2)) != structure(Gaussian(0.0, 1.0, 3))


def test_a_default_argument_needs_no_entry():
    model = anb.Model(Gaussian, centre=0.0, sigma=dist.HalfNormal(1.0))
    instance = model.instance_from_vector(np.array([3.0]))
    assert (instance.centre, instance.sigma, instance.order) == (0.0, 3.0, 2)


def test_what_a_class_derives_from_its_parameters_has_a_gradient():
    class Circle:
        def __init__(self, radius):
            self.radius = radius
            self.area = jnp.pi * radius**2

    model = anb.Model(Circle, radius=dist.HalfNormal(1.0))
    area = jax.jit(lambda vector: model.instance_from_vector(vector).area)
    assert float(area(np.array([2.0]))) == pytest.approx(4 * np.pi)
    slope = jax.grad(area)(np.array([2.0]))
    np.testing.assert_allclose(slope, [4 * np.pi])


def test_components_nest():
    class Sky:
        def __init__(self, source, background):
            self.source, self.background = source, background

    model = anb.Model(Sky, source=model_of(Gaussian), background=dist.Normal(0.0, 1.0))
    assert model.names == ["source.centre", "source.sigma", "background"]
    instance = jax.jit(model.instance_from_vector)(np.array([0.5, 2.0, 3.0]))
    assert type(instance) is Sky
    assert type(instance.source) is Gaussian
    assert (instance.source.sigma, instance.background) == (2.0, 3.0)


def test_two_models_may_share_a_class():
    class Shared:
        def __init__(self, a=0.0, b=0.0):
            self.a, self.b = a, b

    first = anb.Model(Shared, a=dist.Normal(0.0, 1.0))
    second = anb.Model(Shared, b=dist.Normal(0.0, 1.0))
    for model, expected in ((first, (2.0, 0.0)), (second, (0.0, 2.0))):
        instance = jax.jit(model.instance_from_vector)(np.array([2.0]))
        assert (instance.a, instance.b) == expected
