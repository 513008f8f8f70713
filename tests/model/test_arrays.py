"""Any object as arrays and a skeleton: taken apart, keyed on, put together again."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ampynb.model.arrays import Bundle, is_array, join, split

Pair = namedtuple("Pair", ["first", "second"])


class Plain:
    """An ordinary object, as an analysis' helpers are."""

    def __init__(self, table, name="plain"):
        self.table, self.name = table, name


@dataclass(frozen=True)
class Frozen:
    table: Any
    name: str = "frozen"


class HalfSlotted:
    """An object with slots and attributes, as SciPy's interpolators are."""

    __slots__ = ("__dict__", "order")

    def __init__(self, table, order):
        self.table, self.order = table, order


class Square:
    def __init__(self, side):
        self.side = side

    @cached_property
    def area(self):
        return self.side**2


def double(x):
    return 2 * x


ARRAY = np.arange(3.0)
VALUES = {
    "array": ARRAY,
    "integers": np.arange(3),
    "booleans": np.array([True, False]),
    "complex numbers": np.array([1j, 2.0]),
    "JAX array": jnp.arange(3.0),
    "NumPy number": np.float64(3.0),
    "number": 3.0,
    "flag": True,
    "text": "mJy",
    "nothing": None,
    "list": [ARRAY, 1, "a"],
    "tuple": (ARRAY, (np.ones(2), None)),
    "named tuple": Pair(ARRAY, "b"),
    "dictionary": {"z": ARRAY, "a": np.ones(2), "m": "text"},
    "dictionary with keys of two types": {1: ARRAY, "a": 2.0},
    "ordered dictionary": OrderedDict(z=ARRAY, a=np.ones(2)),
    "array of text": np.array(["r", "g"]),
    "array of objects": np.array([None, "a"], dtype=object),
    "set": {1, 2},
    "function": double,
    "compiled function": jax.jit(double),
    "partial": partial(double, x=3),
    "method": ARRAY.sum,
    "class": Plain,
    "module": np,
    "random key": jax.random.key(7),
    "old random key": jax.random.PRNGKey(7),
    "object": Plain(ARRAY),
    "nested objects": Plain([Frozen(ARRAY), {"a": Plain(np.ones(2), "b")}]),
    "frozen dataclass": Frozen(ARRAY),
    "object with slots too": HalfSlotted(ARRAY, 3),
    "object with a computed attribute": Square(ARRAY),
    "empty": [],
}


def same(first: Any, second: Any) -> bool:
    """Whether two values are equal all the way down, types and key order included."""
    if type(first) is not type(second):
        return False
    if isinstance(first, dict):
        return list(first) == list(second) and all(
            same(first[key], second[key]) for key in first
        )
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, np.ndarray | jax.Array):
        if jnp.issubdtype(first.dtype, jax.dtypes.prng_key):
            first, second = jax.random.key_data(first), jax.random.key_data(second)
        return first.dtype == second.dtype and np.array_equal(first, second)
    if isinstance(first, Plain | Frozen | Square):
        return same(vars(first), vars(second))
    if isinstance(first, HalfSlotted):
        return same(first.order, second.order) and same(first.table, second.table)
    return first is second or first == second


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("numbers", [False, True], ids=["arrays", "numbers too"])
def test_join_undoes_split(value, numbers):
    leaves, skeleton = split(value, numbers)
    assert same(join(skeleton, leaves), value)


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_bundle_passes_through_compiled_code(value):
    bundle = jax.jit(lambda bundle: bundle)(Bundle(value))
    before, after = Bundle(value), Bundle(bundle.value())
    assert before.skeleton == after.skeleton
    assert len(before.leaves) == len(after.leaves)
    for first, second in zip(before.leaves, after.leaves, strict=True):
        assert np.array_equal(first, second)


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_the_same_value_has_the_same_skeleton(value):
    (_, first), (_, second) = split(value), split(value)
    assert first == second
    assert hash(first) == hash(second)


@pytest.mark.parametrize("name", ["tuple", "dictionary", "nested objects"])
def test_compiled_code_sees_arrays_as_arguments(name):
    leaves, _ = split(VALUES[name])
    assert leaves
    assert all(isinstance(leaf, np.ndarray) for leaf in leaves)


# Pairs of values, and whether they share a skeleton: whether a program compiled for
# one serves the other.
PAIRS = {
    "arrays with other contents": (Plain(ARRAY), Plain(ARRAY + 1), True),
    "arrays of another length": (Plain(ARRAY), Plain(np.ones(7)), True),
    "NumPy numbers": (Plain(np.float64(1.0)), Plain(np.float64(2.0)), True),
    "other text": (Plain(ARRAY, "a"), Plain(ARRAY, "b"), False),
    "equal text": (Plain(ARRAY, "abc"), Plain(ARRAY, "".join("abc")), True),
    "other numbers": (Plain(1.0), Plain(2.0), False),
    "a number and a flag": (Plain(1), Plain(True), False),
    "an integer and a float": (Plain(1), Plain(1.0), False),
    "an array and nothing": (Plain(ARRAY), Plain(None), False),
    "arrays of other text": (
        Plain(np.array(["r", "g"])),
        Plain(np.array(["r", "i"])),
        False,
    ),
    "arrays of equal text": (
        Plain(np.array(["r", "g"])),
        Plain(np.array(["r", "g"])),
        True,
    ),
    "other functions": (Plain(double), Plain(same), False),
    "other classes": (Plain(ARRAY, "a"), Frozen(ARRAY, "a"), False),
    "dictionaries with other keys": ({"a": ARRAY}, {"b": ARRAY}, False),
    "dictionaries in another order": (
        {"a": ARRAY, "b": ARRAY},
        {"b": ARRAY, "a": ARRAY},
        False,
    ),
    "lists of other lengths": ([ARRAY], [ARRAY, ARRAY], False),
}


@pytest.mark.parametrize(("first", "second", "shared"), PAIRS.values(), ids=PAIRS)
def test_settings_are_keyed_on_and_data_are_not(first, second, shared):
    (_, one), (_, two) = split(first), split(second)
    assert (one == two) is shared
    if shared:
        assert hash(one) == hash(two)


def test_numbers_are_arrays_on_request():
    value = {"a": 1.0, "b": (2, True)}
    assert split(value)[0] == []
    assert split(value, numbers=True)[0] == [1.0, 2]


def test_an_object_that_holds_itself_is_split():
    value: Any = Plain(ARRAY)
    value.name = value
    leaves, skeleton = split(value)
    again = join(skeleton, [leaf + 1 for leaf in leaves])
    assert again.table.tolist() == [1.0, 2.0, 3.0]
    assert hash(skeleton) == hash(split(value)[1])


IS_ARRAY = {
    "array": True,
    "integers": True,
    "booleans": True,
    "complex numbers": True,
    "JAX array": True,
    "NumPy number": True,
    "number": False,
    "array of text": False,
    "array of objects": False,
    "random key": False,
    "list": False,
}


@pytest.mark.parametrize(("name", "expected"), IS_ARRAY.items(), ids=IS_ARRAY)
def test_arrays_are_numbers_or_booleans(name, expected):
    assert is_array(VALUES[name]) is expected
