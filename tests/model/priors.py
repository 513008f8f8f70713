"""Priors with the same distributions by SciPy, which numpyro knows nothing of."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpyro.distributions as dist
from scipy import stats

import ampynb as anb

WITH_QUANTILE: dict[str, tuple[dist.Distribution, Any]] = {
    "normal": (dist.Normal(1.0, 2.0), stats.norm(1, 2)),
    "uniform": (dist.Uniform(-1.0, 3.0), stats.uniform(-1, 4)),
    "log-uniform": (dist.LogUniform(0.1, 10.0), stats.loguniform(0.1, 10)),
    "log-normal": (
        dist.LogNormal(0.5, 0.7),
        stats.lognorm(0.7, scale=np.exp(0.5)),
    ),
    "half-normal": (dist.HalfNormal(2.0), stats.halfnorm(scale=2)),
    "truncated normal": (
        dist.TruncatedNormal(1.0, 2.0, low=0.0, high=4.0),
        stats.truncnorm(-0.5, 1.5, loc=1, scale=2),
    ),
    "normal truncated below": (
        dist.TruncatedNormal(0.0, 1.0, low=1.0),
        stats.truncnorm(1, np.inf),
    ),
    "normal truncated above": (
        dist.TruncatedNormal(0.0, 1.0, high=0.5),
        stats.truncnorm(-np.inf, 0.5),
    ),
    "exponential": (dist.Exponential(2.0), stats.expon(scale=0.5)),
    "half-Cauchy": (dist.HalfCauchy(2.0), stats.halfcauchy(scale=2)),
}
BY_INVERSION: dict[str, tuple[dist.Distribution, Any]] = {
    "gamma": (dist.Gamma(2.0, 3.0), stats.gamma(2, scale=1 / 3)),
    "inverse gamma": (dist.InverseGamma(3.0, 2.0), stats.invgamma(3, scale=2)),
    "beta": (dist.Beta(2.0, 3.0), stats.beta(2, 3)),
    "Student-t": (dist.StudentT(4.0, 1.0, 2.0), stats.t(4, loc=1, scale=2)),
}
SCALAR = WITH_QUANTILE | BY_INVERSION

COVARIANCE = np.array([[2.0, 0.6, 0.1], [0.6, 1.0, -0.3], [0.1, -0.3, 0.5]])
VECTOR = {
    "expanded": dist.LogUniform(0.1, 10.0).expand([3]),
    "expanded to a matrix": dist.Uniform(-1.0, 3.0).expand([2, 2]),
    "an event": dist.HalfNormal(2.0).expand([3]).to_event(1),
    "different scales": dist.TruncatedNormal(0.0, np.arange(1.0, 4.0), low=-1.0),
    "multivariate normal": dist.MultivariateNormal(np.arange(3.0), COVARIANCE),
}
PRIORS = {name: pair[0] for name, pair in SCALAR.items()} | VECTOR

# One model a prior. The tests evaluate all in one compiled program, and then look at
# each: a program for each would take minutes.
MODELS = {name: anb.Model(p=prior) for name, prior in PRIORS.items()}
ALL_SCALARS = anb.Model(
    **{f"p{i}": prior for i, (prior, _) in enumerate(SCALAR.values())}
)
