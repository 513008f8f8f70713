"""The hooks of an analysis: their order, what they return, and what they raise."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.algorithms.scripted import Scripted
from ampynb.inference.events import HookFailed
from tests.algorithms.cases import Case, all_cases
from tests.helpers import Line, NumpyLine, compilations
from tests.inference.broken_runs import LINE, assert_same, run_to

SCRIPT = Scripted(nwalkers=3, burn=20, iterations=60)
X, Y, YERR = LINE.analysis.x, LINE.analysis.y, LINE.analysis.yerr

BEFORE = ["modify_model", "modify_before_fit"]
AT_FIRST = [*BEFORE, "save_attributes", "before_fit"]
DURING = ["perform_quick_update", "visualize True"]
AT_LAST = ["make_result", "visualize False", "save_results", "modify_after_fit"]


class Recording:
    """Hooks that note when they are called and what they are given."""

    calls: ClassVar[list[tuple]]

    def modify_model(self, model):
        self.calls.append(("modify_model", model))
        return model

    def modify_before_fit(self, paths, model):
        self.calls.append(("modify_before_fit", paths, model))
        return self

    def save_attributes(self, paths):
        self.calls.append(("save_attributes", paths))

    def perform_quick_update(self, paths, instance):
        self.calls.append(("perform_quick_update", paths, instance))

    def make_result(self, kind, **parts):
        self.calls.append(("make_result", parts["reason"]))
        return kind(**parts)

    def save_results(self, paths, result):
        self.calls.append(("save_results", paths, result))

    def modify_after_fit(self, paths, model, result):
        self.calls.append(("modify_after_fit", paths, model, result))
        return self


def recording(kind: type) -> type:
    """Return a subclass of an analysis that notes the calls of its hooks."""
    calls: list[tuple] = []

    class Drawing(anb.Visualizer):
        @staticmethod
        def visualize_before_fit(analysis, paths, model):
            calls.append(("before_fit", paths, model))

        @staticmethod
        def visualize(analysis, paths, instance, during_analysis):
            calls.append((f"visualize {during_analysis}", paths, instance))

    return type("Own", (Recording, kind), {"calls": calls, "Visualizer": Drawing})


def names(analysis: Any) -> list[str]:
    return [call[0] for call in analysis.calls]


def run(analysis: Any, sampler: Any = SCRIPT, **options: Any) -> anb.Result:
    kind = {"run_kw": {"iterations_per_quick_update": 1}, **options}
    engine = anb.InferenceEngine(analysis, LINE.model, seed=5)
    return engine.run(sampler=sampler, progress="none", **kind)


# The order


@all_cases
def test_the_order_is_the_same_for_every_algorithm(case: Case):
    kind = Line if case.use_jax else NumpyLine
    analysis = recording(kind)(X, Y, YERR)
    run(analysis, case.with_steps(90))
    called = names(analysis)
    assert called[: len(AT_FIRST)] == AT_FIRST
    assert called[-len(AT_LAST) :] == AT_LAST
    between = called[len(AT_FIRST) : -len(AT_LAST)]
    assert between
    assert between == DURING * (len(between) // 2)


def test_hooks_are_given_the_folder_which_is_there(tmp_path: Path):
    class Own(recording(Line)):  # type: ignore[misc]
        def save_attributes(self, paths):
            super().save_attributes(paths)
            (paths / "settings.json").write_text(json.dumps({"n": len(self.x)}))

        def save_results(self, paths, result):
            super().save_results(paths, result)
            np.savetxt(paths / "mean.txt", result.flat_draws.mean(axis=0))

    analysis, path = Own(X, Y, YERR), tmp_path / "new" / "run"
    result = run(analysis, path=path)
    assert {call[1] for call in analysis.calls if isinstance(call[1], Path)} == {path}
    assert json.loads((path / "settings.json").read_text()) == {"n": 20}
    np.testing.assert_allclose(
        np.loadtxt(path / "mean.txt"), result.flat_draws.mean(axis=0)
    )
    assert not result.warnings


def test_hooks_are_given_model_best_point_and_result():
    analysis = recording(Line)(X, Y, YERR)
    result = run(analysis)
    given = {call[0]: call[1:] for call in analysis.calls}
    assert given["modify_before_fit"] == (None, LINE.model)
    assert given["visualize False"] == (None, result.instance)
    assert given["save_results"] == (None, result)
    assert given["modify_after_fit"] == (None, LINE.model, result)


def test_a_stopped_run_calls_the_last_hooks_and_a_failed_one_does_not():
    stopped = recording(Line)(X, Y, YERR)
    engine = anb.InferenceEngine(stopped, LINE.model)
    endless = Scripted(nwalkers=3, iterations=10**7, seconds_per_step=0.001)
    every = {"iterations_per_quick_update": 1}
    assert run_to(engine, endless, 5, run_kw=every).reason == "stopped"
    assert names(stopped)[-len(AT_LAST) :] == AT_LAST
    failing = recording(Line)(X, Y, YERR)
    with pytest.raises(RuntimeError, match="scripted failure"):
        run(failing, replace(SCRIPT, fails_at=40))
    assert "visualize False" not in names(failing)
    assert "save_results" not in names(failing)


# What they return


def test_the_modified_model_and_analysis_are_fitted():
    class Own(Line):
        def modify_model(self, model):
            return model.fix(slope=2.0)

        def modify_before_fit(self, paths, model):
            assert model.names == ["intercept"]
            return Own(self.x, self.y + 1.0, self.yerr)

    result = run(Own(X, Y, YERR))
    assert result.model.names == ["intercept"]
    assert np.array_equal(result.analysis.y, Y + 1.0)
    engine = anb.InferenceEngine(Own(X, Y, YERR), LINE.model)
    assert engine.model.names == ["slope", "intercept"], "it is modified in each run"
    residual = Y + 1.0 - 2.0 * X - 0.3
    expected = -0.5 * np.sum((residual / YERR) ** 2 + np.log(2 * np.pi * YERR**2))
    value = float(result.posterior.log_likelihood(np.array([0.3])))
    assert value == pytest.approx(expected)


def test_what_is_modified_is_compared_when_a_run_is_continued(tmp_path: Path):
    class Own(Line):
        shift = 0.0

        def modify_before_fit(self, paths, model):
            return Line(self.x, self.y + self.shift, self.yerr)

    analysis, path = Own(X, Y, YERR), tmp_path / "run"
    first = run(analysis, path=path)
    assert_same(run(analysis, path=path, resume=True), first)
    Own.shift = 1.0
    with pytest.raises(ValueError, match=r"expected the model, the data .*data y was"):
        run(analysis, path=path, resume=True)


def test_the_analysis_after_the_fit_is_that_of_the_result():
    class Own(Line):
        best = 0.0

        def modify_after_fit(self, paths, model, result):
            other = Own(self.x, self.y, self.yerr)
            other.best = result.log_likelihood
            return other

    analysis = Own(X, Y, YERR)
    result = run(analysis)
    assert result.analysis is not analysis
    assert result.analysis.best == result.log_likelihood


class Narrow(anb.Result):
    """A result with a number of its analysis' choice."""

    def __init__(self, *, factor: float = 0.0, **parts: Any):
        super().__init__(**parts)
        self.factor = factor


