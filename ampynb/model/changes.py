"""Models made from others: parameters fixed, tied, given other priors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpyro.distributions as dist

from ampynb.model.arrays import holds_numbers
from ampynb.model.circle import has_period
from ampynb.model.function import Function
from ampynb.model.instance import as_identifier
from ampynb.model.parameter import Parameter
from ampynb.model.table import Row, describe, suggest
from ampynb.model.tree import Formula, Node, Tie
from ampynb.model.units import with_unit

if TYPE_CHECKING:
    from ampynb.model.model import Model

__all__ = ["check_shapes", "remade_tree", "with_assertions", "with_given", "with_ties"]


def with_given(model: Model, given: Mapping[str, Any]) -> Node:
    """Return a model's tree with other priors, values or functions, by name."""
    changes = {}
    for name, value in given.items():
        name = as_identifier(name)
        parameter = _like(model, name, value)
        is_function = parameter.is_function
        changes[name] = Formula(parameter) if is_function else parameter
    return model.tree.with_entries(changes)


def with_ties(model: Model, ties: Mapping[str, Any]) -> Node:
    """Return a model's tree with parameters tied to others, or to functions of them."""
    changes = {}
    for name, source in _by_parameter(model, ties):
        if callable(source):
            changes[name] = Formula(_like(model, name, source))
        elif isinstance(source, str):
            changes[name] = Tie(source, _like(model, name, 0.0))
        else:
            raise TypeError(
                f"expected {name!r} tied to the name of a parameter, or to a function "
                f"of the model's values; got {source!r}; write model.fix({name}=...) "
                "for a fixed value"
            )
    return model.tree.with_entries(changes)


def _by_parameter(model: Model, ties: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield ties of parameters, where components are tied one for each within."""
    for name, source in ties.items():
        name = as_identifier(name)
        source = as_identifier(source) if isinstance(source, str) else source
        below = [row.name for row in model.rows if row.name.startswith(f"{name}.")]
        if not below or not isinstance(source, str):
            yield name, source
            continue
        for one in below:
            yield one, source + one.removeprefix(name)


def check_shapes(before: Model, after: Model) -> None:
    """Raise where a tie has changed the shape of a parameter."""
    for row in before.rows:
        now, given = after.entry(row.name)
        if now.shape != row.shape:
            source = repr(now.source) if now.source else describe(now, given)
            raise ValueError(
                f"expected {row.name!r}, of shape {row.shape}, tied to values of its "
                f"shape; got {source}, of shape {now.shape}"
            )


def with_assertions(tree: Node, assertions: Mapping[str, Callable | None]) -> Node:
    """Return a tree with further assertions; None takes one away."""
    for name, assertion in assertions.items():
        if assertion is not None and not callable(assertion):
            raise TypeError(
                f"assertion {name!r}: expected a function of the instance; got "
                f"{type(assertion).__qualname__}; write {name}=lambda m: m.a < m.b"
            )
    merged = {**dict(tree.assertions), **assertions}
    kept = tuple((n, one) for n, one in merged.items() if one is not None)
    return replace(tree, assertions=kept)


def remade_tree(model: Model, skeleton: Node) -> Node:
    """Return what users wrote, of a model that JAX has rebuilt."""
    scopes = {name: place.scope for name, place in skeleton.walk()}
    entries: dict[str, Any] = {}
    for row, given in model.entries():
        if row.source is not None:
            entries[row.name] = Tie(row.source, _like(model, row.name, 0.0))
        elif isinstance(given, Function):
            parameter = _like(model, row.name, given.program.function)
            entries[row.name] = Formula(parameter, scopes[row.name])
        else:
            entries[row.name] = _like(model, row.name, given)
    return skeleton.with_entries(entries)


def _like(model: Model, name: str, given: Any) -> Parameter:
    """Return a parameter with the unit, the label and the period of the model's."""
    if isinstance(given, Parameter):
        return given
    rows = {row.name: row for row in model.rows}
    if name not in rows:
        raise ValueError(suggest(name, list(rows)))
    row, now = rows[name], model.entry(name)[1]
    return Parameter(_typed(given, now), row.unit, row.label, _kept_period(row, given))


def _typed(given: Any, now: Any) -> Any:
    """Return a new value as an integer or a truth where the model has one.

    Elsewhere as a float, which is an argument of compiled programs: none is compiled
    again for another.
    """
    if not holds_numbers(given) or with_unit(given)[1] is not None:
        return given
    array, wanted = np.asarray(given), _kind(now)
    if _kind(given) == wanted:
        return given
    if wanted == "f":
        return array.astype(float)
    typed = array.astype(bool if wanted == "b" else int)
    return typed if np.array_equal(typed, array) else given


def _kind(value: Any) -> str:
    """Return whether a value is of integers, i, truths, b, or what else: f."""
    kind = np.asarray(value).dtype.kind if holds_numbers(value) else "f"
    return {"u": "i"}.get(kind, kind)


def _kept_period(row: Row, given: Any) -> float | None:
    """Return the period, unless a new prior has edges of its own within it."""
    if row.period is None or not isinstance(given, dist.Distribution):
        return row.period
    return row.period if has_period(given, row.period) else None
