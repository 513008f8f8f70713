"""A second run never compiles: another seed, new data, moved priors, more steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from tests.algorithms.cases import CASES
from tests.distributed.chains import run_python
from tests.helpers import Line, compilations, line_problem

SAMPLERS = {
    case.name: case.with_steps(40)
    for case in CASES
    if case.name in ("stretch", "mixture", "tempered", "nuts", "hmc", "nested")
}


def run(name: str, problem: Any, seed: int = 1, **options: Any) -> anb.Result:
    engine = anb.InferenceEngine(problem.analysis, problem.model, seed=seed)
    return engine.run(sampler=SAMPLERS[name], progress="none", **options)


@pytest.fixture(scope="module", params=SAMPLERS)
def sampler(request: pytest.FixtureRequest) -> str:
    """Return the name of a sampler that has made a run."""
    run(request.param, line_problem())
    return request.param


class Fixed:
    """A problem with its analysis and its model put together by hand."""

    draws: np.ndarray

    def __init__(self, analysis: anb.Analysis, model: anb.Model):
        self.analysis, self.model = analysis, model


def changed_attribute() -> Fixed:
    problem = line_problem()
    problem.analysis.y = problem.analysis.y + 1.0
    return Fixed(problem.analysis, problem.model)


def new_analysis() -> Fixed:
    x = np.linspace(5.0, 9.0, 20)
    return Fixed(Line(x, 2.0 * x, np.full(20, 3.0)), line_problem().model)


def new_model() -> Fixed:
    model = anb.Model(slope=dist.Normal(2.0, 1.0), intercept=dist.Normal(1.0, 3.0))
    return Fixed(line_problem().analysis, model)


def moved_prior() -> Fixed:
    problem = line_problem()
    model = problem.model.with_priors(slope=dist.Normal(7.0, 0.5))
    return Fixed(problem.analysis, model)


def labelled_model() -> Fixed:
    model = anb.Model(
        slope=anb.Parameter(dist.Normal(1, 2), unit="mJy/d", label=r"\dot F"),
        intercept=anb.Parameter(dist.Normal(0, 1), unit="mJy"),
    )
    return Fixed(line_problem().analysis, model)


@pytest.mark.parametrize(
    ("problem", "options"),
    [
        (line_problem, {}),
        (line_problem, {"seed": 2}),
        (line_problem, {"iterations": 3000}),
        (line_problem, {"iterations": 1}),
        (lambda: line_problem(seed=8), {}),
        (changed_attribute, {}),
        (new_analysis, {}),
        (moved_prior, {}),
        (new_model, {}),
        (labelled_model, {}),
    ],
    ids=[
        "once more",
        "another seed",
        "more iterations",
        "fewer iterations",
        "other data",
        "data changed in place",
        "another analysis of the class",
        "a moved prior",
        "another model of the same parameters",
        "units and labels",
    ],
)
def test_a_second_run_compiles_nothing(
    sampler: str, problem: Callable[[], Any], options: dict
):
    with compilations() as names:
        result = run(sampler, problem(), **options)
    assert names == []
    assert result.reason == "completed"


def test_a_start_and_a_thread_compile_nothing_the_second_time(sampler: str):
    problem = line_problem()
    takes_start = SAMPLERS[sampler].candidates_per_walker > 0
    for seed, slope in ((1, 1.0), (2, 1.5)):
        engine = anb.InferenceEngine(problem.analysis, problem.model, seed=seed)
        start = [slope, 0.0] if takes_start else None
        with compilations() as names:
            run = engine.start(sampler=SAMPLERS[sampler], start=start, progress="none")
            run.wait()
    assert names == []


def test_changed_data_are_seen_though_nothing_is_compiled(sampler: str):
    first = run(sampler, line_problem())
    other = run(sampler, changed_attribute())
    assert not np.any(first.draws[-1] == other.draws[-1])


class Latent(Line):
    """A line whose end is a latent variable."""

    def compute_latent_variables(self, parameters, model):
        return {"end": parameters[0] * self.x[-1] + parameters[1]}


def test_latent_variables_of_a_second_run_compile_nothing():
    problem, other = line_problem(), line_problem(seed=8)
    draws = np.random.default_rng(0).normal(size=(300, 4, 2))
    for line, n in ((problem.analysis, 300), (other.analysis, 70)):
        analysis = Latent(line.x, line.y, line.yerr)
        samples = Fixed(analysis, problem.model)
        samples.draws = draws[:n]
        with compilations() as names:
            latent: Any = analysis.compute_latent_samples(samples)
        assert latent.position.shape == (n, 4, 1)
    assert names == []


@pytest.mark.parametrize("name", ["stretch", "nested"])
def test_a_first_run_compiles_its_steps_once(name: str):
    with compilations() as names:
        run(name, line_problem(n=21))
    assert sum("_advance" in name for name in names) == 1


@pytest.mark.slow
def test_programs_are_the_same_in_every_process():
    """Or they are not found in the cache on disk: numpyro's sets differ in order."""
    script = Path(__file__).parent / "printed_programs.py"
    ran = [run_python(script, PYTHONHASHSEED=seed) for seed in ("1", "2")]
    assert all(one.returncode == 0 for one in ran), ran[0].stderr + ran[1].stderr
    assert "stablehlo" in ran[0].stdout
    assert ran[0].stdout == ran[1].stdout
