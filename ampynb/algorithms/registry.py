"""From what the user asks for to a configured algorithm."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ampynb.algorithms.algorithm import Algorithm
from ampynb.algorithms.ensemble import Ensemble
from ampynb.algorithms.hmc import NUTS
from ampynb.analysis.posterior import Posterior

__all__ = ["NAMES", "algorithm_from"]

NAMES = ("ensemble", "nuts")


def algorithm_from(
    sampler: str | Algorithm, posterior: Posterior, options: Mapping[str, Any]
) -> Algorithm:
    """Return the algorithm of a name, or the configured one, with ``options`` set.

    Raises
    ------
    ValueError
        For a name or an option that does not exist, and for an algorithm that needs
        gradients of a NumPy likelihood.
    """
    if isinstance(sampler, Algorithm):
        algorithm = sampler
    elif sampler == "nuts":
        algorithm = NUTS()
    elif sampler == "ensemble" and posterior.analysis.use_jax:
        algorithm = Ensemble()
    elif sampler == "ensemble":
        from ampynb.algorithms.external import EmceeEnsemble  # imports emcee

        algorithm = EmceeEnsemble()
    else:
        raise ValueError(
            f"expected a sampler among {', '.join(map(repr, NAMES))}, or a configured "
            f"one such as ampynb.NUTS(target_accept=0.9); got {sampler!r}; correct it"
        )
    if not posterior.analysis.use_jax and not algorithm.takes_numpy:
        raise ValueError(
            f"expected an analysis in JAX for the sampler {type(algorithm).__name__}; "
            "got use_jax=False; write the likelihood with jax.numpy, or use "
            "sampler='ensemble'"
        )
    return _with_options(algorithm, options)


def _with_options(algorithm: Algorithm, options: Mapping[str, Any]) -> Algorithm:
    known = [field.name for field in dataclasses.fields(algorithm)]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ValueError(
            f"expected options of {type(algorithm).__name__} ({', '.join(known)}); got "
            f"{', '.join(unknown)}; correct or drop them"
        )
    return dataclasses.replace(algorithm, **options)
