"""Runs that are broken off and continued, in a folder or in memory, or refused."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import emcee
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.algorithms.external import EmceeEnsemble
from ampynb.algorithms.scripted import Scripted
from ampynb.inference.folder_lock import is_locked
from ampynb.inference.manifest import MANIFEST
from ampynb.inference.run import RunFailedError
from tests.algorithms.cases import Case, all_long_cases
from tests.helpers import Line, Problem
from tests.inference.broken_runs import (
    LINE,
    assert_same,
    engine_of,
    run,
    run_to,
    until,
)

ITERATIONS = 90
SCRIPT = Scripted(nwalkers=3, burn=20, iterations=60)


# The same chain


@all_long_cases
def test_a_run_continued_from_its_folder_is_one_that_was_never_broken(
    case: Case, tmp_path: Path
):
    problem, algorithm = case.problem(), case.with_steps(ITERATIONS)
    whole = run(engine_of(problem), algorithm)
    for step in (1, 60, 230):  # each time by an engine that knows nothing of it
        options: dict = {"path": tmp_path / "run", "resume": "auto"}
        broken = run_to(engine_of(problem), algorithm, step, **options)
    assert len(broken.draws) < len(whole.draws) or broken.reason == "completed"
    assert_same(
        run(engine_of(problem), algorithm, path=tmp_path / "run", resume=True), whole
    )


@all_long_cases
def test_a_run_continued_in_memory_is_one_that_was_never_broken(case: Case):
    problem, algorithm = case.problem(), case.with_steps(ITERATIONS)
    whole, engine = run(engine_of(problem), algorithm), engine_of(problem)
    run_to(engine, algorithm, 1)
    run_to(engine, algorithm, 230, resume=True)
    assert_same(run(engine, algorithm, resume=True), whole)


@pytest.mark.parametrize("path", [None, "run"], ids=["in memory", "in a folder"])
def test_iterations_are_counted_from_the_beginning(tmp_path: Path, path: str | None):
    where = path and tmp_path / path
    engine = engine_of()
    first = run(engine, SCRIPT, iterations=10, path=where)
    assert len(first.draws) == 10
    second = run(engine, SCRIPT, iterations=25, path=where, resume=True)
    assert len(second.draws) == 25
    assert_same(second, run(engine_of(), SCRIPT, iterations=25))
    assert len(first.draws) == 10, "a result that changes afterwards"


@pytest.mark.parametrize("thin_by", [3, 7])
def test_thinned_runs_are_continued_too(tmp_path: Path, thin_by: int):
    kept = {"run_kw": {"thin_by": thin_by}}
    whole = run(engine_of(), SCRIPT, **kept)
    every = run(engine_of(), SCRIPT, iterations=60 * thin_by)
    np.testing.assert_array_equal(whole.draws, every.draws[thin_by - 1 :: thin_by])
    run_to(engine_of(), SCRIPT, 25, path=tmp_path / "run", **kept)
    again = run(engine_of(), SCRIPT, path=tmp_path / "run", resume=True, **kept)
    assert_same(again, whole)


def test_no_result_sees_what_is_drawn_later():
    """A result that is first asked for when the run was continued."""
    engine = engine_of()
    broken = engine.start(sampler=SCRIPT, iterations=10, progress="none")
    until(lambda: broken.status.ended)
    run(engine, SCRIPT, resume=True)
    assert len(broken.wait(20).draws) == 10


def test_the_time_that_a_run_took_is_counted_on(tmp_path: Path):
    slow = dataclasses.replace(SCRIPT, seconds_per_step=0.005)
    path = tmp_path / "run"
    first = run_to(engine_of(), slow, 30, path=path)
    second = run(engine_of(), slow, path=path, resume=True)
    assert first.seconds > 0.005 * 30
    assert second.seconds > max(first.seconds, 0.005 * 80)


# What resume asks for


@pytest.mark.parametrize("path", [None, "run"], ids=["in memory", "in a folder"])
def test_a_finished_run_is_returned_at_once(
    tmp_path: Path, path: str | None, monkeypatch: pytest.MonkeyPatch
):
    where = path and tmp_path / path
    engine = engine_of()
    whole = run(engine, SCRIPT, path=where)

    def forbidden(*arguments: Any) -> None:
        raise AssertionError("it samples")

    monkeypatch.setattr(Scripted, "advance", forbidden)
    again = engine.start(sampler=SCRIPT, path=where, resume=True, progress="none")
    assert_same(again.wait(20), whole)
    assert again.result.reason == "completed"
    assert again.status.fraction == 1.0
    assert again.status.step == 80


def test_fewer_iterations_than_were_made_leave_them_all(tmp_path: Path):
    whole = run(engine_of(), SCRIPT, path=tmp_path / "run")
    options: dict = {"path": tmp_path / "run", "resume": True}
    again = run(engine_of(), SCRIPT, iterations=10, **options)
    assert again.reason == "completed"
    np.testing.assert_array_equal(again.draws, whole.draws)


def test_auto_begins_where_no_run_is_and_continues_where_there_is(tmp_path: Path):
    options: dict = {"path": tmp_path / "new" / "run", "resume": "auto"}
    first = run(engine_of(), SCRIPT, iterations=10, **options)
    second = run(engine_of(), SCRIPT, **options)
    assert (len(first.draws), len(second.draws)) == (10, 60)


def test_without_resume_another_run_is_not_overwritten(tmp_path: Path):
    whole = run(engine_of(), SCRIPT, path=tmp_path / "run")
    with pytest.raises(
        anb.StoreError,
        match=r"expected a path at which no run is yet; got .*; pass resume=True",
    ):
        run(engine_of(), SCRIPT, iterations=70, path=tmp_path / "run")
    assert_same(anb.open_run(tmp_path / "run"), whole)


@pytest.mark.parametrize("make", [False, True], ids=["no folder", "an empty folder"])
def test_where_no_run_is_none_can_be_continued(tmp_path: Path, make: bool):
    path = tmp_path / "run"
    if make:
        path.mkdir()
    with pytest.raises(
        anb.StoreError, match=r"expected the folder of a run at .*; got"
    ):
        run(engine_of(), SCRIPT, path=path, resume=True)
    assert not make or not list(path.iterdir())
    assert make or not path.exists()


def test_an_engine_without_a_run_has_none_to_continue():
    with pytest.raises(
        ValueError, match=r"expected a former run of this engine.*; got neither; run"
    ):
        run(engine_of(), SCRIPT, resume=True)


def test_a_run_that_goes_on_cannot_be_continued():
    engine = engine_of()
    endless = Scripted(burn=0, iterations=10**7, seconds_per_step=0.001)
    first = engine.start(sampler=endless, progress="none")
    try:
        with pytest.raises(
            RuntimeError, match=r"expected the engine's last run to have ended; got"
        ):
            run(engine, endless, resume=True)
        assert len(run(engine, SCRIPT).draws) == 60, "another run beside it"
    finally:
        first.stop()
    first.wait(20)


def test_a_saved_run_is_continued_in_its_folder_also_without_naming_it(tmp_path: Path):
    engine = engine_of()
    run_to(engine, SCRIPT, 30, path=tmp_path / "run")
    whole = run(engine, SCRIPT, resume=True)
    assert_same(whole, run(engine_of(), SCRIPT))
    assert_same(anb.open_run(tmp_path / "run"), whole)


def test_a_start_is_of_a_run_s_beginning(tmp_path: Path):
    sampler = anb.Ensemble(nwalkers=8, burn=0, iterations=20)
    path, start = tmp_path / "run", np.array([1.5, -0.5])
    whole = run(engine_of(), sampler, start=start)
    run(engine_of(), sampler, iterations=5, start=start, path=path)
    for resumed in (None, start, start + 1.0):
        found = run(engine_of(), sampler, start=resumed, path=path, resume=True)
        assert_same(found, whole)


def test_a_run_that_has_drawn_nothing_is_begun_again(tmp_path: Path):
    path = tmp_path / "run"

    class Walled(anb.Analysis):
        def log_likelihood_function(self, instance):
            return instance.slope - jnp.inf

    walled = Problem(Walled(), LINE.model, LINE.mean, LINE.covariance)
    with pytest.raises(ValueError, match="zero probability"):
        run(engine_of(walled), "ensemble", path=path)
    assert_same(run(engine_of(), SCRIPT, path=path), run(engine_of(), SCRIPT))


def test_a_folder_stays_where_it_is_when_the_process_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    engine = engine_of()
    result = run_to(engine, SCRIPT, 30, path="run")
    os.chdir(tmp_path / "elsewhere")
    drawn = result.history.draws("warmup")  # reads its file anew
    assert drawn is not None and len(drawn.position) == 20
    assert len(run(engine, SCRIPT, resume=True).draws) == 60
    assert (tmp_path / "run" / MANIFEST).exists()


def test_the_home_folder_has_its_short_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    run(engine_of(), SCRIPT, path="~/run")
    assert len(anb.open_run("~/run").draws) == 60
    assert (tmp_path / "run" / MANIFEST).exists()


# Failure


@pytest.mark.parametrize("path", [None, "run"], ids=["in memory", "in a folder"])
def test_a_failed_run_is_continued_when_its_cause_is_gone(
    tmp_path: Path, path: str | None, monkeypatch: pytest.MonkeyPatch
):
    where, engine, advance = path and tmp_path / path, engine_of(), Scripted.advance

    def fails(self: Scripted, posterior: Any, state: Any, n: int) -> Any:
        if state.step + n > 50:
            raise RuntimeError("the user's own error")
        return advance(self, posterior, state, n)

    monkeypatch.setattr(Scripted, "advance", fails)
    with pytest.raises(RunFailedError) as caught:
        run(engine, SCRIPT, path=where)
    drawn = caught.value.result
    assert len(drawn.warmup) + len(drawn.draws) > 0
    # Where it fails again in the first chunk, the draws are still in the error.
    engines = [engine] if where is None else [engine, engine_of()]
    for again in engines:
        with pytest.raises(RunFailedError, match="the user's own error") as caught:
            for _ in range(80):
                run(again, SCRIPT, path=where, resume=True)
        assert len(caught.value.result.draws) >= len(drawn.draws)
    if where is not None:
        stored = anb.open_run(where)
        assert stored.reason == "failed"
        assert stored.message == "RuntimeError: the user's own error"
        assert stored.seconds >= drawn.seconds > 0
    monkeypatch.setattr(Scripted, "advance", advance)
    whole = run(engine, SCRIPT, path=where, resume=True)
    assert_same(whole, run(engine_of(), SCRIPT))


@pytest.mark.parametrize(
    "options",
    [
        {"progress": "bar"},
        {"workers": 2},
        {"nwalkers": 2, "sampler": "ensemble"},
        {"sampler": "emcee3"},
        {"until": 3},
    ],
    ids=lambda options: next(iter(options)),
)
def test_misuse_leaves_the_path_free(tmp_path: Path, options: dict):
    with pytest.raises((ValueError, TypeError)) as caught:
        engine_of().run(**{"sampler": SCRIPT, "path": tmp_path / "run", **options})
    assert not is_locked(tmp_path / "run")
    run(engine_of(), SCRIPT, path=tmp_path / "run")
    del caught  # as a notebook does, it has kept the traceback alive till now


# What has changed is told


def changed_data(**attributes: Any) -> Problem:
    analysis = LINE.analysis
    given = {name: getattr(analysis, name) for name in ("x", "y", "yerr")}
    return dataclasses.replace(LINE, analysis=Line(**{**given, **attributes}))


def changed_model(**priors: Any) -> Problem:
    return dataclasses.replace(LINE, model=LINE.model.with_priors(**priors))


def with_model(**parameters: Any) -> Problem:
    return dataclasses.replace(LINE, model=anb.Model(**parameters))


NORMAL = dist.Normal(0.0, 1.0)
THREE = {"slope": dist.Normal(1.0, 2.0), "intercept": NORMAL, "scatter": 0.1}
Y = LINE.analysis.y
CHANGED_Y = Y + 1e-9 * (np.arange(20) == 7)


class OtherLine(Line):
    """The same attributes in another class."""


class Doubled(Line):
    """The same attributes, the same name, and another likelihood."""

    __qualname__ = "Line"

    def log_likelihood_function(self, instance):
        return 2 * self.fit_from(instance).log_likelihood


def of_class(kind: type) -> Problem:
    analysis = LINE.analysis
    made = kind(analysis.x, analysis.y, analysis.yerr)
    return dataclasses.replace(LINE, analysis=made)


CHANGES: dict[str, tuple[Problem, dict, str]] = {
    "prior's kind": (
        changed_model(intercept=dist.StudentT(3.0, 0.0, 1.0)),
        {},
        r"parameter intercept was free Normal.*, and is free StudentT",
    ),
    "prior's width": (
        changed_model(intercept=dist.Normal(0.0, 1.0 + 1e-9)),
        {},
        "parameter intercept was free Normal",
    ),
    "prior's shape": (
        changed_model(intercept=NORMAL.expand([1])),
        {},
        r"parameter intercept was .* of shape \(1,\)",
    ),
    "fixed": (
        dataclasses.replace(LINE, model=LINE.model.fix(intercept=0.0)),
        {},
        "parameter intercept was free Normal.*, and is fixed 0",
    ),
    "another parameter": (
        with_model(**THREE),
        {},
        "parameter scatter was absent, and is fixed 0.1",
    ),
    "order": (
        with_model(intercept=NORMAL, slope=dist.Normal(1.0, 2.0)),
        {},
        "the parameters are in another order: intercept, slope",
    ),
    "data": (changed_data(y=CHANGED_Y), {}, r"data y was \(20,\) .*, and is \(20,\)"),
    "data's type": (changed_data(y=Y.astype(np.float32)), {}, r"data y was \(20,\)"),
    "data's shape": (
        changed_data(y=Y[None]),
        {},
        r"data y was \(20,\) .*, and is \(1, 20\)",
    ),
    "class": (of_class(OtherLine), {}, "data class was Line, and is OtherLine"),
    "likelihood": (
        of_class(Doubled),
        {},
        r"expected the log likelihood .*; got .*; the likelihood has changed since",
    ),
    "seed": (LINE, {"seed": 6}, "run seed was 5, and is 6"),
    "thin_by": (LINE, {"run_kw": {"thin_by": 2}}, "run thin_by was 1, and is 2"),
    "burn": (LINE, {"burn": 21}, "algorithm burn was 20, and is 21"),
    "nwalkers": (LINE, {"nwalkers": 10}, "algorithm nwalkers was 3, and is 10"),
    "option": (
        LINE,
        {"sampler_kw": {"moves": anb.Stretch(a=3.0)}},
        r"algorithm moves was .*DifferentialEvolution.*.*, and is .*Stretch\(a=3.0\)",
    ),
    "algorithm": (
        LINE,
        {"sampler": anb.NUTS(nwalkers=3, burn=20)},
        "algorithm class was ampynb.algorithms.scripted.Scripted, and is "
        "ampynb.algorithms.hmc.NUTS",
    ),
}
ENSEMBLE = anb.Ensemble(nwalkers=8, burn=20, iterations=10)
OF_A_SAMPLER = ("likelihood", "option")


@pytest.mark.parametrize("path", [None, "run"], ids=["in memory", "in a folder"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_refused_and_named(tmp_path: Path, change: str, path: str | None):
    where = path and tmp_path / path
    problem, options, told = CHANGES[change]
    sampler = ENSEMBLE if change in OF_A_SAMPLER else SCRIPT
    former = engine_of()
    before = run(former, sampler, path=where)
    engine = engine_of(problem, options.get("seed", 5))
    if where is None:
        engine._last_run = former._last_run  # the engine cannot change its own model
    others = {name: value for name, value in options.items() if name != "seed"}
    asked = {"sampler": sampler, "path": where, "resume": True, **others}
    with pytest.raises(ValueError, match=told) as caught:
        engine.run(progress="none", **asked)
    assert str(caught.value).startswith("expected ")
    assert "begin a run at another path" in str(caught.value)
    assert_same(run(former, sampler, path=where, resume=True), before)


def test_all_changes_are_named_at_once(tmp_path: Path):
    run(engine_of(), SCRIPT, path=tmp_path / "run")
    problem = dataclasses.replace(
        changed_data(y=CHANGED_Y), model=LINE.model.with_priors(slope=NORMAL)
    )
    with pytest.raises(ValueError) as caught:
        run(engine_of(problem, 9), SCRIPT, path=tmp_path / "run", resume=True, burn=2)
    for name in ("parameter slope", "data y", "algorithm burn", "run seed"):
        assert name in str(caught.value)
    for name in ("intercept", "data x", "nwalkers"):
        assert name not in str(caught.value)


def test_data_that_are_changed_in_their_place_are_seen():
    problem = changed_data(y=Y.copy())
    engine = engine_of(problem)
    run(engine, SCRIPT, iterations=10)
    problem.analysis.y[3] += 1.0
    with pytest.raises(ValueError, match=r"data y was \(20,\)"):
        run(engine, SCRIPT, resume=True)
    problem.analysis.y[3] = Y[3]
    run(engine, SCRIPT, resume=True)


def test_another_precision_is_refused(tmp_path: Path):
    run(engine_of(), SCRIPT, path=tmp_path / "run")
    with jax.enable_x64(False):
        model = anb.Model(slope=dist.Normal(1.0, 2.0), intercept=NORMAL)
        problem = dataclasses.replace(LINE, model=model)
        with pytest.raises(
            ValueError, match="run precision was float64, and is float3"
        ):
            run(engine_of(problem), SCRIPT, path=tmp_path / "run", resume=True)


class Shifted(Scripted):
    """A sampler of the user's, with an option that is an object."""


