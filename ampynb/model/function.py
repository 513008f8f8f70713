"""Functions of a model's values, read once into programs that can be compared."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from ampynb.model.content import Content, content_of
from ampynb.model.instance import FixedInteger, is_constant
from ampynb.model.prior_check import check_dimension, check_prior
from ampynb.model.prior_numbers import PRIOR_METHODS, Numbers
from ampynb.model.reading import traced_apart
from ampynb.model.source import text_of
from ampynb.model.truncation import exact

__all__ = ["Function", "is_numpy_code"]

_NEEDS_NUMBERS = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerBoolConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)


@dataclass(frozen=True)
class _Program:
    """What a function computes; equal where it is the same, whoever wrote it."""

    key: str
    arguments: tuple[str, ...]
    rebuild: Any
    constant: FixedInteger | None
    shape: tuple[int, ...] = field(compare=False)
    jaxpr: Any = field(compare=False)
    function: Callable = field(compare=False)
    content: Content = field(compare=False)


@jax.tree_util.register_pytree_node_class
class Function:
    """A user's function of a model's values, which gives a value or a prior.

    It is read when the model is made, into a program of JAX. So it can be compiled,
    batched and differentiated; two functions that compute the same are equal, though a
    cell that is run again makes a new lambda of it. What changes later in the notebook
    changes nothing here, but is seen: `Model.as_now` reads it again. Arrays that it
    uses are arguments of the program.

    Parameters
    ----------
    program : _Program
    constants : sequence of array
        Arrays that the function uses besides the model's values.
    """

    def __init__(self, program: _Program, constants: Sequence[Any]):
        self.program, self.constants = program, tuple(constants)

    @classmethod
    def read(
        cls,
        what: str,
        function: Callable,
        view: Callable,
        known: Mapping[str, FixedInteger | np.bool_ | jax.ShapeDtypeStruct],
        hint: str = "",
    ) -> Function:
        """Read what ``function(view(values))`` computes.

        Parameters
        ----------
        what : str
            What errors call it.
        view : callable
            From values by name to what the function is given.
        known : mapping of str to ShapeDtypeStruct, FixedInteger or bool
            What values it sees, by name: constants, and the others' shapes and types.
        hint : str
            What to tell where it asks for something else.

        Raises
        ------
        TypeError
            Where it is not written in JAX, or gives neither a number nor a prior.
        ValueError
            Where it asks for a value that is not known.
        """
        found: list = []

        constants = {n: one for n, one in known.items() if is_constant(one)}
        shapes: dict[str, Any] = {
            n: one for n, one in known.items() if n not in constants
        }

        def computed(*values: Any) -> list:
            given = {**dict.fromkeys(known), **constants}
            argument = view(given | dict(zip(shapes, values, strict=True)))
            given = _call(what, function, argument, hint)
            numbers, rebuild, shape = _take_apart(what, given)
            found[:] = [rebuild, shape]
            return numbers

        # A helper that users compiled may have been traced with other globals.
        content = _content_of(function)
        number = jnp.result_type(float)
        with traced_apart(content.digest if content.whole else object()):
            whole = jax.make_jaxpr(computed)(*shapes.values())
        used = _used(whole.jaxpr, list(shapes))
        # Of integers that are fixed: a count or an index as these are.
        is_integer = all(shapes[name].dtype.kind in "iu" for name in used)

        def of_used(*values: Any) -> list:
            given = dict(zip(used, values, strict=True))
            unused = np.zeros(())
            arguments = [given.get(name, unused) for name in shapes]
            found = jax.core.eval_jaxpr(whole.jaxpr, whole.consts, *arguments)
            kept = "biu" if is_integer else "b"
            return [x if x.dtype.kind in kept else x.astype(number) for x in found]

        # What it does not use must not tell it from another of the same name.
        closed = jax.make_jaxpr(of_used)(*(shapes[name] for name in used))
        constant = _constant(closed) if not used else None
        text = re.sub(r" at 0x\w+", "", str(closed.jaxpr))
        key = hashlib.sha256(repr((text, used)).encode()).hexdigest()
        rebuild, shape = found
        program = _Program(
            key, tuple(used), rebuild, constant, shape, closed.jaxpr, function, content
        )
        return cls(program, [np.array(constant) for constant in closed.consts])

    @property
    def gives_prior(self) -> bool:
        """Whether it gives a prior, and not a value."""
        return self.program.rebuild is not None

    @property
    def constant(self) -> FixedInteger | None:
        """The value where it is a whole number that depends on no parameter."""
        return self.program.constant

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value, or of the prior's."""
        return self.program.shape

    @property
    def dtype(self) -> np.dtype:
        """Type of the value."""
        return self.program.jaxpr.outvars[0].aval.dtype

    @property
    def gives_truth(self) -> bool:
        """Whether it gives true or false."""
        return self.dtype == bool

    @property
    def digest(self) -> str:
        """A short hash of what it computes, the same in every process."""
        found = hashlib.sha256(self.program.key.encode())
        for constant in self.constants:
            found.update(np.ascontiguousarray(constant).tobytes())
        return found.hexdigest()[:12]

    @property
    def is_now(self) -> bool:
        """Whether all that the function reads is what it was when it was read."""
        content = self.program.content
        return content.whole and content == _content_of(self.program.function)

    def at(self, value: Callable[[str], Any]) -> Any:
        """Return the value, or the prior; ``value(name)`` gives what it depends on."""
        if self.constant is not None:
            return self.constant
        arguments = [value(name) for name in self.program.arguments]
        if any(isinstance(argument, jax.Array) for argument in arguments):
            return self._rebuilt(self._evaluate(arguments))
        return self._rebuilt(jax.device_get(_evaluate(self, arguments)))

    def _evaluate(self, arguments: Sequence[Any]) -> list:
        jaxpr = self.program.jaxpr
        pairs = zip(jaxpr.invars, arguments, strict=True)
        typed = [jnp.asarray(given, wanted.aval.dtype) for wanted, given in pairs]
        return jax.core.eval_jaxpr(jaxpr, self.constants, *typed)

    def _rebuilt(self, numbers: Sequence[Any]) -> Any:
        if self.program.rebuild is None:
            return numbers[0]
        return jax.tree_util.tree_unflatten(self.program.rebuild, numbers).prior

    def prior_of_its_kind(self) -> Any:
        """Return a prior of the family that it gives, with numbers that say nothing."""
        rebuild = self.program.rebuild
        return self._rebuilt([*np.ones(rebuild.num_leaves)])

    def __repr__(self) -> str:
        return text_of(self.program.function)

    def tree_flatten(self) -> tuple[tuple, _Program]:
        """Return the constants as children and the program as auxiliary data."""
        return self.constants, self.program

    @classmethod
    def tree_unflatten(cls, program: _Program, constants: Any) -> Function:
        """Rebuild a function from what `tree_flatten` returned."""
        return cls(program, constants)


