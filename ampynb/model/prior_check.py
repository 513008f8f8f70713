"""Checks of a prior where it is given: its numbers, its edges, its density."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.core import Tracer
from numpyro.distributions.constraints import Constraint, is_dependent
from numpyro.distributions.transforms import biject_to

from ampynb.model.prior_text import describe_prior
from ampynb.model.quantile import edges_of

__all__ = ["are_numbers_valid", "check_dimension", "check_numbers", "check_prior"]

# Distributions with an atom, or whose log_prob is a likelihood and no density.
_WITHOUT_DENSITY = ("Delta", "Masked", "Unit", "Hurdle", "ZeroInflated")


def check_prior(prior: dist.Distribution) -> None:
    """Raise where a prior is not a continuous density that can be drawn from.

    Raises
    ------
    TypeError
        For a prior that is discrete, improper or without a density.
    ValueError
        For numbers that are not finite or out of their range, and for empty or
        infinite bounds.
    """
    if not _can_be_drawn_from(prior):
        raise TypeError(
            f"expected a prior that can be drawn from; got {describe_prior(prior)}; "
            "use for instance a wide Normal or Uniform"
        )
    _check_density(prior)
    if prior.is_discrete:
        raise TypeError(
            f"expected a continuous prior; got {describe_prior(prior)}, whose "
            "values are discrete; sum over its values in the likelihood instead"
        )
    if 0 in prior.batch_shape + prior.event_shape:
        raise ValueError(
            "expected a prior of at least one value; got one of shape "
            f"{prior.batch_shape + prior.event_shape}; leave the parameter out"
        )
    check_numbers(prior)
    _check_domains(prior)
    _check_methods(prior)


def _can_be_drawn_from(prior: dist.Distribution) -> bool:
    """Tell whether a prior, and what it is made of, says how to draw from it."""
    base: Any = getattr(prior, "base_dist", None)
    writes_it = type(prior).sample is not dist.Distribution.sample
    return writes_it and (base is None or _can_be_drawn_from(base))


def _check_density(prior: dist.Distribution) -> None:
    for part in _parts(prior):
        name = type(part).__name__
        if name.startswith(_WITHOUT_DENSITY) or "Censored" in name:
            raise TypeError(
                f"expected a prior that is a density; got {describe_prior(prior)}; "
                "give a number to fix the parameter, or a prior such as Normal"
            )


def _parts(prior: dist.Distribution) -> Iterator[dist.Distribution]:
    """Yield a prior and the distributions that it is made of."""
    yield prior
    for value in vars(prior).values():
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, dist.Distribution):
                yield from _parts(one)


def check_numbers(prior: dist.Distribution) -> None:
    """Raise where a number or a bound makes a prior impossible; traced ones pass."""
    for part in _parts(prior):
        for name, number, constraint in _numbers(part):
            _check_number(part, name, number, constraint)
        _check_bounds(part)


def _numbers(part: dist.Distribution) -> Iterator[tuple[str, Any, Constraint | None]]:
    """Yield the known numbers of one distribution with what they must satisfy."""
    for name, constraint in part.arg_constraints.items():
        number = vars(part).get(name)
        if _is_known(number):
            yield name, number, None if is_dependent(constraint) else constraint
    for transform in vars(part).get("transforms", ()):
        for number in jax.tree_util.tree_leaves(transform):
            if _is_known(number):
                yield type(transform).__name__, number, None


def _is_known(number: Any) -> bool:
    if number is None or isinstance(number, Tracer):
        return False
    return np.asarray(number).dtype.kind in "iuf"


def _check_number(
    part: dist.Distribution, name: str, number: Any, constraint: Constraint | None
) -> None:
    if not np.all(np.isfinite(number)):
        raise ValueError(
            f"expected finite numbers in a prior; got {_told(number, np.isfinite)} for "
            f"{name} in {describe_prior(part)}; a prior without an end or a width is "
            "improper: use for instance a wide Normal or Uniform"
        )
    if constraint is not None and not np.all(constraint(number)):
        raise ValueError(
            f"expected {name} {_words(constraint)}; got {_told(number, constraint)} in "
            f"{describe_prior(part)}; correct the prior"
        )


def _told(number: Any, is_good: Any) -> str:
    """Return a number, or the first element that is not good, with its place."""
    good = np.asarray(is_good(number))
    if good.shape != np.shape(number) or good.ndim == 0:
        return describe_prior(number)
    place = tuple(np.argwhere(~good)[0])
    told = ",".join(map(str, place))
    return f"{describe_prior(np.asarray(number)[place])} at element {told}"


def _words(constraint: Any) -> str:
    """Return what a constraint asks for: ``above 0``, ``lower cholesky``."""
    low = getattr(constraint, "lower_bound", None)
    high = getattr(constraint, "upper_bound", None)
    if low is not None and high is not None:
        return f"between {low:g} and {high:g}"
    if low is not None:
        return f"{'above' if not constraint(low) else 'of at least'} {low:g}"
    if high is not None:
        return f"{'below' if not constraint(high) else 'of at most'} {high:g}"
    kind = type(constraint).__name__.strip("_")
    return "as " + re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).lower()


def _check_bounds(part: dist.Distribution) -> None:
    low, high = edges_of(part.support)
    if any(isinstance(edge, Tracer) for edge in (low, high)):
        return
    for edge in (low, high):
        if edge is not None and not np.all(np.isfinite(edge)):
            raise ValueError(
                f"expected finite bounds; got {_told(edge, np.isfinite)} in "
                f"{describe_prior(part)}; leave out a bound that is open, as in "
                "TruncatedNormal(0, 1, low=0), or use a wide Normal"
            )
    if low is None or high is None or np.all(np.less(low, high)):
        return
    low, high = np.broadcast_arrays(low, high)
    place = tuple(np.argwhere(~(low < high))[0])
    at = f" at element {','.join(map(str, place))}" if place else ""
    raise ValueError(
        f"expected low below high; got low={describe_prior(low[place])}, "
        f"high={describe_prior(high[place])}{at} in {describe_prior(part)}; give the "
        "lower bound first"
    )


def _check_domains(prior: dist.Distribution) -> None:
    """Raise where a transform takes its base to have another support than it has."""
    for part in _parts(prior):
        transforms = vars(part).get("transforms")
        base: Any = getattr(part, "base_dist", None)
        writes_support = type(part).support is not dist.TransformedDistribution.support
        if not transforms or base is None or writes_support:
            continue
        expected, got = edges_of(base.support), edges_of(transforms[0].domain)
        if any(isinstance(edge, Tracer) for edge in (*expected, *got)):
            continue
        if not _are_same(expected, got):
            name = type(transforms[0]).__name__
            raise ValueError(
                f"expected a transform of the support of {describe_prior(base)}; got "
                f"{name} of another domain, which has no density there; write "
                f"{name}(..., domain=base.support)"
            )


def _are_same(first: tuple, second: tuple) -> bool:
    pairs = zip(first, second, strict=True)
    return all(
        (a is None) == (b is None) and (a is None or np.allclose(a, b))
        for a, b in pairs
    )


def are_numbers_valid(prior: dist.Distribution) -> jax.Array:
    """Return whether a prior that depends on others is possible, in compiled code."""
    valid = jnp.asarray(True)
    for part in _parts(prior):
        for name, constraint in part.arg_constraints.items():
            number = vars(part).get(name)
            if number is None:
                continue
            valid &= jnp.all(jnp.isfinite(number))
            if not is_dependent(constraint):
                valid &= jnp.all(constraint(number))
        low, high = edges_of(part.support)
        if low is not None and high is not None:
            valid &= jnp.all(jnp.less(low, high))
    return valid


def _check_methods(prior: dist.Distribution) -> None:
    """Raise where numpyro cannot draw from a prior or has no density of it."""
    leaves, structure = jax.tree_util.tree_flatten(prior)
    shapes = tuple((np.shape(leaf), jnp.result_type(leaf)) for leaf in leaves)
    error = _error_of_methods(structure, shapes)
    if error:
        raise TypeError(
            f"expected a prior that can be drawn from; got {describe_prior(prior)}, "
            f"of which numpyro says {error}; use another prior"
        )


@functools.lru_cache(maxsize=1000)
def _error_of_methods(structure: Any, shapes: tuple) -> str | None:
    """Trace a prior's draw and density once for each of its kind."""

    def of_one(*numbers: Any) -> Any:
        prior = jax.tree_util.tree_unflatten(structure, numbers)
        return prior.log_prob(prior.sample(jax.random.key(0)))

    try:
        jax.eval_shape(of_one, *(jax.ShapeDtypeStruct(*each) for each in shapes))
    except (NotImplementedError, ImportError, TypeError, AttributeError) as error:
        return f"{type(error).__name__}: {str(error) or 'no such method'}"
    return None


def check_dimension(name: str, prior: dist.Distribution) -> None:
    """Raise where the elements of a prior's values cannot vary freely."""
    shape = prior.batch_shape + prior.event_shape
    try:
        inverse_shape = biject_to(prior.support).inverse_shape(shape)
    except NotImplementedError:  # numpyro has no coordinates of this support
        inverse_shape = None
    if inverse_shape != shape:
        raise ValueError(
            f"expected a prior whose values can vary freely; got {name!r} with "
            f"{describe_prior(prior)}, on {type(prior.support).__name__}; use free "
            "parameters and compute the constrained values in the forward model"
        )
