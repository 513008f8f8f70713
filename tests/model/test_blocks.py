"""Priors of one family are mapped together, whatever lies between them."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb


def component() -> anb.Model:
    return anb.Model(
        centre=dist.Uniform(0.0, 100.0),
        flux=dist.LogUniform(0.01, 100.0),
        weights=dist.Normal(0.0, 1.0).expand([2]),
    )


def many(n: int) -> anb.Model:
    return anb.Model(anb.Collection(*(component() for _ in range(n))))


MAPS = ["log_prior", "constrain", "unconstrain", "log_jacobian", "prior_transform"]


@functools.cache
def program(name: str, n: int):
    model = many(n)
    return jax.make_jaxpr(getattr(model, name))(jnp.full(model.ndim, 0.5))


@pytest.mark.parametrize("name", MAPS)
def test_a_model_of_many_parameters_is_a_program_as_short_as_one_of_few(name):
    assert len(program(name, 30).eqns) == len(program(name, 2).eqns)


def test_a_model_of_many_parameters_has_few_leaves():
    assert len(jax.tree_util.tree_leaves(many(30))) == len(
        jax.tree_util.tree_leaves(component())
    )


@pytest.mark.parametrize("name", MAPS)
def test_each_component_is_mapped_as_if_alone(name):
    model, alone = many(3), component()
    points = np.random.default_rng(0).uniform(0.1, 0.9, size=(3, 4))
    whole = jax.jit(getattr(model, name))(points.ravel())
    of_one = jax.jit(getattr(alone, name))
    parts = [of_one(point) for point in points]
    expected = sum(map(float, parts)) if np.ndim(whole) == 0 else np.concatenate(parts)
    np.testing.assert_allclose(whole, expected, rtol=1e-12)


def test_priors_of_one_family_keep_their_own_numbers():
    model = anb.Model(
        **{f"p{i}": dist.Normal(float(i), 0.1 + i) for i in range(5)}, q=2.0
    )
    for i in range(5):
        prior: Any = model.prior_of(f"p{i}")
        assert float(prior.loc) == i
        assert float(prior.scale) == pytest.approx(0.1 + i)
    draws = np.asarray(model.sample_prior(jax.random.key(0), 2000))
    sd = 0.1 + np.arange(5)
    assert np.all(np.abs(draws.mean(axis=0) - np.arange(5)) < 5 * sd / np.sqrt(2000))
    np.testing.assert_allclose(draws.std(axis=0), sd, rtol=0.1)
    assert np.abs(np.corrcoef(draws.T) - np.eye(5)).max() < 0.1


def test_many_points_at_once_are_the_points_one_by_one():
    model = anb.Model(
        low=dist.Uniform(0.0, 1.0),
        high=lambda m: dist.Uniform(m.low, 2.0),
        middle=lambda m: (m.low + m.high) / 2,
        part=component(),
    ).with_assertions(wide=lambda m: m.high > 1.2 * m.low)
    points = np.array(model.sample_prior(jax.random.key(1), 6))
    points[0, :2] = points[0, 1], points[0, 0]  # one that is not allowed
    together = jax.jit(jax.vmap(model.log_prior))(points)
    alone = jax.jit(model.log_prior)
    assert together.tolist() == [float(alone(point)) for point in points]
    assert np.isfinite(together).tolist() == [False] + [True] * 5
