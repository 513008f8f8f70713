"""What the package offers by name, and that each name is where it is said to be."""

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import ampynb as anb

MODULES = [
    name
    for _, name, _ in pkgutil.walk_packages(anb.__path__, "ampynb.")
    if not name.endswith("__main__")
]


@pytest.mark.parametrize("name", anb.__all__)
def test_every_name_is_there_and_documented(name):
    value = getattr(anb, name)
    assert inspect.getdoc(value)
    assert name in dir(anb)
    assert getattr(anb, name) is value
    if not inspect.ismodule(value):
        assert value.__name__ == name
        assert value.__module__.startswith("ampynb.")


def test_names_are_told_once():
    assert len(set(anb.__all__)) == len(anb.__all__)


def test_type_checkers_see_the_same_names():
    """The imports for type checkers stand beside the lazy ones; both must agree."""
    tree = ast.parse(Path(str(anb.__file__)).read_text())
    (block,) = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    homes = {alias.name: node.module for node in imports for alias in node.names}
    assert sorted(homes) == sorted(anb.__all__)
    for name, home in homes.items():
        module = importlib.import_module(str(home))
        assert getattr(module, name) is getattr(anb, name)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(
        AttributeError, match=r"module 'ampynb' has no attribute 'Modl'"
    ):
        anb.Modl  # noqa: B018
    assert not hasattr(anb, "Modl")


EXTRAS = {"ampynb.distributed.mpi": "mpi4py", "ampynb.distributed.dask": "distributed"}


@pytest.mark.parametrize("name", MODULES)
def test_every_module_lists_names_that_it_has(name):
    if name in EXTRAS:  # imported where it is asked for, with its extra
        pytest.importorskip(EXTRAS[name])
    module = importlib.import_module(name)
    listed = getattr(module, "__all__", [])
    assert len(set(listed)) == len(listed)
    for one in listed:
        assert hasattr(module, one)


def test_the_version_is_that_of_the_project():
    parts = anb.__version__.split(".")
    assert len(parts) == 3
    assert all(part.isdigit() for part in parts)
