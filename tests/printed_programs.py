"""Prints programs of a posterior, for processes to compare: ``printed_programs.py``."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

import ampynb as anb
from tests.helpers import Line

MODEL = anb.Model(
    slope=dist.TruncatedNormal(1.0, 2.0, low=-3.0, high=5.0),
    intercept=dist.StudentT(3.0, 0.0, 2.0),
    other=dist.Gamma(2.0, 3.0).expand([3]),
    last=lambda m: dist.Beta(m.other[0] + 1, 2.0),
)


def of_posterior(posterior: anb.Posterior, key: Any) -> Any:
    vectors = posterior.model.sample_prior(key, 3)
    z = jax.vmap(posterior.model.unconstrain)(vectors)
    analysis: Any = posterior.analysis
    return (
        jax.vmap(jax.value_and_grad(posterior.log_density))(z),
        [outliers.log_prob(0.5) for outliers in analysis.outliers],
    )


if __name__ == "__main__":
    line: Any = Line(jnp.arange(3.0), jnp.arange(3.0), np.full(3, 0.1))
    numbers = np.array([0.4, 1.3])
    families = dist.Normal, dist.StudentT, dist.Gamma, dist.Beta, dist.Uniform
    line.outliers = [family(*numbers) for family in families]
    arguments = anb.Posterior(line, MODEL), jax.random.key(0)
    print(jax.jit(of_posterior).lower(*arguments).as_text())
