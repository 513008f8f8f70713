"""The parameter table: rows in the order of declaration, laid out from the tree."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from ampynb.model.circle import edges, natural_period
from ampynb.model.function import Function
from ampynb.model.instance import FixedInteger, is_constant, nested, read
from ampynb.model.options import meant
from ampynb.model.parameter import Parameter
from ampynb.model.prior_text import describe_prior
from ampynb.model.tree import Formula, Node, Tie, build
from ampynb.model.units import in_named_unit

__all__ = [
    "Row",
    "Structure",
    "assertions_of",
    "check_values",
    "describe",
    "has_value",
    "lay_out",
    "periods_of",
    "suggest",
]


@dataclass(frozen=True)
class Row:
    """One parameter's line in the table.

    Attributes
    ----------
    name : str
        Dotted name: ``lens.theta_E``.
    kind : str
        ``"free"``, ``"fixed"``, ``"tied"`` or ``"derived"``.
    shape : tuple of int
        Shape of the value; empty for a scalar.
    start : int
        Where a free row begins in the vector.
    source : str or None
        The name that a tied row takes its value from.
    unit, label : str
        For people only: they do not enter compiled code.
    period : float or None
        Of a parameter that wraps, as an angle.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    start: int
    source: str | None = None
    unit: str = field(default="", compare=False)
    label: str | None = field(default=None, compare=False)
    period: float | None = None

    @functools.cached_property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def span(self) -> slice:
        """The row's elements in the vector."""
        return slice(self.start, self.start + self.size)

    def in_unit(self, value: Any) -> Any:
        """Return the numbers of a value in the parameter's unit.

        Raises
        ------
        TypeError, ValueError
            Where its unit cannot be converted.
        """
        return in_named_unit(value, self.name, self.unit)

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


def describe(row: Row, given: Any) -> str:
    """Return a row's prior, value, source or formula in short words."""
    wraps = "" if row.period is None else f", period {row.period:.6g}"
    return _describe(row, given) + wraps


def _describe(row: Row, given: Any) -> str:
    if row.source is not None:
        return f"= {row.source}"
    if isinstance(given, Function):
        return f"= {given}" if row.kind == "derived" else str(given)
    return describe_prior(given)


def periods_of(rows: Iterable[Row]) -> np.ndarray:
    """Return the period of each element of some rows; infinite where none wraps."""
    periods = [row.period or np.inf for row in rows for _ in range(row.size)]
    return np.array(periods, float)


def lay_out(tree: Node) -> tuple[tuple[Row, ...], dict[str, Function]]:
    """Give each parameter of the tree its row and its place in the vector.

    Functions are read on the way, in the order of the table: each with the values
    that are known by then.

    Returns
    -------
    rows : tuple of Row
    functions : dict of str to Function
        Those of derived parameters, and of priors that depend on others.
    """
    entries = dict(tree.walk())
    shapes = {
        name: entry.shape
        for name, entry in entries.items()
        if not isinstance(entry, Tie | Formula)
    }
    _add_tied(shapes, entries)
    functions: dict[str, Function] = {}
    for name, entry in entries.items():
        if isinstance(entry, Formula):
            functions[name] = _read(name, entry, entries, shapes, functions)
            shapes[name] = functions[name].shape
            _add_tied(shapes, entries)
    rows: list[Row] = []
    start = 0
    for name, entry in entries.items():
        linked = isinstance(entry, Tie | Formula)
        parameter = entry.parameter if linked else entry
        row = Row(
            name=name,
            kind=_kind(entry, functions.get(name)),
            shape=shapes[name],
            start=start,
            source=entry.source if isinstance(entry, Tie) else None,
            unit=parameter.unit,
            label=parameter.label,
            period=_period(name, parameter, functions.get(name)),
        )
        start += row.size if row.kind == "free" else 0
        rows.append(row)
    return tuple(rows), functions


def _period(name: str, parameter: Any, function: Function | None) -> float | None:
    """Return the period of a parameter: its own, or that of the prior it is given."""
    if function is None or not function.gives_prior:
        return parameter.period
    prior = function.prior_of_its_kind()
    natural = natural_period(prior)
    if natural is not None or parameter.period is None:
        return natural
    if not all(np.all(np.isfinite(edge)) for edge in edges(prior)):
        raise ValueError(
            f"parameter {name!r}: expected a prior on an interval of one period, "
            f"{parameter.period:.6g}; got {function}; give for instance VonMises, or "
            "Uniform from a value to that value plus the period"
        )
    return parameter.period


def _kind(entry: Any, function: Function | None) -> str:
    if isinstance(entry, Tie):
        return "tied"
    if function is not None:
        return "free" if function.gives_prior else "derived"
    return "free" if entry.is_free else "fixed"


def _add_tied(shapes: dict[str, tuple], entries: Mapping[str, Any]) -> None:
    """Add the shapes of the parameters that are tied to those which are known."""
    for name, entry in entries.items():
        if isinstance(entry, Tie) and name not in shapes:
            _check_tie(name, entry.source, entries)
            if entry.source in shapes:
                shapes[name] = shapes[entry.source]


def _check_tie(name: str, source: str, entries: Mapping[str, Any]) -> None:
    if source not in entries:
        raise ValueError(suggest(source, list(entries)))
    if name == source:
        raise ValueError(
            f"expected {name!r} tied to another parameter; got {source!r} itself"
        )
    circle = [name, source]
    while isinstance(entries.get(circle[-1]), Tie) and circle.count(circle[-1]) == 1:
        circle.append(entries[circle[-1]].source)
    if circle[-1] in circle[:-1]:
        raise ValueError(
            f"expected ties that end at a free or fixed parameter; got the circle "
            f"{' = '.join(map(repr, circle))}, where {source!r} is itself tied; leave "
            "out one of them"
        )
    if isinstance(entries[source], Tie):
        raise ValueError(
            f"expected {name!r} tied to a parameter that is not; got {source!r}, "
            f"itself tied; tie {name!r} to {entries[source].source!r}"
        )


