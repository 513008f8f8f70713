"""Where the controls are: values of all parameters, and which of them are fixed."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np
import numpyro.distributions as dist

from ampynb.model.circle import wrapped
from ampynb.model.instance import Instance, read
from ampynb.model.model import Model
from ampynb.model.quantile import is_logarithmic
from ampynb.model.table import Row, check_values, has_value, suggest
from ampynb.model.units import check_plain

__all__ = ["Control", "Point", "controls_of", "default_prior"]

PRIOR_MASS = 0.99
MOST_FIXED_ELEMENTS = 12  # of one fixed array, that get controls


@dataclass(frozen=True)
class Control:
    """What one element of a parameter needs for its slider.

    Attributes
    ----------
    element : str
        ``lens.theta_E`` or ``weights[1]``.
    parameter : str
        The row of the table that it belongs to.
    interval : tuple of float
        Range of the slider [model units].
    period : float, optional
        Of a parameter that wraps: the slider shows a value outside its range where it
        is a period on or back.
    """

    element: str
    parameter: str
    label: str
    unit: str
    interval: tuple[float, float]
    logarithmic: bool
    period: float | None = None

    @property
    def group(self) -> str:
        """The component or the array that the element is in; empty for neither."""
        if self.element != self.parameter:
            return self.parameter
        return self.parameter.rpartition(".")[0]

    def within(self, value: float) -> float:
        """Return where the slider stands for a value: on the same point, or the end."""
        if self.period is not None:
            return float(wrapped(value, *self.interval, self.period))
        return float(np.clip(value, *self.interval))

    def scaled(self, value: Any) -> Any:
        """Map values to the slider's own scale."""
        return np.log10(value) if self.logarithmic else np.asarray(value, dtype=float)

    def grid(self, n: int) -> np.ndarray:
        """Return ``n`` values from end to end, equally spaced on the slider."""
        low, high = (self.scaled(edge) for edge in self.interval)
        steps = np.linspace(low, high, n)
        return 10.0**steps if self.logarithmic else steps


@dataclass(frozen=True, eq=False)
class Point:
    """An immutable state of the controls.

    Parameters
    ----------
    given : Model
        The model as the user wrote it.
    values : dict of str to array
        By parameter, for all that have controls [model units].
    fixed : frozenset of str
        The parameters that are held.
    freed : dict of str to Distribution
        Priors of parameters that the model fixes and that were freed here.
    """

    given: Model
    values: Mapping[str, np.ndarray]
    fixed: frozenset[str]
    freed: Mapping[str, dist.Distribution] = field(default_factory=dict)

    @classmethod
    def at(cls, model: Model, instance: Any) -> Point:
        """Return the point of an instance, of numbers by name, or of a vector, (ndim,).

        What the model fixes is held, at its own value where a dictionary has none.

        Raises
        ------
        TypeError
            Where it is none of these.
        ValueError
            Where a dictionary has no number for a free parameter.
        """
        rows = list(_controlled(model))
        given: dict[str, Any] = {}
        if isinstance(instance, list | tuple | np.ndarray | jax.Array):
            check_plain(instance, model.names)
            instance = model.instance_from_vector(np.asarray(instance, float))
        elif isinstance(instance, Mapping):
            check_values(instance, (row.name for row, _ in model.free()))
            medians = model.instance_from_prior_medians()
            given = {row.name: read(medians, row.name) for row in rows}
        elif not isinstance(instance, Instance):
            _check_instance(instance, model)
        for row in rows:
            if not isinstance(instance, Mapping) or has_value(instance, row.name):
                given[row.name] = read(instance, row.name)
        values = {
            row.name: np.asarray(row.in_unit(given[row.name]), float) for row in rows
        }
        fixed = frozenset(row.name for row in rows if row.kind == "fixed")
        return cls(model, values, fixed)

    @functools.cached_property
    def model(self) -> Model:
        """The model with what is fixed here fixed at its value."""
        changes: dict[str, Any] = {name: self.values[name] for name in self.fixed}
        for name, prior in self.freed.items():
            changes.setdefault(name, prior)
        return self.given.fix(changes) if changes else self.given.as_now()

    @functools.cached_property
    def vector(self) -> np.ndarray:
        """The free parameters, (ndim,) [model units]."""
        free = (row.name for row in self.model.rows if row.kind == "free")
        parts = [np.ravel(self.values[name]) for name in free]
        return np.concatenate(parts) if parts else np.zeros(0)

    @property
    def instance(self) -> Any:
        """The instance, fixed and tied parameters included."""
        return self.model.instance_from_vector(self.vector)

    @functools.cached_property
    def elements(self) -> dict[str, float]:
        """Every element that has a control, with its value, in the table's order."""
        rows = {row.name: row for row in self.given.rows}
        return {
            element: float(value)
            for name, values in self.values.items()
            for element, value in zip(
                rows[name].element_names(), np.ravel(values), strict=True
            )
        }

    # Others from this one

    def moved(self, changes: Mapping[str, Any]) -> Point:
        """Return the point with new values, by parameter or by element.

        Raises
        ------
        ValueError
            For a name without a control, a value of another shape, or one that is
            not finite.
        """
        values = dict(self.values)
        rows = {row.name: row for row in self.given.rows}
        places = {
            element: (name, index)
            for name in values
            for index, element in enumerate(rows[name].element_names())
        }
        for name, value in changes.items():
            if name in values:
                values[name] = _shaped(rows[name], name, value, values[name].shape)
            elif name in places:
                parameter, index = places[name]
                flat = np.array(values[parameter]).ravel()
                flat[index] = _shaped(rows[parameter], name, value, ())
                values[parameter] = flat.reshape(values[parameter].shape)
            else:
                raise ValueError(suggest(name, list(dict.fromkeys([*values, *places]))))
        return replace(self, values=values)

    def at_vector(self, vector: np.ndarray) -> Point:
        """Return the point with the free parameters of a vector, (ndim,)."""
        rows = (row for row in self.model.rows if row.kind == "free")
        return self.moved(
            {row.name: np.reshape(vector[row.span], row.shape) for row in rows}
        )

    def rounded(self) -> Point:
        """Return the point without the noise of arithmetic: 1 for 1.0000000000000002.

        For values that were computed, and that nobody has chosen.
        """
        finite = {n: v for n, v in self.elements.items() if np.isfinite(v)}
        return self.moved({name: float(f"{v:.12g}") for name, v in finite.items()})

    def with_fixed(self, name: str) -> Point:
        """Return the point with a parameter held at its value."""
        self._check(name)
        point = replace(self, fixed=self.fixed | {name})
        if point.model.ndim == 0:
            raise ValueError(
                f"expected one free parameter at least; got {name!r}, the last one, "
                "to fix; free another first"
            )
        return point

    def with_free(self, name: str, prior: dist.Distribution | None = None) -> Point:
        """Return the point with a parameter freed.

        One that the model itself fixes gets `default_prior` where none is given.
        """
        self._check(name)
        if not (prior is None or isinstance(prior, dist.Distribution)):
            raise TypeError(
                f"expected a numpyro distribution as the prior of {name!r}; got "
                f"{prior!r}; leave it out, or give for instance "
                "numpyro.distributions.Uniform(0, 1)"
            )
        freed = dict(self.freed)
        kinds = {row.name: row.kind for row in self.given.rows}
        if prior is not None:
            freed[name] = prior
        elif kinds[name] == "fixed":
            period = self.given.entry(name)[0].period
            freed.setdefault(name, default_prior(self.values[name], period))
        return replace(self, fixed=self.fixed - {name}, freed=freed)

    def _check(self, name: str) -> None:
        if name not in self.values:
            raise ValueError(suggest(name, list(self.values)))


