"""The parameter table: rows in the order of declaration, and the tree they hang on."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpyro.distributions as dist

from ampynb.model.arrays import is_array, register_component
from ampynb.model.parameter import Collection, Parameter

RESERVED = ("chain", "draw")

__all__ = ["Node", "Row", "lay_out", "nodes_from", "suggest"]


@dataclass(frozen=True)
class Row:
    """One parameter's line in the table.

    Attributes
    ----------
    name : str
        Dotted name: ``lens.theta_E``.
    kind : str
        ``"free"``, ``"fixed"`` or ``"tied"``.
    shape : tuple of int
        Shape of the value; empty for a scalar.
    start : int
        Where a free row begins in the vector.
    source : str or None
        The name that a tied row takes its value from.
    unit, label : str
        For people only: they do not enter compiled code.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    start: int
    source: str | None = None
    unit: str = field(default="", compare=False)
    label: str | None = field(default=None, compare=False)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=int))

    @property
    def span(self) -> slice:
        """The row's elements in the vector."""
        return slice(self.start, self.start + self.size)

    def element_names(self) -> list[str]:
        """Return one name an element: ``weights[0]``, ``weights[1]``."""
        if not self.shape:
            return [self.name]
        return [
            f"{self.name}[{','.join(map(str, index))}]"
            for index in np.ndindex(self.shape)
        ]

    def element_labels(self) -> list[str]:
        """Return one LaTeX label an element, in dollar signs."""
        if self.label is None:
            return self.element_names()
        if not self.shape:
            return [f"${self.label}$"]
        return [
            f"${{{self.label}}}_{{{','.join(map(str, index))}}}$"
            for index in np.ndindex(self.shape)
        ]


@dataclass(frozen=True)
class Node:
    """A component of the model: a class to make, and its entries in order."""

    component: type | None
    entries: tuple[tuple[str, Any], ...]

    def walk(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Yield each parameter under its dotted name, in order."""
        for name, entry in self.entries:
            if isinstance(entry, Node):
                yield from entry.walk(f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", entry

    def with_entries(self, changes: Mapping[str, Any], prefix: str = "") -> Node:
        """Return the node with some of its parameters exchanged, by dotted name."""
        entries = tuple(
            (
                name,
                entry.with_entries(changes, f"{prefix}{name}.")
                if isinstance(entry, Node)
                else changes.get(f"{prefix}{name}", entry),
            )
            for name, entry in self.entries
        )
        return replace(self, entries=entries)

    def within(self, name: str) -> Node:
        """Return the node as the entry ``name`` of another: its ties point there."""
        ties = {
            inner: Tie(f"{name}.{entry.source}", entry.parameter)
            for inner, entry in self.walk()
            if isinstance(entry, Tie)
        }
        return self.with_entries(ties)


@dataclass(frozen=True)
class Tie:
    """A parameter that takes the value of another."""

    source: str
    parameter: Parameter


def nodes_from(component: type | None, entries: Mapping[str, Any]) -> Node:
    """Read what the user wrote into a tree of nodes and parameters."""
    if component is not None:
        _check_component(component, entries)
        register_component(component, entries.keys())
    read = ((name, _entry_from(name, entry)) for name, entry in entries.items())
    return Node(component, tuple(read))


def _entry_from(name: str, entry: Any) -> Any:
    if not name.isidentifier() and not name.isdigit():
        raise ValueError(
            f"expected a parameter name that is a Python identifier; got {name!r}; "
            "give LaTeX or words as Parameter(..., label=...)"
        )
    if name in RESERVED:
        raise ValueError(
            f"expected a name other than ArviZ's dimensions {' and '.join(RESERVED)}; "
            f"got {name!r}; call the parameter something else"
        )
    if isinstance(entry, Parameter):
        return entry
    if isinstance(entry, Collection):
        return nodes_from(None, entry).within(name)
    tree = getattr(entry, "_tree", None)
    if isinstance(tree, Node):  # a Model within a model
        return tree.within(name)
    is_value = isinstance(entry, int | float) or is_array(entry)
    if is_value or isinstance(entry, dist.Distribution):
        return Parameter(entry)
    raise TypeError(
        f"parameter {name!r}: expected a numpyro distribution, a number, an array, a "
        f"Parameter, a Model or a Collection; got {type(entry).__module__}."
        f"{type(entry).__qualname__}; write for instance "
        f"{name}=numpyro.distributions.Uniform(0, 1)"
    )


def _check_component(component: type, entries: Mapping[str, Any]) -> None:
    if not isinstance(component, type):
        raise TypeError(
            "expected a class as the component of a Model; got "
            f"{type(component).__qualname__}; name parameters by keyword, as in "
            "Model(slope=...)"
        )
    signature = inspect.signature(component)
    try:
        signature.bind(**dict.fromkeys(entries))
    except TypeError as error:
        raise TypeError(
            f"expected the arguments of {component.__qualname__}{signature}; got "
            f"{', '.join(entries) or 'none'}: {error}; give each argument without a "
            "default a prior or a value"
        ) from None


def lay_out(tree: Node) -> tuple[Row, ...]:
    """Give each parameter of the tree its row and its place in the vector."""
    parameters = dict(tree.walk())
    rows, start = [], 0
    for name, entry in parameters.items():
        tied = isinstance(entry, Tie)
        parameter = entry.parameter if tied else entry
        shape = _tied_shape(name, entry.source, parameters) if tied else parameter.shape
        kind = "tied" if tied else "free" if parameter.is_free else "fixed"
        row = Row(
            name=name,
            kind=kind,
            shape=shape,
            start=start,
            source=entry.source if tied else None,
            unit=parameter.unit,
            label=parameter.label,
        )
        start += row.size if kind == "free" else 0
        rows.append(row)
    return tuple(rows)


def _tied_shape(name: str, source: str, parameters: Mapping) -> tuple[int, ...]:
    if source not in parameters:
        raise ValueError(suggest(source, list(parameters)))
    target = parameters[source]
    if name == source:
        raise ValueError(
            f"expected {name!r} tied to another parameter; got {source!r} itself"
        )
    if isinstance(target, Tie):
        raise ValueError(
            f"expected {name!r} tied to a free or fixed parameter; got {source!r}, "
            f"itself tied; tie {name!r} to {target.source!r}"
        )
    return target.shape


def suggest(name: str, names: list[str]) -> str:
    """Return the message for a name that is not in the model, with the nearest."""
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "correct the name"
    return f"expected a parameter of the model ({', '.join(names)}); got {name!r}; " + (
        hint
    )