def _read(
    name: str,
    formula: Formula,
    entries: Mapping[str, Any],
    shapes: Mapping[str, tuple],
    functions: Mapping[str, Function],
) -> Function:
    """Read a parameter's function, unless it stands for another parameter too."""
    for former, function in functions.items():
        if entries[former].same_as(formula):
            return function
    begin, written = len(formula.scope), formula.parameter.prior
    known = {
        full: _seen(full, entries, shapes[full], functions)
        for full in entries
        if full in shapes and full.startswith(formula.scope)
    }
    function = Function.read(
        f"parameter {name!r}",
        cast(Callable, written),
        lambda values: nested({full[begin:]: value for full, value in values.items()}),
        known,
        hint="a function sees the parameters that have a prior or a value of their "
        "own, and what functions above it give",
    )
    if function.gives_truth:
        raise TypeError(
            f"parameter {name!r}: expected a function that gives numbers or a prior; "
            f"got one that gives true or false ({function}); write "
            f"model.with_assertions({name}=...) for what must hold"
        )
    return function


def _seen(
    name: str,
    entries: Mapping[str, Any],
    shape: tuple,
    functions: Mapping[str, Function],
) -> FixedInteger | np.bool_ | jax.ShapeDtypeStruct:
    """Return what functions see of a value: a constant, or its shape and type."""
    entry = entries[name]
    name = entry.source if isinstance(entry, Tie) else name
    entry, function = entries[name], functions.get(name)
    if function is not None and not function.gives_prior:
        if function.constant is not None:
            return function.constant
        return jax.ShapeDtypeStruct(shape, function.dtype)
    value = entry.prior if isinstance(entry, Parameter) else None
    if is_constant(value):
        return cast(FixedInteger | np.bool_, value)
    is_fixed = isinstance(value, np.ndarray)
    return jax.ShapeDtypeStruct(
        shape, value.dtype if is_fixed else jnp.result_type(float)
    )


def assertions_of(
    tree: Node, rows: tuple[Row, ...], functions: Mapping[str, Function]
) -> dict[str, Function]:
    """Read what must hold of the model and of the models within it, by dotted name.

    Parameters
    ----------
    functions : dict of str to Function
        Those of the parameters.
    """
    entries = dict(tree.walk())
    seen = {row.name: _seen(row.name, entries, row.shape, functions) for row in rows}
    found = {}
    for prefix, node in tree.nodes():
        known = {name: one for name, one in seen.items() if name.startswith(prefix)}
        for name, function in node.assertions:
            found[f"{prefix}{name}"] = Function.read(
                f"assertion {prefix + name!r}",
                function,
                lambda values, node=node, prefix=prefix: build(node, values, prefix),
                known,
            )
    for name, function in found.items():
        if not function.gives_truth:
            raise TypeError(
                f"assertion {name!r}: expected a function that gives true or false; "
                f"got one that gives numbers ({function}); compare, as in m.a < m.b"
            )
    return found


@dataclass(frozen=True)
class _Place:
    """What is left of an entry in the structure: its kind, and what it may see."""

    kind: str
    scope: str


class Structure:
    """What compiled code holds of a model as constant; its hash is taken once.

    Parameters
    ----------
    tree : Node
        What users wrote; kept without its priors and values.
    rows : tuple of Row
    blocks : tuple of tuple of Row
        The free rows that are mapped together.
    constants : dict of str to FixedInteger or numpy.bool
        Fixed values that are counts, indices or truths: others are arguments.
    """

    def __init__(self, tree: Node, rows: tuple, blocks: tuple, constants: Mapping):
        entries = dict(tree.walk())
        places = {
            row.name: _Place(row.kind, getattr(entries[row.name], "scope", ""))
            for row in rows
        }
        self.tree = tree.with_entries(places)
        self.rows, self.blocks = rows, blocks
        self.constants = dict(constants)
        # With their types: 1 is equal to True, but not the same to code.
        self._typed = tuple((n, type(one), one) for n, one in constants.items())
        self._hash = hash((self.tree, rows, self._typed))

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Structure)
            and self._hash == other._hash
            and (self.tree, self.rows, self.blocks, self._typed)
            == (other.tree, other.rows, other.blocks, other._typed)
        )

    def __hash__(self) -> int:
        return self._hash


def check_values(given: Mapping[str, Any], names: Iterable[str]) -> None:
    """Raise where a start, numbers by name, has none for some parameters.

    Parameters
    ----------
    given : dict
    names : iterable of str
        Of the parameters that need one.
    """
    names = list(names)
    lacking = [name for name in names if not has_value(given, name)]
    if lacking:
        hints = [meant(str(name), lacking) for name in given if name not in names]
        raise ValueError(
            "expected a start with a number for each free parameter "
            f"({', '.join(names)}); got a dictionary without {', '.join(lacking)}; "
            + (next(filter(None, hints), "") or "give it one too")
        )


def has_value(given: Mapping[str, Any], name: str) -> bool:
    """Return whether values by name have one for a parameter, nested or dotted."""
    try:
        read(given, name)
    except AttributeError:
        return False
    return True


def suggest(name: str, names: list[str]) -> str:
    """Return the message for a name that is not in the model, with the nearest."""
    hint = meant(name, names) or "correct the name"
    return f"expected a parameter of the model ({', '.join(names)}); got {name!r}; " + (
        hint
    )