def _check_instance(instance: Any, model: Model) -> None:
    """Raise for what has none of the model's values as attributes."""
    first = model.rows[0].name.partition(".")[0]
    if not hasattr(instance, first):
        raise TypeError(
            "expected a start as an instance of the model, a dictionary of numbers by "
            "name, or a vector; got "
            f"{type(instance).__qualname__}; give for instance "
            "model.instance_from_prior_medians()"
        )


def _shaped(row: Row, name: str, given: Any, shape: tuple[int, ...]) -> np.ndarray:
    numbers = row.in_unit(given)
    try:
        value = np.asarray(numbers, float)
    except (TypeError, ValueError):
        value = None
    if value is None or not np.isfinite(value).all():
        raise ValueError(
            f"expected a finite number for {name!r}; got {given!r}; give for instance "
            "1.0"
        )
    if value.shape != shape:
        raise ValueError(
            f"expected a value of shape {shape} for {name!r}; got {value.shape}; name "
            f"single elements in a dictionary, as {{'{name}[0]': 1.0}}"
        )
    return value


def _controlled(model: Model) -> Iterator[Row]:
    """Yield the rows that get controls: all but tied ones and long fixed arrays."""
    for row in model.rows:
        few = row.size <= MOST_FIXED_ELEMENTS
        if row.kind == "free" or (row.kind == "fixed" and few):
            yield row


def default_prior(value: np.ndarray, period: float | None = None) -> dist.Distribution:
    """Return the prior of a parameter that is freed without one.

    Log-uniform over two decades about a positive value, else normal about it; uniform
    where it wraps.
    """
    if period is not None:
        return dist.Uniform(value - period / 2, value + period / 2)
    if np.all(value > 0):
        return dist.LogUniform(value / 10, value * 10)
    return dist.Normal(value, np.maximum(np.abs(value), 1.0))


def controls_of(model: Model) -> list[Control]:
    """Return the controls that a model needs, in the table's order.

    Ranges are the priors' bounds, or their central 99 % where they have none; scales
    are logarithmic where the priors are.
    """
    values = {row.name: given for row, given in model.entries()}
    rows = list(_controlled(model))
    fixed = [row for row in rows if row.kind == "fixed"]
    loose = {r.name: default_prior(values[r.name], r.period) for r in fixed}
    free = model.with_priors(loose) if loose else model
    central = free.prior_interval(PRIOR_MASS)
    intervals = np.where(np.isfinite(free.bounds), free.bounds, central)
    controls = []
    for row in free.rows:
        if row.kind != "free":
            continue
        logarithmic = is_logarithmic(free.prior_of(row.name))
        names, labels = row.element_names(), row.element_labels()
        places = range(row.span.start, row.span.stop)
        for element, label, i in zip(names, labels, places, strict=True):
            low, high = intervals[i]
            if logarithmic and low <= 0:
                low, high = central[i]
            label = "" if label == element else label
            interval = (float(low), float(high))
            one = Control(element, row.name, label, row.unit, interval, logarithmic)
            controls.append(replace(one, period=row.period))
    return controls
