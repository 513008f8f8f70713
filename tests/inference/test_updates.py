"""Updates on the best point so far: when they are made, and where they are seen."""

import io
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpyro.distributions as dist
import pytest
from matplotlib.figure import Figure
from PIL import Image

import ampynb as anb
from ampynb.algorithms.algorithm import SAMPLING, WARMUP, Draws
from ampynb.algorithms.scripted import Scripted
from ampynb.inference.updates import Updates
from ampynb.results.history import History
from ampynb.widgets.monitor import RunMonitor
from tests.helpers import Line, compilations, counted
from tests.inference.broken_runs import LINE

SCRIPT = Scripted(nwalkers=3, burn=20, iterations=60)
X, Y, YERR = LINE.analysis.x, LINE.analysis.y, LINE.analysis.yerr
EVERY_STEP = {"iterations_per_quick_update": 1}


def start(analysis: Any, sampler: Any = SCRIPT, **options: Any) -> anb.Run:
    engine = anb.InferenceEngine(analysis, LINE.model, seed=5)
    given = {"run_kw": EVERY_STEP, **options}
    return engine.start(sampler=sampler, progress="none", **given)


def picture(size: float) -> Figure:
    """Return a figure that is known by its size."""
    figure = Figure(figsize=(size, 1))
    figure.subplots().set_position((0, 0, 1, 1))
    return figure


def width_of(png: bytes) -> float:
    """Return the width of a picture, roughly that of its figure [inches]."""
    return Image.open(io.BytesIO(png)).width / 110


# When


