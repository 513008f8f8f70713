"""Fitting again into the same folder: the same fit is read again, another refused."""

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.algorithms.algorithm import Start
from ampynb.algorithms.scripted import Scripted
from ampynb.inference.folder_lock import is_locked
from ampynb.inference.manifest import MANIFEST
from tests.algorithms.cases import CASES, Case
from tests.helpers import Line, line_problem
from tests.inference.broken_runs import LINE, assert_same, engine_of, run, run_to

SCRIPT = Scripted(nwalkers=3, burn=20, iterations=60)
LONG = Scripted(nwalkers=3, burn=20, iterations=3000)
X, Y, YERR = LINE.analysis.x, LINE.analysis.y, LINE.analysis.yerr
SOME = [
    case for case in CASES if case.name in ("stretch", "nested", "emcee", "scripted")
]


@pytest.fixture
def no_sampling(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Return what forbids an algorithm to make a step."""

    def forbidden(*given: Any) -> None:
        raise AssertionError("it samples")

    def forbid(algorithm: Any) -> None:
        monkeypatch.setattr(type(algorithm), "advance", forbidden)

    return forbid


# The same


@pytest.mark.parametrize("case", SOME, ids=lambda case: case.name)
def test_the_same_fit_is_read_again(case: Case, tmp_path: Path, no_sampling):
    problem, path = case.problem(), tmp_path / "run"
    algorithm = case.with_steps(90)
    first = run(engine_of(problem), algorithm, path=path)
    written = (path / MANIFEST).read_bytes()
    no_sampling(algorithm)
    times = []
    for resume in (False, "auto", True):
        begun = time.perf_counter()
        again = run(engine_of(case.problem()), algorithm, path=path, resume=resume)
        times.append(time.perf_counter() - begun)
        assert_same(again, first)
        assert (again.reason, again.message) == (first.reason, first.message)
        assert again.seconds == first.seconds
        assert again.samples_summary == first.samples_summary
        assert json.dumps(again.samples_summary.as_dict())
    assert min(times) < 1.0
    assert (path / MANIFEST).read_bytes() == written
    assert is_locked(path) is False


def test_its_status_is_that_of_a_finished_run(tmp_path: Path):
    run(engine_of(), SCRIPT, path=tmp_path / "run")
    again = engine_of().start(sampler=SCRIPT, path=tmp_path / "run", progress="none")
    again.wait(20)
    status = again.status
    assert (status.state, status.step, status.fraction) == ("completed", 80, 1.0)


def test_a_run_that_a_rule_has_ended_is_read_again(tmp_path: Path, no_sampling):
    options: dict = {"path": tmp_path / "run", "until": anb.ess(50)}
    first = run(engine_of(), Scripted(nwalkers=3, iterations=5000), **options)
    assert len(first.draws) < 5000
    no_sampling(SCRIPT)
    again = run(engine_of(), Scripted(nwalkers=3, iterations=5000), **options)
    assert_same(again, first)
    assert again.message == first.message != ""


def test_a_run_from_the_same_start_is_read_again(tmp_path: Path, no_sampling):
    start = np.arange(6.0).reshape(3, 2)
    options: dict = {"path": tmp_path / "run"}
    first = run(engine_of(), SCRIPT, start=start, **options)
    no_sampling(SCRIPT)
    assert_same(run(engine_of(), SCRIPT, start=Start(start.copy()), **options), first)


def test_a_cell_that_is_run_again_knows_its_analysis_by_its_data(tmp_path: Path):
    def cell() -> anb.Result:
        class Cell(Line):  # a new class each time, of the same words
            pass

        analysis = Cell(X.copy(), Y.copy(), YERR.copy())
        engine = anb.InferenceEngine(analysis, line_problem().model, seed=5)
        return run(engine, SCRIPT, path=tmp_path / "run")

    assert_same(cell(), cell())


def test_of_the_hooks_only_those_that_make_it_are_called(tmp_path: Path):
    called: list[str] = []

    class Own(Line):
        def modify_before_fit(self, paths, model):
            called.append("modify_before_fit")
            return self

        def save_attributes(self, paths):
            called.append("save_attributes")

        def make_result(self, kind, **parts):
            called.append("make_result")
            return kind(**parts)

        def save_results(self, paths, result):
            called.append("save_results")

    for expected in (
        ["modify_before_fit", "save_attributes", "make_result", "save_results"],
        ["modify_before_fit", "make_result"],
    ):
        called.clear()
        engine = anb.InferenceEngine(Own(X, Y, YERR), LINE.model, seed=5)
        assert run(engine, SCRIPT, path=tmp_path / "run").reason == "completed"
        assert called == expected


# Another


def _line(**changes: Any) -> anb.Analysis:
    analysis = Line(X.copy(), Y.copy(), YERR.copy())
    vars(analysis).update(changes)
    return analysis


MODEL = LINE.model
OTHER: dict[str, tuple[dict[str, Any], str]] = {
    "data": ({"analysis": _line(y=Y + 1e-9)}, "another one: data y was"),
    "fewer data": (
        {"analysis": _line(x=X[:9], y=Y[:9], yerr=YERR[:9])},
        "another one: data x was",
    ),
    "a setting": ({"analysis": _line(band="r")}, "data band was absent, and is 'r'"),
    "a prior": (
        {"model": MODEL.with_priors(slope=dist.Normal(1.0, 2.5))},
        "parameter slope was",
    ),
    "a fixed parameter": ({"model": MODEL.fix(slope=1.0)}, "parameter slope was"),
    "an assertion": (
        {"model": MODEL.with_assertions(up=lambda m: m.slope > -99.0)},
        "another one: assertion up was absent",
    ),
    "walkers": ({"nwalkers": 4}, "algorithm nwalkers was 3, and is 4"),
    "burn-in": ({"burn": 30}, "algorithm burn was 20, and is 30"),
    "the seed": ({"seed": 6}, "run seed was 5, and is 6"),
    "thinning": ({"run_kw": {"thin_by": 2}}, "run thin_by was 1, and is 2"),
    "its length": (
        {"iterations": 70},
        "asked otherwise: run iterations was 60, and is 70; pass resume=True",
    ),
    "a rule": (
        {"until": anb.ess(10)},
        r"asked otherwise: run until was None, and is ess\(10\); pass resume=True",
    ),
    "a start": (
        {"start": np.arange(6.0).reshape(3, 2)},
        "asked otherwise: run start was prior draws, and is",
    ),
}


@pytest.mark.parametrize(("change", "words"), OTHER.values(), ids=OTHER)
def test_what_differs_is_told(change: dict, words: str, tmp_path: Path):
    path = tmp_path / "run"
    first = run(engine_of(), SCRIPT, path=path)
    options = {"analysis": _line(), "model": MODEL, "seed": 5, **change}
    engine = anb.InferenceEngine(*map(options.pop, ("analysis", "model", "seed")))
    with pytest.raises(
        anb.StoreError, match=rf"expected a path at which no run is yet; .*{words}"
    ) as caught:
        run(engine, SCRIPT, path=path, **options)
    assert "another path, or remove it" in str(caught.value)
    assert_same(anb.open_run(path), first)
    assert is_locked(path) is False


def test_another_likelihood_of_the_same_data_is_told(tmp_path: Path):
    def cell(factor: float) -> anb.Result:
        class Own(Line):
            def fit_from(self, instance):
                fit = super().fit_from(instance)
                return dataclasses.replace(fit, model=factor * fit.model)

        engine = anb.InferenceEngine(Own(X, Y, YERR), MODEL, seed=5)
        return run(engine, CASES[0].with_steps(90), path=tmp_path / "run")

    assert_same(cell(1.0), cell(1.0))
    with pytest.raises(ValueError, match=r"the log likelihood .*changed since"):
        cell(1.01)


def test_a_run_that_was_stopped_is_neither_read_nor_overwritten(tmp_path: Path):
    path = tmp_path / "run"
    broken = run_to(engine_of(), LONG, 30, path=path)
    with pytest.raises(
        anb.StoreError, match=r"one that stopped after \d+ steps; pass resume=True"
    ):
        run(engine_of(), LONG, path=path)
    assert_same(anb.open_run(path), broken)
    whole = run(engine_of(), LONG, path=path, resume=True)
    assert_same(whole, run(engine_of(), LONG))
    assert_same(run(engine_of(), LONG, path=path), whole)


def test_a_longer_run_is_continued_and_then_read_again(tmp_path: Path):
    options: dict = {"path": tmp_path / "run", "iterations": 90}
    run(engine_of(), SCRIPT, path=tmp_path / "run")
    longer = run(engine_of(), SCRIPT, resume=True, **options)
    assert len(longer.draws) == 90
    assert_same(run(engine_of(), SCRIPT, **options), longer)
    with pytest.raises(anb.StoreError, match="iterations was 90, and is 60"):
        run(engine_of(), SCRIPT, path=tmp_path / "run")
