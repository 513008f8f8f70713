"""From what the user asks for to a configured algorithm."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from ampynb.algorithms.algorithm import Algorithm
from ampynb.algorithms.ensemble import Ensemble
from ampynb.algorithms.hmc import HMC, NUTS
from ampynb.algorithms.tempered import Tempered
from ampynb.analysis.posterior import Posterior
from ampynb.model.options import meant, unknown_options

__all__ = ["NAMES", "algorithm_from", "describe_algorithm", "described_algorithm"]

NAMES = ("ensemble", "tempered", "nuts", "hmc", "nested")


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
    elif sampler == "hmc":
        algorithm = HMC()
    elif sampler == "nested" and posterior.analysis.use_jax:
        from ampynb.algorithms.nested import Nested  # imports blackjax

        algorithm = Nested()
    elif sampler == "nested":
        from ampynb.algorithms.external_nested import DynestyNested

        algorithm = DynestyNested()
    elif sampler == "tempered":
        algorithm = Tempered()
    elif sampler == "ensemble" and posterior.analysis.use_jax:
        algorithm = Ensemble()
    elif sampler == "ensemble":
        from ampynb.algorithms.external import EmceeEnsemble  # imports emcee

        algorithm = EmceeEnsemble()
    else:
        raise ValueError(
            f"expected a sampler among {', '.join(map(repr, NAMES))}, or a configured "
            f"one such as ampynb.NUTS(target_accept=0.9); got {sampler!r}; "
            f"{meant(str(sampler), NAMES) or 'correct it'}"
        )
    if not posterior.analysis.use_jax and not algorithm.takes_numpy:
        raise ValueError(
            f"expected an analysis in JAX for the sampler {type(algorithm).__name__}; "
            "got use_jax=False; write the likelihood with jax.numpy, or use "
            "sampler='ensemble' or 'nested'"
        )
    return _with_options(algorithm, options)


def _with_options(algorithm: Algorithm, options: Mapping[str, Any]) -> Algorithm:
    known = [field.name for field in dataclasses.fields(algorithm)]
    unknown = [name for name in options if name not in known]
    if unknown:
        what = type(algorithm).__name__
        raise ValueError(unknown_options(what, unknown, known, "correct or drop them"))
    return dataclasses.replace(algorithm, **options)


def describe_algorithm(algorithm: Algorithm) -> dict[str, Any]:
    """Return an algorithm in words and numbers that JSON can keep.

    What has no such form, as a move of emcee, is left out.
    """
    return {
        "class": type(algorithm).__name__,
        "name": algorithm.name,
        "options": {
            field.name: value
            for field in dataclasses.fields(algorithm)
            if _is_plain(value := getattr(algorithm, field.name))
        },
    }


def described_algorithm(description: Mapping[str, Any]) -> Algorithm:
    """Return an algorithm as far as it was described; it serves to read its draws.

    One of the user's own is found where its class has been imported.
    """
    for kind in (*_kinds(), *_below(Algorithm)):
        if kind.__name__ == description["class"]:
            known = [field.name for field in dataclasses.fields(kind)]
            options = description["options"].items()
            return kind(**{name: value for name, value in options if name in known})
    raise ValueError(
        f"expected an algorithm that this version of ampynb has; got "
        f"{description['class']!r}; open the run with the version that wrote it, or "
        "import the class if it is your own"
    )


def _below(kind: type[Algorithm]) -> Iterator[type[Algorithm]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _kinds() -> list[type[Algorithm]]:
    from ampynb.algorithms.external import EmceeEnsemble  # imports emcee
    from ampynb.algorithms.external_nested import DynestyNested
    from ampynb.algorithms.nested import Nested  # imports blackjax
    from ampynb.algorithms.scripted import Scripted

    return [
        Ensemble,
        Tempered,
        NUTS,
        HMC,
        Nested,
        EmceeEnsemble,
        DynestyNested,
        Scripted,
    ]
