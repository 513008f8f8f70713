"""Priors and fixed values in short words, for tables and messages."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpyro.distributions as dist
from jax.core import Tracer

from ampynb.model.source import text_of

__all__ = ["describe_prior"]


def describe_prior(prior: Any) -> str:
    """Return a prior or a fixed value in short words: ``Normal(loc=0, scale=10)``."""
    if isinstance(prior, Tracer):  # of a function that is being read
        return "..."
    if callable(prior) and not isinstance(prior, dist.Distribution):
        return text_of(prior)
    if not isinstance(prior, dist.Distribution):
        return np.array2string(
            np.asarray(prior), formatter={"float_kind": "{:.6g}".format}, threshold=6
        )
    if isinstance(prior, dist.ExpandedDistribution | dist.Independent):
        shape = tuple(prior.batch_shape + prior.event_shape)
        return f"{describe_prior(prior.base_dist)} of shape {shape}"
    arguments = [
        f"{name}={describe_prior(getattr(prior, name))}"
        for name in prior.arg_constraints
        if name in vars(prior)
    ]
    base = getattr(prior, "base_dist", None)
    derived = dist.LogNormal | dist.LogUniform | dist.HalfNormal  # named in full
    if isinstance(base, dist.Distribution) and not isinstance(prior, derived):
        arguments.insert(0, describe_prior(base))
    return f"{type(prior).__name__}({', '.join(arguments)})"