class Clock:
    """A clock that stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def scene(analysis: Any, every: int | None = None) -> tuple[Updates, History, Clock]:
    history, clock = History(), Clock()

    def tell(hook: str, error: Exception) -> None:
        raise error

    posterior = anb.Posterior(analysis, LINE.model)
    return Updates(posterior, None, history, tell, every, clock), history, clock


def draw(history: History, log_likelihood: float, phase: str = SAMPLING) -> None:
    """Append one draw, whose slope tells which."""
    stats = {"log_likelihood": np.array([[log_likelihood]])}
    position = np.array([[[log_likelihood, 0.0]]])
    history.append(Draws(position, stats, phase))


class Noting(Line):
    """Notes the slopes that it is shown, and takes its time."""

    def __init__(self, clock: Clock | None = None, seconds: float = 0.0):
        super().__init__(X, Y, YERR)
        self.slopes, self.given_clock, self.seconds = [], clock, seconds

    def perform_quick_update(self, paths, instance):
        self.slopes.append(float(instance.slope))
        if self.given_clock is not None:
            self.given_clock.now += self.seconds


def test_only_a_better_point_is_shown():
    analysis = Noting()
    updates, history, _ = scene(analysis, every=1)
    updates.observe(0)
    for step, value in enumerate([-3.0, -5.0, -2.0, -2.0, -9.0, -1.0]):
        draw(history, value, WARMUP if step < 2 else SAMPLING)
        updates.observe(step)
    updates.end()
    assert analysis.slopes == [-3.0, -2.0, -1.0]


def test_the_last_best_point_is_shown_at_the_end():
    analysis = Noting()
    updates, history, _ = scene(analysis, every=100)
    draw(history, -3.0)
    updates.observe(1)
    draw(history, -2.0)
    updates.observe(2)
    assert analysis.slopes == [-3.0]
    updates.end()
    assert analysis.slopes == [-3.0, -2.0]


def test_so_many_steps_are_between_two():
    analysis = Noting()
    updates, history, _ = scene(analysis, every=10)
    for step in range(0, 40, 3):
        draw(history, float(step))
        updates.observe(step)
    assert analysis.slopes == [0.0, 12.0, 24.0, 36.0]


@pytest.mark.parametrize(("seconds", "apart"), [(0.0, 2.0), (3.0, 33.0)])
def test_otherwise_some_seconds_and_so_many_that_they_cost_little(seconds, apart):
    updates, history, clock = scene(Line(X, Y, YERR))
    analysis = Noting(clock, seconds)
    updates, history, clock = scene(analysis)
    analysis.given_clock = clock
    shown = []
    for value in range(1000):
        draw(history, float(value))
        before, begun = len(analysis.slopes), clock.now
        updates.observe(0)
        if len(analysis.slopes) > before:
            shown.append(begun)
        clock.now += 0.25
    assert shown[0] == 0.0, "the first comes at once"
    np.testing.assert_allclose(np.diff(shown), apart, atol=0.3)


def test_an_analysis_without_hooks_draws_nothing():
    analysis = counted(Line)(X, Y, YERR)
    updates, history, _ = scene(analysis, every=1)
    draw(history, -1.0)
    updates.begin()
    updates.observe(1)
    updates.end()
    assert updates.picture is None
    assert analysis.evaluations == 0


# Beside the run


class Slow(Line):
    """Its updates take far longer than the steps of a run."""

    @property
    def supports_background_update(self):
        return True

    def __init__(self):
        super().__init__(X, Y, YERR)
        self.threads, self.at_once, self.most, self.best = [], 0, 0, []

    def perform_quick_update(self, paths, instance):
        self.threads.append(threading.current_thread().name)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        time.sleep(0.3)
        self.best.append(instance)
        self.at_once -= 1


def test_in_the_background_the_run_goes_on_and_the_last_is_waited_for():
    analysis = Slow()
    brisk = Scripted(nwalkers=3, burn=0, iterations=300, seconds_per_step=0.002)
    run = start(analysis, brisk)
    result = run.wait(30)
    in_background = [name == "ampynb-update" for name in analysis.threads]
    assert in_background[0]
    # 0.6 s of steps leave time for two or three, one at a time, of many better points.
    assert 1 <= sum(in_background) <= 4
    assert analysis.most == 1
    assert analysis.at_once == 0
    assert analysis.best[-1] == result.instance
    assert len(result.draws) == 300


# Where


class Drawn(Line):
    """Draws by itself, and lets the package draw its fit."""

    Visualizer = anb.Visualizer

    def perform_quick_update(self, paths, instance):
        return {"quick_update": picture(3), "more": picture(5)}


def test_pictures_are_in_the_folder_and_in_the_monitor(tmp_path: Path):
    run = start(Drawn(X, Y, YERR), path=tmp_path / "run")
    result = run.wait(30)
    assert not result.warnings
    images = tmp_path / "run" / "images"
    assert sorted(path.name for path in images.iterdir()) == [
        "fit.png",
        "more.png",
        "quick_update.png",
    ]
    quick = (images / "quick_update.png").read_bytes()
    assert width_of(quick) == pytest.approx(3, abs=0.8)
    assert width_of((images / "more.png").read_bytes()) == pytest.approx(5, abs=0.8)
    assert width_of((images / "fit.png").read_bytes()) == pytest.approx(7, abs=0.5)
    assert run.picture == quick
    monitor = RunMonitor(run)
    monitor.mimebundle()
    assert monitor.picture.value == quick
    monitor.close()


def test_without_a_folder_they_are_in_the_monitor_alone(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own: Any = type("Own", (Line,), {"Visualizer": anb.Visualizer})
    with compilations() as compiled:
        run = start(own(X, Y, YERR))
        run.wait(30)
    assert run.picture is not None
    assert width_of(run.picture) == pytest.approx(7, abs=0.5)
    assert list(tmp_path.iterdir()) == []
    of_fits = [name for name in compiled if "_fit" in name]
    assert len(of_fits) == 1, "all pictures are of one program"


def test_a_picture_is_there_while_the_run_goes_on():
    analysis = Drawn(X, Y, YERR)
    run = start(analysis, Scripted(iterations=10**6, seconds_per_step=0.001))
    deadline = time.monotonic() + 30
    while run.picture is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not run.status.ended
    run.stop()
    run.wait(30)


def test_a_hook_that_raises_is_asked_again_only_at_the_end():
    calls: list[bool] = []

    class Drawing(anb.Visualizer):
        @staticmethod
        def visualize(analysis, paths, instance, during_analysis):
            calls.append(during_analysis)
            raise RuntimeError("no paper")

    kind = type("Own", (Line,), {"Visualizer": Drawing})
    brisk = Scripted(nwalkers=3, burn=0, iterations=300, seconds_per_step=0.002)
    run = start(kind(X, Y, YERR), brisk)
    assert run.wait(30).reason == "completed"
    assert calls == [True, False]
    assert run.status.warnings == ("visualize failed: RuntimeError: no paper",)
    monitor = RunMonitor(run)
    assert "no paper" in monitor.mimebundle()["text/html"]
    monitor.close()


@pytest.mark.parametrize("returned", ["a text", {"one": 1}])
def test_what_is_no_figure_is_told(returned: Any):
    hook = {"perform_quick_update": lambda *given, **named: returned}
    run = start(type("Own", (Line,), hook)(X, Y, YERR))
    (told,) = run.wait(30).warnings
    assert "TypeError: expected a matplotlib figure, a dictionary of figures" in told


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path):
    class Own(Drawn):
        def save_attributes(self, paths: Any):
            (paths / "images").write_text("in the way")

    result = start(Own(X, Y, YERR), path=tmp_path / "run").wait(30)
    assert result.reason == "completed"
    assert len(result.warnings) == 2
    assert "visualize failed: FileExistsError" in result.warnings[1]


def test_a_fit_that_cannot_be_drawn_has_no_picture():
    class Alone(anb.Analysis):
        Visualizer = anb.Visualizer

        def log_likelihood_function(self, instance):
            return -0.5 * instance.slope**2

    run = start(Alone())
    assert not run.wait(30).warnings
    assert run.picture is None


def test_joined_fits_are_drawn_together_and_each_in_its_folder(tmp_path: Path):
    kind = type("Own", (Line,), {"Visualizer": anb.Visualizer})
    all_of = type("All", (anb.JointAnalysis,), {"Visualizer": anb.Visualizer})
    analysis = all_of(radio=kind(X, Y, YERR), xray=kind(X, 2 * Y, YERR))
    own = {"intercept": dist.Normal(0.0, 1.0)}
    slope = dist.Normal(1.0, 2.0)
    model = anb.Model(slope=slope, radio=anb.Model(**own), xray=anb.Model(**own))
    engine = anb.InferenceEngine(analysis, model, seed=5)
    run = engine.start(sampler=SCRIPT, progress="none", path=tmp_path / "run")
    assert not run.wait(30).warnings
    both = (tmp_path / "run" / "images" / "fit.png").read_bytes()
    assert width_of(both) == pytest.approx(10.5, abs=1), "side by side"
    for name in ("radio", "xray"):
        alone = (tmp_path / "run" / name / "images" / "fit.png").read_bytes()
        assert width_of(alone) == pytest.approx(7, abs=0.5)
    assert run.picture == both


def test_a_picture_of_one_joined_analysis_is_not_that_of_the_run():
    kind = type("Own", (Line,), {"Visualizer": anb.Visualizer})
    analysis = anb.JointAnalysis(radio=kind(X, Y, YERR), xray=kind(X, 2 * Y, YERR))
    engine = anb.InferenceEngine(analysis, LINE.model, seed=5)
    run = engine.start(sampler=SCRIPT, progress="none")
    assert not run.wait(30).warnings
    assert run.picture is None, "the monitor draws both"
