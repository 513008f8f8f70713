"""Half of a Gaussian: the likelihood rejects the other half."""

import jax.numpy as jnp
import numpyro.distributions as dist
import pytest

import ampynb as anb

# Normal(0, 1) times exp(-a**2 / 2), where a > 0: a half normal of scale 1/sqrt(2)
MEAN, SD = 1 / jnp.pi**0.5, (0.5 - 1 / jnp.pi) ** 0.5


def half_model() -> anb.Model:
    """Return the model of the prior."""
    return anb.Model(a=dist.Normal(0.0, 1.0))


class HalfRaising(anb.Analysis):
    """In NumPy; it raises where ``a`` is negative."""

    def __init__(self, error: Exception):
        super().__init__(use_jax=False)
        self.error = error

    def log_likelihood_function(self, instance):
        if instance.a < 0:
            raise self.error
        return -0.5 * instance.a**2


class HalfUndefined(anb.Analysis):
    """In JAX; it is NaN where ``a`` is negative."""

    def log_likelihood_function(self, instance):
        return jnp.where(instance.a < 0, jnp.nan, -0.5 * instance.a**2)


def check_half(result: anb.Result, reason: str) -> None:
    """Assert that a result is that of the half, and says what was rejected."""
    a = result.flat_draws[:, 0]
    assert a.min() > 0
    assert a.mean() == pytest.approx(MEAN, abs=0.1)
    assert a.std() == pytest.approx(SD, abs=0.08)
    found = result.history.rejections
    assert 0 < found.total < found.points
    assert list(found.reasons) == [reason]
    told = f"rejected {found.total:,} of {found.points:,} points: {reason}"
    assert told in result.verdict()
    assert told in repr(result)
