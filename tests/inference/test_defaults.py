"""What a result says of numbers that were left out."""

from typing import Any

import pytest

import ampynb as anb
from ampynb.inference.request import Request
from tests.helpers import line_problem

CASES: dict[str, tuple[dict[str, Any], str]] = {
    "nothing given": ({}, "burn=500 and iterations=1000 by default, as left out"),
    "burn given": ({"burn": 0}, "iterations=1000 by default, as left out"),
    "iterations given": ({"iterations": 7}, "burn=500 by default, as left out"),
    "both given": ({"burn": 500, "iterations": 1000}, ""),
    "options of the sampler": (
        {"sampler_kw": {"burn": 10, "iterations": 20}},
        "",
    ),
    "thinned": (
        {"burn": 5, "run_kw": {"thin_by": 10}},
        "iterations=1000 by default, as left out",
    ),
    "chains": (
        {"sampler": "nuts"},
        "burn=500 and iterations=1000 by default, as left out",
    ),
    "a configured sampler": (
        {"sampler": anb.NUTS(burn=30)},
        "iterations=1000 by default, as left out",
    ),
    "a rule": (
        {"burn": 5, "until": anb.seconds(1)},
        "iterations=100000 by default, as left out",
    ),
    "nested": (
        {"sampler": "nested"},
        "iterations left out: as many as it takes",
    ),
}


@pytest.mark.parametrize(("options", "told"), CASES.values(), ids=CASES)
def test_what_is_left_out_is_named(options: dict[str, Any], told: str):
    request = Request(**options)
    assert request.defaults_of(request.algorithm(line_problem().posterior)) == told


def test_the_result_says_so_and_its_folder_too(tmp_path):
    problem = line_problem(use_jax=False)
    engine = anb.InferenceEngine(problem.analysis, problem.model, seed=1)
    result = engine.run(8, iterations=20, path=tmp_path / "run", progress="none")
    told = "burn=500 by default, as left out"
    for one in (result, anb.open_run(tmp_path / "run")):
        assert told in repr(one)
        assert told in one._repr_html_()
        assert not any("default" in line for line in one.verdict())
