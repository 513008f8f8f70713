"""The package's shape, read off its syntax trees: nothing is imported here."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "ampynb"
MODULES = sorted(PACKAGE.rglob("*.py"))
LAYERS = (
    "model",
    "analysis",
    "distributed",
    "algorithms",
    "plots",
    "results",
    "inference",
    "widgets",
    "cli",
)
LEAVES = ("datasets", "forward_models")  # they import nothing of the others
OUTSIDE = {
    "arviz": ("results/inference_data.py",),
    "blackjax": ("algorithms/nested.py",),
    "dynesty": ("algorithms/external_nested.py",),
    "emcee": ("algorithms/external.py",),
    "corner": ("plots/corner.py",),
    "distributed": ("distributed/dask.py",),
    "anywidget": ("widgets/",),
    "ipywidgets": ("widgets/",),
    "matplotlib": ("plots/", "widgets/", "model/label.py"),
    "mpi4py": ("distributed/mpi.py",),
}
MAY_LOAD_WIDGETS = ("inference/renderers.py", "plots/corner.py", "results/result.py")
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 500, 80


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imported(node: ast.AST, functions: bool) -> Iterator[str]:
    """Yield the modules that are imported below ``node``, with dots.

    Without ``functions``, only what is imported when the module is. What is for type
    checkers alone is no import.
    """
    for child in ast.iter_child_nodes(node):
        deferred = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        if is_type_checking(child) or (deferred and not functions):
            continue
        if isinstance(child, ast.Import):
            yield from (name.name for name in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute"
            yield str(child.module)
            yield from (f"{child.module}.{name.name}" for name in child.names)
        else:
            yield from imported(child, functions)


@functools.cache
def imports_of(path: Path, functions: bool = True) -> frozenset[str]:
    return frozenset(imported(ast.parse(path.read_text()), functions))


def layers_imported(path: Path, functions: bool = False) -> set[str]:
    parts = [name.split(".") for name in imports_of(path, functions)]
    inside = {name[1] for name in parts if name[0] == "ampynb" and len(name) > 1}
    return inside & {*LAYERS, *LEAVES}


in_layers = pytest.mark.parametrize(
    "path", [path for path in MODULES if layer_of(path) in LAYERS], ids=relative
)
in_package = pytest.mark.parametrize("path", MODULES, ids=relative)


def test_every_module_has_a_layer():
    known = {*LAYERS, *LEAVES, "__init__", "_jax_settings", "quickstart"}
    assert {layer_of(path) for path in MODULES} <= known
    assert len(MODULES) > 30


@in_layers
def test_imports_point_one_way(path):
    below = set(LAYERS[: LAYERS.index(layer_of(path)) + 1])
    assert layers_imported(path) <= below | set(LEAVES)


@pytest.mark.parametrize(
    "path", [path for path in MODULES if layer_of(path) in LEAVES], ids=relative
)
def test_models_and_data_need_nothing_of_the_package(path):
    assert layers_imported(path, functions=True) <= {layer_of(path)}


@in_layers
def test_widgets_are_loaded_in_few_places_and_on_demand(path):
    if layer_of(path) == "widgets":
        return
    assert "widgets" not in layers_imported(path)
    if relative(path) not in MAY_LOAD_WIDGETS:
        assert "widgets" not in layers_imported(path, functions=True)


@pytest.mark.parametrize("library", OUTSIDE)
def test_each_library_is_met_in_few_places(library):
    places = [
        relative(path)
        for path in MODULES
        if library in {name.split(".")[0] for name in imports_of(path)}
    ]
    assert places
    assert all(place.startswith(OUTSIDE[library]) for place in places)


def test_the_package_itself_loads_its_settings_alone():
    names = imports_of(PACKAGE / "__init__.py", functions=False)
    loaded = {name for name in names if name.startswith("ampynb")}
    assert loaded == {"ampynb", "ampynb._jax_settings"}


@in_package
def test_modules_and_functions_are_short(path):
    text = path.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= MOST_LINES_OF_A_FUNCTION, node.name


@in_package
def test_every_module_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_the_reading_of_imports_is_right():
    """The tests above would pass if nothing were read."""
    source = """
import a.b
from c import d
if TYPE_CHECKING:
    import hidden
try:
    import e
except ImportError:
    pass
def function():
    import f
class Kind:
    import g
    def method(self):
        from h import i
"""
    tree = ast.parse(source)
    at_once = {"a.b", "c", "c.d", "e", "g"}
    assert set(imported(tree, functions=False)) == at_once
    assert set(imported(tree, functions=True)) == at_once | {"f", "h", "h.i"}