def test_an_analysis_makes_its_result(tmp_path: Path):
    class Own(Line):
        Result = Narrow

        def make_result(self, kind, **parts):
            return kind(factor=3.0, **parts)

    result: Any = run(Own(X, Y, YERR), path=tmp_path / "run")
    assert (type(result), result.factor) == (Narrow, 3.0)
    again: Any = anb.open_run(tmp_path / "run", Own(X, Y, YERR), LINE.model)
    assert (type(again), again.factor) == (Narrow, 3.0)


NOT_RETURNED = {
    "modify_model": r"modify_model to return a Model; got None; end it with a return",
    "modify_before_fit": r"modify_before_fit to return an Analysis, such as self; got",
}


@pytest.mark.parametrize("hook", NOT_RETURNED)
def test_what_is_not_returned_is_told_before_the_run(hook: str, tmp_path: Path):
    kind = type("Own", (Line,), {hook: lambda self, *given: None})
    with pytest.raises(TypeError, match=NOT_RETURNED[hook]):
        run(kind(X, Y, YERR), path=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("wrong", [dict, "fit", Line])
def test_a_visualizer_that_is_none_is_told_before_the_run(wrong: Any):
    kind = type("Own", (Line,), {"Visualizer": wrong})
    with pytest.raises(TypeError, match=r"expected Own\.Visualizer to be a subclass"):
        run(kind(X, Y, YERR))


# What they raise


def _raise(*given: Any, **named: Any) -> Any:
    raise RuntimeError("out of luck")


@pytest.mark.parametrize("hook", BEFORE)
def test_an_error_before_the_fit_ends_it(hook: str, tmp_path: Path):
    kind = type("Own", (Line,), {hook: _raise})
    with pytest.raises(RuntimeError, match="out of luck"):
        run(kind(X, Y, YERR), path=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def _visualizer(hook: str) -> dict[str, Any]:
    # A function made by `def`, as a method has a name.
    def raising(*given: Any, **named: Any) -> None:
        _raise()

    raising.__name__ = hook
    return {"Visualizer": type("V", (anb.Visualizer,), {hook: staticmethod(raising)})}


def _hook(hook: str) -> dict[str, Any]:
    def raising(*given: Any, **named: Any) -> None:
        _raise()

    raising.__name__ = hook
    return {hook: raising}


HARMLESS: dict[str, Callable[[str], dict[str, Any]]] = {
    "save_attributes": _hook,
    "perform_quick_update": _hook,
    "make_result": _hook,
    "save_results": _hook,
    "modify_after_fit": _hook,
    "visualize_before_fit": _visualizer,
    "visualize": _visualizer,
}


class Listener:
    """Keeps every event."""

    def __init__(self):
        self.events: list = []

    def show(self, event):
        self.events.append(event)


@pytest.mark.parametrize("hook", HARMLESS)
def test_an_error_of_any_other_is_told_and_takes_nothing_away(
    hook: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    kind, listener = type("Own", (Line,), HARMLESS[hook](hook)), Listener()
    engine = anb.InferenceEngine(kind(X, Y, YERR), LINE.model, seed=5)
    with caplog.at_level(logging.WARNING, "ampynb"):
        running = engine.start(
            sampler=SCRIPT,
            progress=listener,
            path=tmp_path / "run",
            run_kw={"iterations_per_quick_update": 1},
        )
        result = running.wait(30)
    assert result.reason == "completed"
    assert_same(result, run(Line(X, Y, YERR)))
    told = f"{hook} failed: RuntimeError: out of luck"
    assert running.status.warnings == (told,)
    assert list(result.warnings) == [told]
    assert told in repr(result)
    assert [e for e in listener.events if isinstance(e, HookFailed)] == [
        HookFailed(hook, "RuntimeError", "out of luck")
    ]
    assert [record.getMessage() for record in caplog.records] == [
        f"{told}; the run goes on"
    ]
    opened = anb.open_run(tmp_path / "run")
    assert_same(opened, result)
    assert list(opened.warnings) == [told]


def test_nothing_is_printed_unless_asked_for(capfd: pytest.CaptureFixture):
    class Drawing(anb.Visualizer):
        @staticmethod
        def visualize(analysis, paths, instance, during_analysis):
            return analysis.fit_for_visualization(instance)

    kind = type("Own", (Line,), {"Visualizer": Drawing})
    engine = anb.InferenceEngine(kind(X, Y, YERR), LINE.model, seed=5)
    every = {"iterations_per_quick_update": 1}
    engine.run(sampler=SCRIPT, progress="none", run_kw=every)
    assert capfd.readouterr() == ("", "")


def test_what_failed_is_told_of_a_run_that_is_continued_or_read_again(tmp_path: Path):
    class Own(Line):
        def save_attributes(self, paths):
            raise RuntimeError("out of luck")

    told = ["save_attributes failed: RuntimeError: out of luck"]
    engine = anb.InferenceEngine(Own(X, Y, YERR), LINE.model, seed=5)
    path = tmp_path / "run"
    script = replace(SCRIPT, iterations=900, seconds_per_step=1e-3)
    assert run_to(engine, script, 40, path=path).reason == "stopped"
    assert list(anb.open_run(path).warnings) == told
    for resume in (True, False):
        result = engine.run(sampler=script, path=path, progress="none", resume=resume)
        assert result.reason == "completed"
        assert list(result.warnings) == told
        assert list(anb.open_run(path).warnings) == told


def test_a_result_that_is_none_is_told_and_a_plain_one_made():
    kind = type("Own", (Line,), {"make_result": lambda self, kind, **parts: None})
    result = run(kind(X, Y, YERR))
    assert type(result) is anb.Result
    (told,) = result.warnings
    assert "expected Own.make_result to return a Result; got None" in told


# Joined analyses


def joint(*kinds: type) -> tuple[anb.JointAnalysis, anb.Model]:
    own = {"slope": dist.Normal(1.0, 2.0), "intercept": dist.Normal(0.0, 1.0)}
    members = {f"line{i}": kind(X, Y, YERR) for i, kind in enumerate(kinds)}
    model = anb.Model(**{name: anb.Model(**own) for name in members})
    return anb.JointAnalysis(**members), model


def test_each_joined_analysis_has_its_hooks_its_folder_and_its_instance(tmp_path: Path):
    first, second = recording(Line), recording(Line)
    analysis, model = joint(first, second)
    engine = anb.InferenceEngine(analysis, model, seed=5)
    result = engine.run(sampler=SCRIPT, progress="none", path=tmp_path / "run")
    for name, member in analysis.analyses.items():
        called: Any = member
        given = {call[0]: call[1:] for call in called.calls}
        folder = tmp_path / "run" / name
        assert given["save_attributes"] == (folder,)
        own = getattr(result.instance, name)
        assert given["visualize False"] == (folder, own)
        assert given["perform_quick_update"][0] == folder
        assert "save_results" not in given, "there is one result, of all"


def test_a_joint_analysis_saves_what_is_made_of_all_and_draws_them_together():
    calls: list[str] = []

    class Drawing(anb.Visualizer):
        @staticmethod
        def visualize_combined(analysis, paths, instance, during_analysis):
            calls.append(f"combined {sorted(analysis.analyses)} {during_analysis}")

        @staticmethod
        def visualize(analysis, paths, instance, during_analysis):
            raise AssertionError("it is of one analysis alone")

    class Own(anb.JointAnalysis):
        Visualizer = Drawing

        def save_results(self, paths, result):
            calls.append("save_results")

        def save_results_combined(self, paths, result):
            calls.append("save_results_combined")

    members, model = joint(Line, Line)
    engine = anb.InferenceEngine(Own(**members.analyses), model, seed=5)
    result = engine.run(sampler=SCRIPT, progress="none")
    assert not result.warnings
    assert calls[-3:] == [
        "combined ['line0', 'line1'] False",
        "save_results",
        "save_results_combined",
    ]
    assert calls[0] == "combined ['line0', 'line1'] True"


def test_joined_analyses_are_modified_before_the_fit():
    class Own(Line):
        def modify_before_fit(self, paths, model):
            assert model.names[0] == "line0.slope"
            return Line(self.x, self.y + 1.0, self.yerr)

    analysis, model = joint(Own, Line)
    engine = anb.InferenceEngine(analysis, model, seed=5)
    fitted = engine.run(sampler=SCRIPT, progress="none").analysis.analyses
    assert np.array_equal(fitted["line0"].y, Y + 1.0)
    assert np.array_equal(fitted["line1"].y, Y)


# Beside a fit


def test_an_analysis_with_its_model_is_fitted_with_that_one():
    pinned = LINE.analysis.with_model(LINE.model.fix(intercept=0.0))
    result = anb.InferenceEngine(pinned, seed=5).run(sampler=SCRIPT, progress="none")
    assert result.model.names == ["slope"]
    with pytest.raises(TypeError, match=r"expected no model beside .*; leave it out"):
        anb.InferenceEngine(pinned, LINE.model)
    with pytest.raises(TypeError, match=r"expected a model beside the analysis; got"):
        anb.InferenceEngine(LINE.analysis)


def test_memory_is_told_without_a_computation(capsys: pytest.CaptureFixture):
    analysis = type("Fresh", (Line,), {})(X, Y, YERR)
    with compilations() as names:
        few, many = (analysis.vram_use(LINE.model, n) for n in (10, 1000))
        # 1000 vectors of two numbers, and as many results.
        assert many >= 1000 * 3 * 8
        assert few < many / 10
        assert analysis.vram_use(LINE.model, 1000, gradient=True) > many
    assert len(names) == 3, "each is compiled, and no more"
    analysis.print_vram_use(LINE.model, 1000)
    assert capsys.readouterr().out == (
        f"{many / 2**20:.3g} MiB for 1000 likelihoods at once\n"
    )


@pytest.mark.parametrize("batch_size", [0, -1, 2.0, True, "10"])
def test_a_batch_of_nothing_is_told(batch_size: Any):
    with pytest.raises(ValueError, match=r"expected batch_size as a whole number"):
        LINE.analysis.vram_use(LINE.model, batch_size)


def test_memory_of_numpy_code_is_told_to_be_elsewhere():
    with pytest.raises(ValueError, match=r"expected an analysis in JAX, whose memory"):
        NumpyLine(X, Y, YERR).vram_use(LINE.model, 10)


def test_jax_visualization_is_that_of_the_analysis():
    assert Line(X, Y, YERR).supports_jax_visualization
    assert not Line(X, Y, YERR, use_jax=False).supports_jax_visualization
    assert not Line(X, Y, YERR).supports_background_update


@pytest.mark.parametrize("every", [0, 1.5, "often"])
def test_steps_between_updates_are_a_whole_number(every: Any):
    with pytest.raises(ValueError, match=r"expected iterations_per_quick_update as a"):
        run(LINE.analysis, run_kw={"iterations_per_quick_update": every})
