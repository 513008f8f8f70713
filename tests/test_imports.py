"""What importing the package does to a fresh interpreter, and what it leaves alone."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = [
    *("matplotlib", "ipywidgets", "arviz", "emcee", "IPython", "numpyro", "corner"),
    *("blackjax", "dynesty"),
]
OURS = ("JAX_ENABLE_X64", "JAX_COMPILATION_CACHE_DIR", "XDG_CACHE_HOME")

SETTINGS = """
import json, ampynb, jax
print(json.dumps({
    "x64": jax.config.jax_enable_x64,
    "cache": jax.config.jax_compilation_cache_dir,
    "dtype": str(jax.numpy.zeros(1).dtype),
}))
"""


def run(code: str, **environment: str) -> Any:
    """Run code in an interpreter of its own, and return what it prints as JSON."""
    inherited = {name: v for name, v in os.environ.items() if name not in OURS}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**inherited, "JAX_PLATFORMS": "cpu", **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_import_loads_little_and_every_name_is_there():
    code = f"""
import json, sys
import ampynb
loaded = [name for name in {HEAVY} if name in sys.modules]
listed = dir(ampynb)
before = [name for name in ampynb.__all__ if name in vars(ampynb)]
resolved = [name for name in ampynb.__all__ if getattr(ampynb, name) is not None]
print(json.dumps([loaded, listed, before, resolved, ampynb.__all__]))
"""
    loaded, listed, before, resolved, names = run(code)
    assert loaded == []
    assert before == []
    assert resolved == names
    assert set(names) <= set(listed)


PRECISIONS = [
    ({}, True, "float64"),
    ({"JAX_ENABLE_X64": "0"}, False, "float32"),
]


@pytest.mark.parametrize(("environment", "x64", "dtype"), PRECISIONS)
def test_double_precision_is_the_default_and_the_user_s_choice_stands(
    environment, x64, dtype, tmp_path
):
    found = run(SETTINGS, XDG_CACHE_HOME=str(tmp_path), **environment)
    assert (found["x64"], found["dtype"]) == (x64, dtype)


def test_a_fit_runs_in_single_precision(tmp_path):
    code = """
import json, numpy as np, numpyro.distributions as dist
import ampynb as anb
from tests.helpers import Line
model = anb.Model(slope=dist.Normal(0, 1), intercept=dist.Uniform(-1, 1))
x = np.arange(3.0)
posterior = anb.Posterior(Line(x, x, np.ones(3)), model)
value = posterior.log_posterior(np.array([1.0, 0.0]))
print(json.dumps([str(value.dtype), float(value)]))
"""
    environment = {"JAX_ENABLE_X64": "0", "XDG_CACHE_HOME": str(tmp_path)}
    dtype, value = run(code, **environment)
    assert dtype == "float32"
    # A perfect fit: four normal densities at 0 and 1, and a uniform one of width 2.
    expected = 4 * -0.9189385332 - 0.5 - 0.6931471806
    assert value == pytest.approx(expected, rel=1e-5)


def test_compiled_programs_are_kept_in_the_cache_folder(tmp_path):
    found = run(SETTINGS, XDG_CACHE_HOME=str(tmp_path))
    assert Path(found["cache"]) == tmp_path / "ampynb" / "jax"
    assert Path(found["cache"]).is_dir()


def test_a_cache_folder_that_cannot_be_written_breaks_nothing(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    assert run(SETTINGS, XDG_CACHE_HOME=str(blocked))["cache"] is None


def test_the_user_s_own_cache_is_kept(tmp_path):
    environment = {"XDG_CACHE_HOME": str(tmp_path / "ours")}
    own = str(tmp_path / "own")
    found = run(SETTINGS, JAX_COMPILATION_CACHE_DIR=own, **environment)
    assert found["cache"] == own
    in_code = f"import jax; jax.config.update('jax_compilation_cache_dir', {own!r})"
    assert run(in_code + SETTINGS, **environment)["cache"] == own
    assert not (tmp_path / "ours").exists()


@pytest.mark.skipif(os.name == "nt", reason="users of a POSIX system")
def test_a_user_without_a_home_breaks_nothing():
    """As in a container that is run under a number that no table of users knows."""
    code = """
import os, pwd
def unknown(uid):
    raise KeyError(uid)
pwd.getpwuid = unknown
os.environ.pop("HOME", None)
"""
    assert run(code + SETTINGS)["cache"] is None
