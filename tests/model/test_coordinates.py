"""Vector, z and unit cube: inverse maps and their Jacobians."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats

import ampynb as anb
from tests.model.priors import (
    COVARIANCE,
    MODELS,
    PRIORS,
    SCALAR,
    VECTOR,
)

U = np.linspace(0.01, 0.99, 25)


def points(ndim: int, n: int = 7, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-3.0, 3.0, size=(n, ndim))


@functools.cache
def maps_of_z() -> dict[str, dict[str, np.ndarray]]:
    """Evaluate every map of every model at the same points."""

    def at_one(model, z):
        vector = model.constrain(z)
        return {
            "vector": vector,
            "z again": model.unconstrain(vector),
            "matrix": jax.jacfwd(model.constrain)(z),
            "log jacobian": model.log_jacobian(z),
        }

    @jax.jit
    def at_all(models, z):
        return {
            name: jax.vmap(functools.partial(at_one, models[name]))(z[name])
            for name in models
        }

    z = {name: points(model.ndim) for name, model in MODELS.items()}
    return jax.device_get(at_all(MODELS, z))


@pytest.mark.parametrize("name", PRIORS)
def test_constrain_lands_in_the_support_and_unconstrain_is_its_inverse(name):
    model, found = MODELS[name], maps_of_z()[name]
    low, high = model.bounds.T
    assert np.all((found["vector"] >= low) & (found["vector"] <= high))
    np.testing.assert_allclose(found["z again"], points(model.ndim), atol=1e-9)


@pytest.mark.parametrize("name", PRIORS)
def test_the_log_jacobian_is_that_of_constrain(name):
    found = maps_of_z()[name]
    _, expected = np.linalg.slogdet(found["matrix"])
    np.testing.assert_allclose(found["log jacobian"], expected, atol=1e-9)


def test_each_parameter_has_its_place_in_every_coordinate():
    model = anb.Model(
        a=dist.LogUniform(0.1, 10.0),
        fixed=2.0,
        inner=anb.Model(b=VECTOR["expanded to a matrix"], c=VECTOR["an event"]),
        d=VECTOR["multivariate normal"],
    )
    alone = [
        MODELS[name]
        for name in (
            "log-uniform",
            "expanded to a matrix",
            "an event",
            "multivariate normal",
        )
    ]
    z = points(model.ndim, n=1)[0]
    parts = np.split(z, np.cumsum([one.ndim for one in alone])[:-1])
    vector = model.constrain(z)
    pairs = list(zip(alone, parts, strict=True))
    expected = np.concatenate([one.constrain(part) for one, part in pairs])
    np.testing.assert_allclose(vector, expected, rtol=1e-12)
    np.testing.assert_allclose(model.unconstrain(vector), z, atol=1e-9)
    total = sum(float(one.log_jacobian(part)) for one, part in pairs)
    assert float(model.log_jacobian(z)) == pytest.approx(total)


def test_vector_and_instance_are_inverse():
    model = anb.Model(
        a=dist.Normal(0.0, 1.0),
        fixed=2.0,
        inner=anb.Model(b=VECTOR["expanded to a matrix"], c=VECTOR["an event"]),
    )
    vector = np.arange(8.0)
    instance = model.instance_from_vector(vector)
    assert model.vector_from_instance(instance).tolist() == vector.tolist()
    kinds = {type(leaf) for leaf in jax.tree_util.tree_leaves(instance)}
    assert kinds == {np.ndarray, np.float64}  # NumPy in, NumPy out


@functools.cache
def quantiles() -> dict[str, np.ndarray]:
    models = {name: MODELS[name] for name in SCALAR}

    @jax.jit
    def at_all(models):
        return {
            name: jax.vmap(model.prior_transform)(U[:, None])[:, 0]
            for name, model in models.items()
        }

    return jax.device_get(at_all(models))


@pytest.mark.parametrize("name", SCALAR)
def test_prior_transform_is_the_quantile_function(name):
    _, frozen = SCALAR[name]
    np.testing.assert_allclose(quantiles()[name], frozen.ppf(U), rtol=1e-8, atol=1e-8)


def test_prior_transform_takes_vectors_element_by_element():
    model = anb.Model(
        a=dist.Uniform(0.0, 1.0),
        b=VECTOR["different scales"],
        c=VECTOR["expanded to a matrix"],
        d=VECTOR["an event"],
    )
    u, scales = np.linspace(0.05, 0.95, model.ndim), np.array([1.0, 2.0, 3.0])
    expected = [
        u[:1],
        stats.truncnorm.ppf(u[1:4], -1 / scales, np.inf, scale=scales),
        4 * u[4:8] - 1,
        stats.halfnorm.ppf(u[8:], scale=2.0),
    ]
    found = jax.jit(model.prior_transform)(u)
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=1e-8)


def test_prior_transform_names_each_prior_without_a_quantile():
    normal = dist.MultivariateNormal(np.zeros(3), COVARIANCE)
    model = anb.Model(fine=dist.Normal(0.0, 1.0), first=normal, second=normal)
    with pytest.raises(ValueError, match=r"numpyro has none for first, second;"):
        model.prior_transform(np.full(7, 0.5))


def test_a_model_without_free_parameters_has_empty_coordinates():
    model, nothing = anb.Model(a=1.0), np.zeros(0)
    assert model.ndim == 0
    for coordinate in (model.constrain, model.unconstrain, model.prior_transform):
        assert coordinate(nothing).shape == (0,)
    assert model.sample_prior(jax.random.key(0), 3).shape == (3, 0)
    assert model.bounds.shape == (0, 2)
    assert model.log_prior(nothing) == 0.0
    assert model.instance_from_vector(nothing).a == 1.0


WRONG = {"short": jnp.zeros(2), "long": jnp.zeros(4), "a matrix": jnp.zeros((3, 3))}
MAPS = ["instance_from_vector", "log_prior", "constrain", "unconstrain"]


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("vector", WRONG.values(), ids=WRONG)
def test_a_vector_of_the_wrong_shape_is_refused(name, vector):
    normal = dist.Normal(0.0, 1.0)
    model = anb.Model(a=normal, b=normal, c=normal)
    with pytest.raises(ValueError, match=r"expected .*3.*got"):
        getattr(model, name)(vector)
