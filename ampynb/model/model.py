"""The model: one table of parameters and the coordinates that it defines."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.typing import ArrayLike
from numpyro.distributions.transforms import Transform, biject_to

from ampynb.model.instance import Instance, read
from ampynb.model.parameter import Collection, Parameter, describe_prior
from ampynb.model.quantile import bounds, central_interval, has_quantile, quantile
from ampynb.model.table import Node, Row, Tie, lay_out, nodes_from, suggest

__all__ = ["Model"]


@jax.tree_util.register_pytree_node_class
class Model:
    """The parameter table and the maps between its coordinates.

    Every map is for one point, in pure JAX, and can be batched with `jax.vmap`:
    the *instance* that users' code sees, the flat *vector* in model units, the
    unconstrained *z* of gradient methods and the unit cube *u* of nested sampling.
    The vector's order is the order of declaration.

    Parameters
    ----------
    component : type, optional
        A class: instances are made by calling it with the values by keyword, and
        carry them as attributes of the same names. Without one the values are the
        attributes of an `Instance`.
    **entries
        By name: a numpyro distribution or a `Parameter` (free), a number or an array
        (fixed), another `Model` or a `Collection` (nested, with dotted names).

    Examples
    --------
    >>> import numpyro.distributions as dist
    >>> model = Model(slope=dist.Normal(0, 10), intercept=dist.Uniform(-5, 5), x0=0.1)
    >>> model.names
    ['slope', 'intercept']
    """

    def __init__(
        self, component: type | Collection | None = None, /, **entries: Any
    ) -> None:
        if isinstance(component, Collection):
            component, entries = None, {**component, **entries}
        self._set(nodes_from(component, entries))

    def _set(self, tree: Node) -> Model:
        self._tree = tree
        self.rows: tuple[Row, ...] = lay_out(tree)
        entries = dict(tree.walk())
        self._priors = tuple(
            entries[row.name].prior if row.kind == "free" else None for row in self.rows
        )
        self._values = tuple(
            entries[row.name].prior if row.kind == "fixed" else None
            for row in self.rows
        )
        for row, prior in self._free():
            _check_dimension(row, prior)
        kinds = {row.name: row.kind for row in self.rows}
        self._structure = (tree.with_entries(kinds), self.rows)
        return self

    @classmethod
    def of(cls, model: Model | Collection) -> Model:
        """Return a model as it is, and a collection as a model of it."""
        if isinstance(model, Model | Collection):
            return model if isinstance(model, Model) else cls(model)
        raise TypeError(
            f"expected a Model or a Collection; got {type(model).__qualname__}; write "
            "ampynb.Model(name=prior, ...)"
        )

    def _free(self) -> list[tuple[Row, dist.Distribution]]:
        pairs = zip(self.rows, self._priors, strict=True)
        return [(row, prior) for row, prior in pairs if prior is not None]

    # The pytree: priors' parameters and fixed values are leaves, names are structure.

    def tree_flatten(self) -> tuple[tuple, tuple]:
        """Return priors and fixed values as children, the structure as auxiliary."""
        return (self._priors, self._values), self._structure

    @classmethod
    def tree_unflatten(cls, structure: tuple, children: tuple) -> Model:
        """Rebuild a model from `tree_flatten`'s parts, for use in compiled code."""
        model = object.__new__(cls)
        model._structure = structure
        model._tree, model.rows = structure
        model._priors, model._values = children
        return model

    # The table

    @property
    def ndim(self) -> int:
        """Length of the vector: the number of free elements."""
        return sum(row.size for row, _ in self._free())

    @property
    def names(self) -> list[str]:
        """One name for each element of the vector."""
        return [name for row, _ in self._free() for name in row.element_names()]

    @property
    def labels(self) -> list[str]:
        """One LaTeX label, or the name, for each element of the vector."""
        return [label for row, _ in self._free() for label in row.element_labels()]

    @property
    def units(self) -> list[str]:
        """One unit for each element of the vector; empty where there is none."""
        return [row.unit for row, _ in self._free() for _ in range(row.size)]

    @property
    def bounds(self) -> np.ndarray:
        """Edges of the priors' support, (ndim, 2); infinite where it is open."""
        return self._by_element(bounds)

    def prior_interval(self, mass: float = 0.99) -> np.ndarray:
        """Return the central interval of each element's prior, (ndim, 2)."""
        return self._by_element(functools.partial(central_interval, mass=mass))

    def _by_element(self, edges: Any) -> np.ndarray:
        pairs = [np.stack([np.ravel(e) for e in edges(p)], 1) for _, p in self._free()]
        return np.concatenate(pairs) if pairs else np.zeros((0, 2))

    def prior_of(self, name: str) -> dist.Distribution:
        """Return the prior of the free parameter ``name``, its element index aside."""
        for row, prior in self._free():
            if name in (row.name, *row.element_names()):
                return prior
        raise ValueError(suggest(name, [row.name for row, _ in self._free()]))

    # Instance <-> vector

    def instance_from_vector(self, vector: Any) -> Any:
        """Return the instance that a vector stands for.

        Parameters
        ----------
        vector : array, (ndim,) [model units]

        Returns
        -------
        The component, or an `Instance`; NumPy in, NumPy out.
        """
        self._check_shape(vector)
        values = {}
        for row, fixed in zip(self.rows, self._values, strict=True):
            if row.kind == "free":
                part = vector[row.span]
                values[row.name] = part.reshape(row.shape) if row.shape else part[0]
            elif row.kind == "fixed":
                values[row.name] = fixed
        for row in self.rows:
            if row.source is not None:
                values[row.name] = values[row.source]
        return _build(self._tree, values, "")

    def _check_shape(self, point: Any) -> None:
        if np.shape(point) != (self.ndim,):
            raise ValueError(
                f"expected one point, of shape ({self.ndim},), for the parameters "
                f"{', '.join(self.names)}; got shape {np.shape(point)}; map a batch of "
                "points with jax.vmap"
            )

    def _checked(self, point: Any) -> jax.Array:
        point = jnp.asarray(point)
        self._check_shape(point)
        return point

    def vector_from_instance(self, instance: Any) -> jax.Array:
        """Return the vector, (ndim,) [model units], that an instance stands for."""
        parts = [jnp.ravel(read(instance, row.name)) for row, _ in self._free()]
        return jnp.concatenate(parts) if parts else jnp.zeros(0)

    def instance_from_prior_medians(self) -> Any:
        """Return the instance at the median of each prior."""
        return self.instance_from_vector(self.prior_interval(0.0)[:, 0])

    # Vector <-> z

    def constrain(self, z: ArrayLike) -> jax.Array:
        """Map unconstrained ``z``, (ndim,), to the vector, (ndim,) [model units]."""
        z = self._checked(z)
        parts = [
            jnp.ravel(_transform(prior)(z[row.span].reshape(row.shape)))
            for row, prior in self._free()
        ]
        return jnp.concatenate(parts) if parts else jnp.zeros(0)

    def unconstrain(self, vector: ArrayLike) -> jax.Array:
        """Map the vector, (ndim,) [model units], to unconstrained ``z``, (ndim,)."""
        vector = self._checked(vector)
        parts = [
            jnp.ravel(_transform(prior).inv(vector[row.span].reshape(row.shape)))
            for row, prior in self._free()
        ]
        return jnp.concatenate(parts) if parts else jnp.zeros(0)

    def log_jacobian(self, z: ArrayLike) -> jax.Array:
        """Return ln of the absolute determinant of d vector / d z at ``z``."""
        z, total = self._checked(z), jnp.zeros(())
        for row, prior in self._free():
            part = z[row.span].reshape(row.shape)
            transform = _transform(prior)
            total += jnp.sum(transform.log_abs_det_jacobian(part, transform(part)))
        return total

    # Priors

    def log_prior(self, vector: ArrayLike) -> jax.Array:
        """Return the normalised log prior density; -inf outside the support."""
        vector = self._checked(vector)
        total = jnp.zeros(())
        for row, prior in self._free():
            value = vector[row.span].reshape(row.shape)
            support: Any = prior.support
            inside = jnp.asarray(support(value))
            # Outside, a density may be NaN and would spoil the gradient inside.
            safe = _transform(prior)(jnp.zeros(row.shape))
            event = (1,) * (jnp.ndim(value) - jnp.ndim(inside))
            value = jnp.where(jnp.reshape(inside, inside.shape + event), value, safe)
            total += jnp.sum(jnp.where(inside, prior.log_prob(value), -jnp.inf))
        return total

    def sample_prior(self, key: jax.Array, n: int) -> jax.Array:
        """Draw ``n`` vectors from the prior, (n, ndim) [model units]."""
        return _sample_prior(self, key, n)

    def prior_transform(self, u: ArrayLike) -> jax.Array:
        """Map the unit cube, (ndim,), to the vector, (ndim,) [model units].

        Raises
        ------
        ValueError
            Where numpyro has no quantile function for a prior; it names each.
        """
        missing = [row.name for row, prior in self._free() if not has_quantile(prior)]
        if missing:
            raise ValueError(
                "expected priors with a quantile function; numpyro has none for "
                f"{', '.join(missing)}; use for instance Uniform, Normal, "
                "TruncatedNormal, LogUniform or LogNormal, or a sampler that does not "
                "need the unit cube"
            )
        u = self._checked(u)
        parts = [
            jnp.ravel(quantile(prior, u[row.span].reshape(row.shape)))
            for row, prior in self._free()
        ]
        return jnp.concatenate(parts) if parts else jnp.zeros(0)

    # New models from this one

    def fix(self, names: Mapping[str, Any] | None = None, /, **by_name: Any) -> Model:
        """Return a model with some parameters fixed: ``fix(slope=2)``.

        Dotted names go into a dictionary: ``fix({"lens.theta_E": 1.2})``.
        """
        changes = {
            name: self._like(name, value)
            for name, value in {**(names or {}), **by_name}.items()
        }
        return self._with(changes)

    def with_priors(
        self, names: Mapping[str, Any] | None = None, /, **by_name: Any
    ) -> Model:
        """Return a model with new priors: ``with_priors(slope=dist.Normal(2, 1))``."""
        return self.fix(names, **by_name)

    def tie(self, names: Mapping[str, str] | None = None, /, **by_name: str) -> Model:
        """Return a model in which parameters take others' values: ``tie(b="a")``."""
        changes = {
            name: Tie(source, self._like(name, 0.0))
            for name, source in {**(names or {}), **by_name}.items()
        }
        shapes = {row.name: row.shape for row in self.rows}
        for name, source in {**(names or {}), **by_name}.items():
            if shapes.get(source, shapes[name]) != shapes[name]:
                raise ValueError(
                    f"expected {name!r}, of shape {shapes[name]}, tied to a parameter "
                    f"of its shape; got {source!r}, of shape {shapes[source]}"
                )
        return self._with(changes)

    def _like(self, name: str, prior: Any) -> Parameter:
        for row in self.rows:
            if row.name == name:
                if isinstance(prior, Parameter):
                    return prior
                return Parameter(prior, unit=row.unit, label=row.label)
        raise ValueError(suggest(name, [row.name for row in self.rows]))

    def _with(self, changes: Mapping[str, Any]) -> Model:
        tree = self._tree.with_entries({**self._parameters(), **changes})
        return object.__new__(Model)._set(tree)

    def entries(self) -> Iterator[tuple[Row, Any]]:
        """Yield each row of the table with its prior, value, or None where tied."""
        for row, prior, value in zip(
            self.rows, self._priors, self._values, strict=True
        ):
            yield row, value if prior is None else prior

    def _parameters(self) -> dict[str, Any]:
        """Return the entries of the table, also of a model that JAX has rebuilt."""
        entries: dict[str, Any] = {}
        for row, given in self.entries():
            parameter = Parameter(
                0.0 if given is None else given, unit=row.unit, label=row.label
            )
            entries[row.name] = Tie(row.source, parameter) if row.source else parameter
        return entries

    # Views

    def _lines(self) -> list[tuple[str, str, str, str]]:
        return [
            (
                row.name,
                row.kind,
                f"= {row.source}" if row.source else describe_prior(given),
                row.unit,
            )
            for row, given in self.entries()
        ]

    def __repr__(self) -> str:
        lines = [("name", "kind", "prior or value", "unit"), *self._lines()]
        widths = [max(len(line[column]) for line in lines) for column in range(4)]
        text = [
            "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]
        return "\n".join([f"Model with {self.ndim} free parameters", *text])

    def _repr_html_(self) -> str:
        cells = (
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line) + "</tr>"
            for line in self._lines()
        )
        head = "<tr><th>name</th><th>kind</th><th>prior or value</th><th>unit</th></tr>"
        title = f"<b>Model</b> with {self.ndim} free parameters"
        return f"{title}<table>{head}{''.join(cells)}</table>"