@pytest.mark.parametrize("option", ["a", "b"])
def test_the_moves_of_emcee_are_compared(tmp_path: Path, option: str):
    problem = Case("numpy", SCRIPT, 0, use_jax=False).problem()
    moves: Any = emcee.moves.StretchMove(a=2.0)
    sampler = EmceeEnsemble(nwalkers=8, burn=5, iterations=5, moves=moves)
    run(engine_of(problem), sampler, path=tmp_path / "run")
    other: Any = emcee.moves.StretchMove(a=2.0 if option == "a" else 2.5)
    again = dataclasses.replace(sampler, moves=other)
    options: dict = {"path": tmp_path / "run", "resume": True}
    if option == "a":
        run(engine_of(problem), again, **options)
        return
    with pytest.raises(ValueError, match="algorithm moves was"):
        run(engine_of(problem), again, **options)


def test_a_pool_and_more_iterations_are_no_change(tmp_path: Path):
    from concurrent.futures import ThreadPoolExecutor

    problem = Case("numpy", SCRIPT, 0, use_jax=False).problem()
    sampler = EmceeEnsemble(nwalkers=8, burn=5, iterations=5)
    whole = run(engine_of(problem), sampler, iterations=9)
    run(engine_of(problem), sampler, path=tmp_path / "run")
    with ThreadPoolExecutor(2) as threads:
        again = run(
            engine_of(problem),
            sampler,
            workers=threads,
            path=tmp_path / "run",
            resume=True,
            iterations=np.int64(9),
            nwalkers=np.int64(8),
        )
    assert_same(again, whole)


# A state that does not fit


def test_a_state_of_another_version_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run(engine_of(), SCRIPT, path=tmp_path / "run")
    template: Callable = Scripted.template
    monkeypatch.setattr(Scripted, "template", lambda *args: [*template(*args), 0])
    with pytest.raises(anb.StoreError, match=r"the state in .*run does not fit: exp"):
        run(engine_of(), SCRIPT, path=tmp_path / "run", resume=True)