@jax.jit
def _evaluate(function: Function, arguments: list) -> list:
    return function._evaluate(arguments)


def _content_of(function: Callable) -> Content:
    return content_of(function, names=PRIOR_METHODS)


def _used(jaxpr: Any, names: list[str]) -> list[str]:
    """Return the names of the arguments that a program reads."""
    read = {id(variable) for equation in jaxpr.eqns for variable in equation.invars}
    read |= {id(variable) for variable in jaxpr.outvars}
    pairs = zip(names, jaxpr.invars, strict=True)
    return [name for name, variable in pairs if id(variable) in read]


def _call(what: str, function: Callable, argument: Any, hint: str) -> Any:
    try:
        return function(argument)
    except AttributeError as error:
        raise ValueError("; ".join(filter(None, (f"{what}: {error}", hint)))) from error
    except Exception as error:
        if not is_numpy_code(error):
            raise
        raise TypeError(
            f"{what}: expected a function written in JAX; got one that turns the "
            f"model's values into Python or NumPy ones ({text_of(function)}); use "
            "jax.numpy, write (0 < a) & (a < b) for 0 < a < b, and jnp.where for if"
        ) from error


def _take_apart(what: str, given: Any) -> tuple[list, Any, tuple[int, ...]]:
    """Return the numbers in a value or a prior, how to put them back, and the shape."""
    number = jnp.result_type(float)
    if isinstance(given, dist.Distribution):
        given = exact(given)
        check_prior(given)
        check_dimension(what, given)
        numbers, structure = jax.tree_util.tree_flatten(Numbers(given))
        shape = tuple(given.batch_shape + given.event_shape)
        return [jnp.asarray(one, number) for one in numbers], structure, shape
    if not isinstance(given, int | float | np.ndarray | np.generic | jax.Array):
        raise TypeError(
            f"{what}: expected a function that gives a number, an array or a numpyro "
            f"distribution; got {type(given).__module__}.{type(given).__qualname__}; "
            "return for instance m.a + m.b"
        )
    value = jnp.asarray(given)
    value = value if value.dtype.kind in "biu" else value.astype(number)
    return [value], None, value.shape


def _constant(closed: Any) -> FixedInteger | None:
    """Return what a program without arguments gives, where it is a whole number."""
    wanted = [variable.aval for variable in closed.jaxpr.outvars]
    if len(wanted) != 1 or wanted[0].shape or wanted[0].dtype.kind not in "iu":
        return None
    (value,) = jax.core.eval_jaxpr(closed.jaxpr, closed.consts)
    return FixedInteger(value)


def is_numpy_code(error: BaseException | None) -> bool:
    """Whether code asked a traced value for its number, perhaps through NumPy."""
    while error is not None:
        if isinstance(error, _NEEDS_NUMBERS):
            return True
        error = error.__cause__ or error.__context__
    return False
