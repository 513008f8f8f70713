"""Functions and assertions in what a run must keep to be continued."""

import os
import subprocess
import sys
from pathlib import Path

import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.algorithms.scripted import Scripted
from ampynb.inference.fingerprint import differences, fingerprint
from ampynb.inference.loop import Plan
from tests.helpers import line_problem


def make_model(factor: float = 2.0, edge: float = 0.0) -> anb.Model:
    return anb.Model(
        intercept=dist.Normal(0.0, 1.0),
        slope=lambda m: dist.TruncatedNormal(m.intercept, 1.0, low=-3.0, high=9.0),
        twice=lambda m: factor * m.slope,
    ).with_assertions(rising=lambda m: m.slope > edge)


def fingerprint_of(model: anb.Model) -> dict:
    posterior = anb.Posterior(line_problem().analysis, model)
    return dict(fingerprint(Plan(posterior, Scripted(), seed=0)))


def test_what_computes_the_same_is_the_same():
    first, again = fingerprint_of(make_model()), fingerprint_of(make_model())
    assert differences(first, again) == []
    assert "rising" in first["assertion"]


CHANGED = {
    "a derived parameter": (make_model(factor=3.0), ["parameter twice was derived by"]),
    "an assertion": (make_model(edge=1.0), ["assertion rising was the function"]),
    "an assertion less": (
        make_model().with_assertions(rising=None),
        ["assertion rising was", "is absent"],
    ),
    "a prior": (
        make_model().with_priors(slope=lambda m: dist.Normal(m.intercept, 1.0)),
        ["parameter slope was free by the function"],
    ),
}


@pytest.mark.parametrize(("model", "words"), CHANGED.values(), ids=CHANGED)
def test_what_computes_something_else_is_told(model, words):
    (told,) = differences(fingerprint_of(make_model()), fingerprint_of(model))
    assert all(word in told for word in words)


def test_it_is_the_same_in_every_process():
    """Sets have another order in another process, and numpyro keeps names in them."""
    code = (
        "from tests.inference.test_function_fingerprint import "
        "fingerprint_of, make_model\n"
        "found = fingerprint_of(make_model())\n"
        "print(found['parameter'], found['assertion'])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    here = fingerprint_of(make_model())
    assert ran.stdout.strip() == f"{here['parameter']} {here['assertion']}"
