"""The model: one table of parameters and the coordinates that it defines."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.typing import ArrayLike

from ampynb.model import coordinates, draws, table
from ampynb.model.changes import (
    check_shapes,
    remade_tree,
    with_assertions,
    with_given,
    with_ties,
)
from ampynb.model.coordinates import Block, blocks_from, read_vector
from ampynb.model.function import Function
from ampynb.model.instance import as_identifier, is_constant, read
from ampynb.model.parameter import Collection, Parameter
from ampynb.model.prior_numbers import Numbers, own_classes
from ampynb.model.tree import Node, build, nodes_from
from ampynb.model.views import as_html, as_text

__all__ = ["Model"]


@jax.tree_util.register_pytree_node_class
class Model:
    """The parameter table and the maps between its coordinates.

    Every map is for one point, in pure JAX, and can be batched with `jax.vmap`:
    the *instance* that users' code sees, the flat *vector* in model units, the
    unconstrained *z* of gradient methods and the unit cube *u* of nested sampling.
    The vector's order is the order of declaration, whatever is exchanged later.

    Parameters
    ----------
    component : type, optional
        A class: instances are made by calling it with the values by keyword, and
        carry them as attributes of the same names. Without one the values are the
        attributes of an `Instance`.
    **entries
        By name: a numpyro distribution or a `Parameter` (free), a number or an array
        (fixed), another `Model` or a `Collection` (nested, with dotted names), a
        tuple, a list or a dictionary of all these; or a function of the other values,
        which gives a number (derived) or a prior that depends on them (free). A
        function sees the values of the model that it is written in, by name: those
        with a prior or a value of their own, and what functions above it give.

    Examples
    --------
    >>> import numpyro.distributions as dist
    >>> model = Model(slope=dist.Normal(0, 10), intercept=dist.Uniform(-5, 5), x0=0.1)
    >>> model.names
    ['slope', 'intercept']
    >>> Model(
    ...     low=dist.Uniform(0, 10),
    ...     high=lambda m: dist.Uniform(m.low, 10),
    ...     middle=lambda m: (m.low + m.high) / 2,
    ... )
    Model with 2 free parameters
    name    kind     prior or value         unit
    low     free     Uniform(low=0, high=10)
    high    free     dist.Uniform(m.low, 10)
    middle  derived  = (m.low + m.high) / 2
    """

    def __init__(
        self, component: type | Collection | None = None, /, **entries: Any
    ) -> None:
        if isinstance(component, Collection):
            component, entries = None, {**component, **entries}
        self._set(nodes_from(component, entries))

    def _set(self, tree: Node) -> Model:
        self.rows, functions = table.lay_out(tree)
        entries = dict(tree.walk())
        own = {n: e.prior for n, e in entries.items() if isinstance(e, Parameter)}
        given: dict[str, Any] = {**own, **functions}
        free = [row for row in self.rows if row.kind == "free"]
        self.blocks = blocks_from(free, given)
        self._values = {r.name: given[r.name] for r in self.rows if r.kind == "fixed"}
        self._derived = {n: f for n, f in functions.items() if not f.gives_prior}
        self.assertions = table.assertions_of(tree, self.rows, functions)
        self.tree = tree
        blocks = tuple(block.rows for block in self.blocks)
        constants = {n: one for n, one in self._values.items() if is_constant(one)}
        self._structure = table.Structure(tree, self.rows, blocks, constants)
        draws.check_dependent_priors(self)
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

    def as_now(self) -> Model:
        """Return the model, made again where what its functions read has changed.

        Functions are read when a model is made: a global, or a helper, that they use
        and that has changed since is not in it. Posteriors, engines and explorers ask
        for the model of now when they begin.
        """
        functions = [given for _, given in self.entries()] + [*self.assertions.values()]
        if all(one.is_now for one in functions if isinstance(one, Function)):
            return self
        return _model_from(self.tree)

    # The pytree: priors' parameters and fixed values are leaves, names are structure.

    def tree_flatten(self) -> tuple[tuple, table.Structure]:
        """Return priors, values and functions as children, the rest as auxiliary."""
        priors = [Numbers(block.prior) for block in self.blocks]
        constants = self._structure.constants
        values = {n: x for n, x in self._values.items() if n not in constants}
        return (priors, values, self._derived, self.assertions), self._structure

    @classmethod
    def tree_unflatten(cls, structure: table.Structure, children: tuple) -> Model:
        """Rebuild a model from `tree_flatten`'s parts, for use in compiled code."""
        model = object.__new__(cls)
        model._structure = structure
        model.rows = structure.rows
        priors, values, model._derived, model.assertions = children
        model._values = {**values, **structure.constants}
        pairs = zip(structure.blocks, priors, strict=True)
        model.blocks = tuple(Block(rows, numbers.prior) for rows, numbers in pairs)
        return model

    def __reduce__(self) -> tuple:
        return _model_from, (self.tree,)

    @functools.cached_property
    def tree(self) -> Node:
        """What users wrote, as a tree; remade where JAX has rebuilt the model."""
        return remade_tree(self, self._structure.tree)

    # The table

    @functools.cached_property
    def ndim(self) -> int:
        """Length of the vector: the number of free elements."""
        return sum(row.size for row, _ in self.free())

    @property
    def names(self) -> list[str]:
        """One name for each element of the vector."""
        return [name for row, _ in self.free() for name in row.element_names()]

    @property
    def labels(self) -> list[str]:
        """One LaTeX label, or the name, for each element of the vector."""
        return [label for row, _ in self.free() for label in row.element_labels()]

    @property
    def units(self) -> list[str]:
        """One unit for each element of the vector; empty where there is none."""
        return [row.unit for row, _ in self.free() for _ in range(row.size)]

    @property
    def periods(self) -> np.ndarray:
        """Period of each element of the vector, (ndim,); infinite without one."""
        return table.periods_of(row for row in self.rows if row.kind == "free")

    @property
    def wraps(self) -> bool:
        """Whether any parameter wraps."""
        return any(block.period is not None for block in self.blocks)

    @property
    def bounds(self) -> np.ndarray:
        """Edges of the priors' support, (ndim, 2).

        Infinite where it is open, or where they depend on other parameters.
        """
        return draws.bounds_of(self)

    def prior_interval(self, mass: float = 0.99) -> np.ndarray:
        """Return the central interval of each element's prior, (ndim, 2).

        Assertions aside. Of a prior that depends on other parameters, it is that of
        20,001 seeded draws of all of them.
        """
        return draws.interval_of(self, mass)

    def prior_of(self, name: str) -> dist.Distribution:
        """Return the prior of the free parameter ``name``, its element index aside.

        One that depends on other parameters is that at their prior medians.
        """
        name = as_identifier(name)
        for row, prior in self.free():
            if name in (row.name, *row.element_names()):
                if isinstance(prior, Function):
                    medians = self.prior_interval(0.0)[:, 0]
                    return prior.at(read_vector(self, medians))
                return prior
        raise ValueError(table.suggest(name, [row.name for row, _ in self.free()]))

    def entry(self, name: str) -> tuple[table.Row, Any]:
        """Return a row of the table with its prior, value or function."""
        return self._by_name[name]

    def entries(self) -> Iterator[tuple[table.Row, Any]]:
        """Yield each row of the table with its prior, value or function.

        The last is None where the row is tied.
        """
        return iter(self._by_name.values())

    @functools.cached_property
    def _by_name(self) -> dict[str, tuple[table.Row, Any]]:
        given = {**self._values, **self._derived} | {
            row.name: block.prior_of(i)
            for block in self.blocks
            for i, row in enumerate(block.rows)
        }
        return {row.name: (row, given.get(row.name)) for row in self.rows}

    @functools.cached_property
    def prior_classes(self) -> tuple[type, ...]:
        """Classes of the user's own among the priors, whose code may change."""
        given = (prior for row, prior in self.entries() if row.kind == "free")
        priors = (
            one.prior_of_its_kind() if isinstance(one, Function) else one
            for one in given
        )
        return tuple(dict.fromkeys(kind for one in priors for kind in own_classes(one)))

    def free(self) -> list[tuple[table.Row, Any]]:
        """Return the rows of the vector, each with its prior or its function."""
        return [(row, given) for row, given in self.entries() if row.kind == "free"]

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
        value = read_vector(self, vector)
        values = {row.name: value(row.name) for row in self.rows}
        return build(self._structure.tree, values)

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
        given = ((row, read(instance, row.name)) for row, _ in self.free())
        parts = [jnp.ravel(row.in_unit(value)) for row, value in given]
        return jnp.concatenate(parts) if parts else jnp.zeros(0)

    def instance_from_prior_medians(self) -> Any:
        """Return the instance at the median of each prior."""
        return self.instance_from_vector(self.prior_interval(0.0)[:, 0])

    def wrap(self, vector: ArrayLike) -> jax.Array:
        """Move what wraps in a vector by whole periods into its prior's support."""
        return coordinates.wrap(self, self._checked(vector))

    # Vector <-> z

    def constrain(self, z: ArrayLike) -> jax.Array:
        """Map unconstrained ``z``, (ndim,), to the vector, (ndim,) [model units]."""
        return coordinates.constrain(self, self._checked(z))

    def unconstrain(self, vector: ArrayLike) -> jax.Array:
        """Map the vector, (ndim,) [model units], to unconstrained ``z``, (ndim,)."""
        return coordinates.unconstrain(self, self._checked(vector))

    def log_jacobian(self, z: ArrayLike) -> jax.Array:
        """Return ln of the absolute determinant of d vector / d z at ``z``."""
        return coordinates.log_jacobian(self, self._checked(z))

    # Priors

    def log_prior(self, vector: ArrayLike) -> jax.Array:
        """Return the log prior density; -inf outside the support.

        It is -inf too where an assertion does not hold, and elsewhere the sum of the
        priors' normalised densities: with assertions its integral is
        `allowed_fraction`, and not 1.
        """
        return coordinates.log_density(self, self._checked(vector))

    def allows(self, vector: ArrayLike) -> jax.Array:
        """Return whether every assertion holds at a vector; True without any."""
        return coordinates.allows(self, self._checked(vector))

    def violated(self, vector: ArrayLike) -> list[str]:
        """Return the names of the assertions that do not hold at a vector."""
        value = read_vector(self, np.asarray(self._checked(vector)))
        items = self.assertions.items()
        return [name for name, assertion in items if not np.all(assertion.at(value))]

    def allowed_fraction(self, key: jax.Array, n: int = 100_000) -> tuple[float, float]:
        """Return the share of the priors' mass at which the assertions hold.

        Nested sampling integrates over the whole cube, and gives the evidence of the
        prior that is cut; divided by this share it is that of the normalised prior,
        which thermodynamic integration gives at once.

        Returns
        -------
        share, error : float
            From ``n`` draws, with its standard error.
        """
        return draws.allowed_fraction(self, key, n)

    def sample_prior(self, key: jax.Array | int, n: int) -> jax.Array:
        """Draw ``n`` vectors from the prior, (n, ndim) [model units].

        Only where every assertion holds. A seed, an integer, serves as a key.

        Raises
        ------
        ValueError
            Where they hold at less than about one draw in a thousand. In compiled
            code, which cannot raise, the draws that are missing are NaN.
        """
        key = jax.random.key(key) if isinstance(key, int | np.integer) else key
        return draws.draw_allowed(self, key, n)

    def prior_transform(self, u: ArrayLike) -> jax.Array:
        """Map the unit cube, (ndim,), to the vector, (ndim,) [model units].

        Assertions aside: where they do not hold, `Posterior.log_likelihood` is
        -inf.

        Raises
        ------
        ValueError
            Where numpyro has no quantile function for a prior; it names each.
        """
        return coordinates.prior_transform(self, self._checked(u))

    # New models from this one

    def fix(self, names: Mapping[str, Any] | None = None, /, **by_name: Any) -> Model:
        """Return a model with some parameters fixed: ``fix(slope=2)``.

        Dotted names go into a dictionary: ``fix({"lens.theta_E": 1.2})``.
        """
        return _model_from(with_given(self, _by_name("fix", names, by_name)))

    def with_priors(
        self, names: Mapping[str, Any] | None = None, /, **by_name: Any
    ) -> Model:
        """Return a model with new priors: ``with_priors(slope=dist.Normal(2, 1))``."""
        return self.fix(names, **by_name)

    def tie(
        self, names: Mapping[str, str | Callable] | None = None, /, **by_name: Any
    ) -> Model:
        """Return a model in which parameters take others' values: ``tie(b="a")``.

        A whole component can be tied to another, parameter by parameter. A function
        of the model's values makes a derived parameter: ``tie(b=lambda m: 2 * m.a)``.
        """
        model = _model_from(with_ties(self, _by_name("tie", names, by_name)))
        check_shapes(self, model)
        return model

    def with_assertions(self, /, **assertions: Callable | None) -> Model:
        """Return a model with assertions, by name, that must hold at every draw.

        Where an assertion does not hold the log prior is -inf, and prior draws avoid
        the place. Where a strict order is all that is wanted, a prior that depends on
        the others does the same and has no wall: ``high=lambda m: dist.Uniform(m.low,
        10)``.

        Parameters
        ----------
        **assertions
            Functions of the instance that give true or false, or an array of these,
            written in JAX: ``ordered=lambda m: (0 < m.a) & (m.a < m.b)``. None takes
            an assertion of that name away.
        """
        return _model_from(with_assertions(self.tree, assertions))

    # Views

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)


def _by_name(method: str, names: Any, by_name: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that is given by name, in a dictionary or in keywords."""
    if not isinstance(names, Mapping | None):
        value = "'b'" if method == "tie" else "2.0"
        raise TypeError(
            f"expected values by name; got {names!r}; write for instance "
            f"{method}(a={value}), or {method}({{'group.a': {value}}})"
        )
    return {**(names or {}), **by_name}


def _model_from(tree: Node) -> Model:
    return object.__new__(Model)._set(tree)