def _build(node: Node, values: Mapping[str, Any], prefix: str) -> Any:
    arguments = {
        name: _build(entry, values, f"{prefix}{name}.")
        if isinstance(entry, Node)
        else values[f"{prefix}{name}"]
        for name, entry in node.entries
    }
    return (node.component or Instance)(**arguments)


def _transform(prior: dist.Distribution) -> Transform:
    """Return the bijection from the real line, or space, to the prior's support."""
    return biject_to(prior.support)


def _check_dimension(row: Row, prior: dist.Distribution) -> None:
    transform = _transform(prior)
    if transform.inverse_shape(row.shape) != row.shape:
        raise ValueError(
            f"expected a prior whose values can vary freely; got {row.name!r} with "
            f"{describe_prior(prior)}, on {type(prior.support).__name__}; use free "
            "parameters and compute the constrained values in the forward model"
        )


@functools.partial(jax.jit, static_argnames="n")
def _sample_prior(model: Model, key: jax.Array, n: int) -> jax.Array:
    keys = jax.random.split(key, max(len(model.rows), 1))
    parts = [
        jnp.reshape(prior.sample(keys[i], (n,)), (n, row.size))
        for i, (row, prior) in enumerate(model._free())
    ]
    return jnp.concatenate(parts, axis=1) if parts else jnp.zeros((n, 0))
