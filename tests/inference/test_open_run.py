"""Any run folder as a result: finished, going on, stopped, failed, killed."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.algorithms.algorithm import Draws, Estimate, Outcome
from ampynb.algorithms.scripted import Scripted
from ampynb.inference.run import RunFailedError
from ampynb.plots.figure import NotebookFigure
from ampynb.results.inference_data import to_dataset
from tests.algorithms.cases import Case, all_cases
from tests.inference.broken_runs import LINE, assert_same, engine_of, run, run_to, until
from tests.inference.forgery import rewrite

REPOSITORY = Path(__file__).parents[2]
SCRIPT = Scripted(nwalkers=3, burn=20, iterations=600)
MODEL = anb.Model(
    slope=anb.Parameter(dist.Normal(1.0, 2.0), unit="mJy/d", label="m"),
    intercept=anb.Parameter(dist.Normal(0.0, 1.0), unit="mJy"),
    scatter=0.1,
)


def saved(path: Path, sampler: Any = SCRIPT, **options: Any) -> anb.Result:
    engine = anb.InferenceEngine(LINE.analysis, MODEL, seed=5)
    return run(engine, sampler, path=path, **options)


# Whatever has become of it


@all_cases
def test_the_run_of_any_sampler_is_opened_as_it_was(case: Case, tmp_path: Path):
    problem = case.problem()
    algorithm = case.with_steps(60)
    result = run(engine_of(problem), algorithm, path=tmp_path / "run")
    stored = anb.open_run(tmp_path / "run")
    assert_same(stored, result)
    assert stored.algorithm.name == algorithm.name
    assert stored.algorithm.nwalkers == algorithm.nwalkers
    assert stored.algorithm.independent_chains is algorithm.independent_chains
    assert (stored.reason, stored.seed) == (result.reason, result.seed)
    assert stored.seconds == pytest.approx(result.seconds)
    assert stored.log_likelihood == result.log_likelihood
    assert stored.divergences == result.divergences


def test_a_stopped_run_is_opened(tmp_path: Path):
    result = run_to(engine_of(), SCRIPT, 30, path=tmp_path / "run")
    stored = anb.open_run(tmp_path / "run")
    assert_same(stored, result)
    assert stored.reason == "stopped"
    assert "scripted, stopped" in repr(stored)


def test_a_run_stopped_in_its_burn_in_is_opened(tmp_path: Path):
    path, script = tmp_path / "run", Scripted(nwalkers=3, burn=10**7)
    run_to(engine_of(), script, 5, path=path)
    stored = anb.open_run(path)
    assert len(stored.draws) == 0 and len(stored.warmup) >= 5
    assert "run it longer" in repr(stored)
    assert np.isfinite(stored.log_likelihood)


def test_a_failed_run_is_opened_with_its_error(tmp_path: Path):
    failing = Scripted(nwalkers=3, burn=20, iterations=10**6, fails_at=500)
    with pytest.raises(RunFailedError) as caught:
        saved(tmp_path / "run", failing)
    stored = anb.open_run(tmp_path / "run")
    assert_same(stored, caught.value.result)
    assert stored.reason == "failed"
    assert stored.message == "FloatingPointError: scripted failure at step 500"
    assert stored.message in repr(stored)


def test_a_run_that_has_drawn_nothing_is_opened(tmp_path: Path):
    never = engine_of().start(sampler=SCRIPT, path=tmp_path / "run", progress="none")
    never.stop()
    drawn = never.wait(20)
    stored = anb.open_run(tmp_path / "run")
    assert_same(stored, drawn)
    assert f"{len(drawn.draws)} x 3 draws of 2 parameters" in repr(stored)


GO_ON = (
    "import sys\n"
    "from ampynb.algorithms.scripted import Scripted\n"
    "from tests.inference.broken_runs import engine_of, run\n"
    "script = Scripted(nwalkers=3, burn=0, iterations=10**7, seconds_per_step=1e-4)\n"
    "run(engine_of(), script, path=sys.argv[1])\n"
)


def test_a_run_of_another_process_is_seen_as_it_goes_on_and_when_it_is_killed(
    tmp_path: Path,
):
    path = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-c", GO_ON, str(path)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE,
    )
    with process:
        try:
            until(lambda: (path / "manifest.json").exists())
            until(lambda: len(anb.open_run(path).draws) > 100)
            stored = anb.open_run(path)
            assert stored.reason == "running"
            before = np.array(stored.draws)
            until(lambda: len(anb.open_run(path).draws) > len(before))
            np.testing.assert_array_equal(stored.draws, before)
        finally:
            process.kill()
    stored = anb.open_run(path)
    assert stored.reason == "killed"
    assert "scripted, killed" in repr(stored)
    whole = run(engine_of(), SCRIPT, burn=0, iterations=len(stored.draws))
    np.testing.assert_array_equal(stored.draws, whole.draws)


# What can be done with it


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run"
    saved(path, anb.Ensemble(nwalkers=8, burn=20, iterations=200))
    return path


@pytest.fixture(scope="module")
def original() -> anb.Result:
    engine = anb.InferenceEngine(LINE.analysis, MODEL, seed=5)
    return run(engine, anb.Ensemble(nwalkers=8, burn=20, iterations=200))


def test_without_an_analysis_there_are_tables(folder: Path, original: anb.Result):
    stored = anb.open_run(folder)
    assert stored.summary().equals(original.summary())
    assert stored.summary()["unit"].tolist() == ["mJy/d", "mJy"]
    assert stored.verdict() == original.verdict()
    first, second = stored.diagnostics(), original.diagnostics()
    assert first.table.equals(second.table)
    assert first.acceptance_rate == second.acceptance_rate
    np.testing.assert_array_equal(stored.sample(5), original.sample(5))


@pytest.mark.parametrize("view", [repr, anb.Result._repr_html_], ids=["repr", "HTML"])
def test_without_an_analysis_it_is_seen(folder: Path, original: anb.Result, view: Any):
    shown, expected = view(anb.open_run(folder)), view(original)
    times = f"{anb.open_run(folder).seconds:.1f} s", f"{original.seconds:.1f} s"
    assert shown.replace(*times) == expected
    for word in ("slope", "mJy/d", "ensemble, completed", "200 x 8 draws"):
        assert word in shown


@pytest.mark.parametrize("view", ["__repr__", "_repr_html_"])
def test_its_table_is_seen(folder: Path, view: str):
    shown = getattr(anb.open_run(folder).table, view)()
    for word in ("slope", "Normal(loc=1, scale=2)", "mJy/d", "scatter", "0.1"):
        assert word in shown


def test_without_an_analysis_there_are_pictures(folder: Path):
    stored = anb.open_run(folder)
    for picture in (stored.corner(), stored.trace(), stored.trace("slope")):
        assert isinstance(picture, NotebookFigure)
    names = [axes.get_ylabel() for axes in stored.trace().axes]
    assert any("m" in name and "mJy/d" in name for name in names)
    with pytest.raises(ValueError, match="did you mean 'slope'"):
        stored.trace("slpe")


def test_without_an_analysis_there_is_arviz_s_container(
    folder: Path, original: anb.Result, tmp_path: Path
):
    stored = anb.open_run(folder)
    for group in ("posterior", "sample_stats", "warmup_posterior"):
        found = to_dataset(stored.idata, group)
        expected = to_dataset(original.idata, group)
        for name in expected.data_vars:
            np.testing.assert_array_equal(found[name], expected[name])
            assert found[name].attrs == expected[name].attrs
    path = stored.to_netcdf(tmp_path / "run.nc")
    assert path.stat().st_size > 0


NEED_AN_ANALYSIS = {
    "plot_fit": lambda result: result.plot_fit(),
    "median": lambda result: result.median(),
    "max_log_likelihood": lambda result: result.max_log_likelihood(),
    "posterior": lambda result: result.posterior,
    "model": lambda result: result.model,
    "analysis": lambda result: result.analysis,
}


@pytest.mark.parametrize("use", NEED_AN_ANALYSIS.values(), ids=NEED_AN_ANALYSIS)
def test_what_needs_the_analysis_asks_for_it(folder: Path, use: Any):
    with pytest.raises(
        ValueError,
        match=r"expected the analysis and the model of the run; got its draws alone; "
        r"give both to ampynb.open_run\(path, analysis, model\), or to load",
    ):
        use(anb.open_run(folder))


def test_with_the_analysis_there_is_all(folder: Path, original: anb.Result):
    stored = anb.open_run(folder, LINE.analysis, MODEL)
    assert isinstance(stored.plot_fit(n=10), NotebookFigure)
    assert stored.median() == original.median()
    assert stored.max_log_likelihood() == original.max_log_likelihood()
    for group in ("prior", "log_likelihood", "observed_data"):
        found = to_dataset(stored.idata, group)
        assert found.equals(to_dataset(original.idata, group))


@pytest.mark.parametrize("given", [(), (LINE.analysis, MODEL)], ids=["alone", "all"])
def test_it_is_where_another_run_may_begin(folder: Path, given: tuple):
    stored = anb.open_run(folder, *given)
    engine = anb.InferenceEngine(LINE.analysis, MODEL)
    again = engine.run(8, 10, 0, start=stored, progress="none")
    assert again.draws.shape == (10, 8, 2)


def test_draws_are_read_when_they_are_used(folder: Path):
    stored = anb.open_run(str(folder))
    for array in (stored.draws, stored.warmup, *stored.stats.values()):
        assert isinstance(array, np.memmap)
    assert isinstance(stored.flat_draws, np.memmap)


# Weighted draws and live points


@dataclass(frozen=True, kw_only=True)
class Weighing(Scripted):
    """A sampler whose outcome has weights, an evidence, and points still alive."""

    draws_chains = False  # type: ignore

    def live(self, state: Any) -> Any:
        position = np.full((3, 1, 2), float(state.step))
        return Draws(position, {"log_likelihood": position[..., 0]}, "sampling")

    def finish(self, draws: Draws, live: Draws | None) -> Outcome:
        assert live is not None
        return Outcome(
            draws.position,
            draws.stats,
            {"counting": Estimate(float(live.position.mean()), 0.5)},
            {
                "position": live.position[:, 0],
                "log_weight": np.log(np.full(3, 1 / 3)),
                "log_likelihood": live.stats["log_likelihood"][:, 0],
            },
        )


def test_points_still_alive_are_stored_for_the_outcome(tmp_path: Path):
    sampler = Weighing(nwalkers=3, burn=0, iterations=40)
    result = run(engine_of(), sampler, path=tmp_path / "run")
    stored = anb.open_run(tmp_path / "run")
    assert_same(stored, result)
    assert stored.log_evidence == (40.0, 0.5)
    assert "log evidence 40.00 ± 0.50 by counting" in repr(stored)


# Misuse


@pytest.mark.parametrize(
    "given",
    [{"analysis": LINE.analysis}, {"model": MODEL}],
    ids=lambda g: next(iter(g)),
)
def test_one_of_both_is_not_enough(folder: Path, given: dict):
    with pytest.raises(ValueError, match=r"expected both .*; got one; give both"):
        anb.open_run(folder, **given)


def test_another_model_is_refused(folder: Path):
    other = anb.Model(slope=dist.Normal(0, 1), level=dist.Normal(0, 1))
    with pytest.raises(
        ValueError,
        match="expected a model with the parameters slope, intercept; got slope, level",
    ):
        anb.open_run(folder, LINE.analysis, other)


def test_where_no_run_is_none_is_opened(tmp_path: Path):
    with pytest.raises(anb.StoreError, match=r"got no manifest.json there; correct"):
        anb.open_run(tmp_path)


def test_a_damaged_state_does_not_hide_the_draws(tmp_path: Path):
    result = saved(tmp_path / "run")
    (state,) = (tmp_path / "run").glob("state-*.npz")
    state.write_bytes(b"")
    assert_same(anb.open_run(tmp_path / "run"), result)
    with pytest.raises(anb.StoreError, match=state.name):
        saved(tmp_path / "run", resume=True)
    (draws,) = (tmp_path / "run").glob("sampling.stats.lp.bin")
    draws.write_bytes(draws.read_bytes()[:-8])
    with pytest.raises(anb.StoreError, match=draws.name):
        anb.open_run(tmp_path / "run")


def test_a_sampler_that_is_not_at_hand_is_named(tmp_path: Path):
    path = tmp_path / "run"
    saved(path)

    def rename(content: dict) -> None:
        content["about"]["algorithm"]["class"] = "Forgotten"

    rewrite(path, rename)
    with pytest.raises(
        ValueError,
        match=r"expected an algorithm that .*; got 'Forgotten'; open the run",
    ):
        anb.open_run(path)
    assert json.loads((path / "manifest.json").read_text())
