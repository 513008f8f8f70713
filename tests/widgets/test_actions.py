"""Every button and its method, without a page."""

import threading
import time
from typing import Any

import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.algorithms.scripted import Scripted
from ampynb.widgets.buttons import press
from tests.helpers import Line, NumpyLine


@pytest.fixture
def analysis():
    x = np.linspace(0.0, 2.0, 30)
    return Line(x, 1.5 * x - 0.5, np.full(30, 0.5))


@pytest.fixture
def model():
    return anb.Model(
        slope=dist.Uniform(0.0, 4.0), intercept=dist.Normal(0.0, 1.0), x0=3.0
    )


@pytest.fixture
def explorer(analysis, model):
    explorer = anb.explore(analysis, model)
    yield explorer
    explorer.close()


@pytest.fixture(scope="module")
def result():
    x = np.linspace(0.0, 2.0, 30)
    analysis = Line(x, 1.5 * x - 0.5, np.full(30, 0.5))
    model = anb.Model(
        slope=dist.Uniform(0.0, 4.0), intercept=dist.Normal(0.0, 1.0), x0=3.0
    )
    return anb.InferenceEngine(analysis, model).run(
        8, 50, 10, sampler=Scripted(), progress="none"
    )


def click(explorer, do, **more):
    """Do as the page does when a button is pressed, and wait for it."""
    button = buttons(explorer).get(do)
    assert button is None or not button["disabled"]
    explorer.widget._handle_custom_msg({"do": do, **more}, [])
    assert explorer.wait()
    assert explorer.widget.alert == ""


def buttons(explorer):
    return {button["do"]: button for button in explorer.widget.buttons}


def test_every_button_has_an_action_and_a_title(explorer, result):
    class Nothing:
        bands = ()

        def __getattr__(self, name):
            return lambda *told, **more: None

    nothing: Any = Nothing()
    explorer.result = result
    explorer.snapshot()
    for do, button in buttons(explorer).items():
        assert button["title"]
        if do != "copy":  # the page does that
            press(nothing, {"do": do, "n": 1, "name": "slope"})
    with pytest.raises(ValueError, match=r"expected one of undo, .*; got 'fly'"):
        press(nothing, {"do": "fly"})


def test_undo_and_redo(explorer):
    assert buttons(explorer)["undo"]["disabled"]
    explorer.controls["slope"].slider.value = 3.0
    explorer.controls["intercept"].slider.value = 1.0
    click(explorer, "undo")
    assert explorer.controls["intercept"].value == 0.0
    click(explorer, "undo")
    assert explorer.vector.tolist() == [2.0, 0.0]
    assert explorer.controls["slope"].slider.value == 2.0
    assert explorer.widget.frame["values"] == [2.0, 0.0, 3.0]
    click(explorer, "redo")
    explorer.redo()
    assert explorer.vector.tolist() == pytest.approx([3.0, 1.0], abs=0.02)
    assert buttons(explorer)["redo"]["disabled"]


def test_back_to_the_prior(explorer):
    explorer.set(slope=3.0, intercept=1.0)
    click(explorer, "prior median")
    assert explorer.vector.tolist() == [2.0, 0.0]
    click(explorer, "prior draw")
    first = explorer.vector
    click(explorer, "prior draw")
    assert np.all(first != explorer.vector)
    explorer.reset("prior draw", seed=7)
    seventh = explorer.vector
    explorer.reset("prior draw", seed=7)
    assert np.array_equal(explorer.vector, seventh)


def test_a_parameter_can_be_fixed_and_freed(explorer):
    assert explorer.widget.fixed == ["x0"]
    click(explorer, "fix", name="slope")
    assert explorer.model.names == ["intercept"]
    assert explorer.controls["slope"].disabled
    assert explorer.widget.fixed == ["slope", "x0"]
    assert explorer.numbers["χ² / degrees of freedom"].endswith("/ 29")
    click(explorer, "free", name="x0")
    assert explorer.model.names == ["intercept", "x0"]
    assert not explorer.controls["x0"].disabled
    click(explorer, "undo")
    assert explorer.widget.fixed == ["slope", "x0"]
    explorer.free("slope", dist.Normal(0, 9))
    assert explorer.model.prior_of("slope").scale == 9


def test_optimise_ends_at_the_maximum_with_what_is_fixed_left(explorer):
    click(explorer, "optimise")
    # Uniform on the slope, standard normal on the intercept: a linear system.
    x, variance = explorer.analysis.x, 0.5**2
    design = np.stack([x, np.ones_like(x)], axis=1)
    precision = design.T @ design / variance + np.diag([0.0, 1.0])
    expected = np.linalg.solve(precision, design.T @ explorer.analysis.y / variance)
    assert explorer.vector == pytest.approx(expected, abs=1e-4)
    assert buttons(explorer)["optimise"] and not explorer.is_optimising
    explorer.undo()
    assert explorer.vector.tolist() == [2.0, 0.0]
    explorer.reset("best")
    assert explorer.vector == pytest.approx(expected, abs=1e-4)
    explorer.set(slope=1.0)
    explorer.fix("slope")
    optimum = explorer.optimise()
    assert optimum.converged
    assert explorer.instance.slope == 1.0
    assert explorer.vector == pytest.approx(optimum.vector)


class Slow(NumpyLine):
    """A line that takes its time."""

    def log_likelihood_function(self, instance):
        time.sleep(0.02)
        return super().log_likelihood_function(instance)


def test_the_optimiser_can_be_stopped_and_yields_to_the_user(model):
    x = np.linspace(0.0, 2.0, 30)
    explorer = anb.explore(Slow(x, 1.5 * x - 0.5, np.full(30, 0.5)), model)
    for end in (
        explorer.stop_optimising,
        lambda: explorer.controls["slope"].slider.__setattr__("value", 3.0),
    ):
        explorer.set(slope=0.5, intercept=-2.0)
        explorer.widget._handle_custom_msg({"do": "optimise"}, [])
        until(lambda: explorer.is_optimising)
        assert "stop" in buttons(explorer) and "optimise" not in buttons(explorer)
        begun = time.monotonic()
        end()
        assert time.monotonic() - begun < 1.0  # the handler did not wait for it
        assert explorer.wait()
        assert not explorer.is_optimising
    assert explorer.instance.slope == 3.0
    explorer.close()


@pytest.mark.slow
def test_a_snapshot_while_the_optimiser_works_is_of_the_point_on_show(model):
    """And undo takes the whole way back at once."""
    x = np.linspace(0.0, 2.0, 30)
    explorer = anb.explore(Slow(x, 1.5 * x - 0.5, np.full(30, 0.5)), model)
    explorer.set(slope=0.5, intercept=-2.0)
    begun = explorer.point
    explorer.widget._handle_custom_msg({"do": "optimise"}, [])
    until(lambda: explorer.point.elements != begun.elements)
    with explorer._lock:  # the optimiser shows nothing meanwhile
        shown, values = explorer.point, explorer.widget.frame["values"]
        explorer.widget._handle_custom_msg({"do": "snapshot"}, [])
    assert list(shown.elements.values()) == values
    until(lambda: explorer.snapshots)
    assert explorer.is_optimising  # a snapshot does not wait for its end, nor ends it
    assert explorer.wait()
    kept = explorer.snapshots["snapshot 1"]
    assert [kept.slope, kept.intercept] == shown.vector.tolist()
    assert explorer.vector.tolist() != shown.vector.tolist()
    (chip,) = explorer.widget.chips
    assert explorer.numbers["ln likelihood"] not in chip["text"]
    explorer.undo()
    assert explorer.point is begun
    explorer.restore("snapshot 1")
    assert explorer.vector.tolist() == shown.vector.tolist()
    explorer.close()


def until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_sample_from_here_shows_the_monitor_and_brings_the_result(explorer):
    explorer.fix("slope")
    run = explorer.sample(Scripted(), nwalkers=4, iterations=50, burn=5)
    assert run is explorer.run
    (monitor,) = explorer.widget.below
    assert explorer.widget.get_state("below")["below"] == [
        f"IPY_MODEL_{monitor.model_id}"
    ]
    run.wait()
    until(lambda: explorer.result is not None)
    assert explorer.result.model.names == ["intercept"]
    until(lambda: "posterior median" in buttons(explorer))


def test_snapshots_keep_curve_and_numbers(explorer):
    explorer.set(slope=1.0)
    then = explorer.numbers["ln likelihood"]
    before = explorer.widget.background
    click(explorer, "snapshot")
    assert explorer.widget.background["png"] != before["png"]
    explorer.set(slope=3.0)
    explorer.snapshot("steep")
    assert list(explorer.snapshots) == ["snapshot 1", "steep"]
    assert then in explorer.widget.chips[0]["text"]
    click(explorer, "restore", name="snapshot 1")
    assert explorer.instance.slope == 1.0
    (ghost, _) = explorer._board.drawing.ghosts
    assert ghost.model == pytest.approx(1.0 * explorer.analysis.x)
    click(explorer, "clear")
    assert explorer.snapshots == {} and explorer.widget.chips == []
    with pytest.raises(ValueError, match="no snapshot; got 'steep'"):
        explorer.restore("steep")


def test_bands_of_prior_and_posterior(explorer, result):
    assert "posterior band" not in buttons(explorer)
    before = explorer.widget.background["png"]
    click(explorer, "prior band")
    shaded = explorer.widget.background["png"]
    assert shaded != before
    assert buttons(explorer)["prior band"]["pressed"]
    explorer.result = result
    click(explorer, "posterior band")
    assert explorer.bands == ["prior", "posterior"]
    click(explorer, "posterior band")
    click(explorer, "prior band")
    assert explorer.bands == []
    assert explorer.widget.background["png"] == before
    with pytest.raises(ValueError, match="expected 'prior' or 'posterior'"):
        explorer.band("likelihood")


def test_with_a_result_it_jumps_to_its_points(analysis, model, result):
    explorer = anb.explore(analysis, model, result)
    assert explorer.instance.slope == pytest.approx(float(result.median().slope))
    click(explorer, "best")
    assert explorer.instance.slope == pytest.approx(
        float(result.max_log_likelihood().slope)
    )
    click(explorer, "draw", n=5)
    assert np.array_equal(explorer.vector, result.flat_draws[5])
    assert buttons(explorer)["draw"]["most"] == len(result.flat_draws) - 1
    click(explorer, "posterior median")
    assert explorer.vector == pytest.approx(np.median(result.flat_draws, axis=0))
    with pytest.raises(ValueError, match="expected a draw from 0 to 399; got 400"):
        explorer.draw(400)
    half: Any = 2.5
    with pytest.raises(ValueError, match=r"expected n as a whole number .* got 2.5"):
        explorer.draw(half)
    with pytest.raises(ValueError, match=r"expected n as a whole number .* got 0"):
        explorer.band("prior", n=0)
    median = anb.explore(explorer.analysis, explorer.model, start=result)
    assert median.vector == pytest.approx(np.median(result.flat_draws, axis=0))
    median.close()
    explorer.close()


def test_what_cannot_be_is_told(analysis, model, result, explorer):
    with pytest.raises(
        ValueError, match="parameters slope, intercept, x0; got one with slope"
    ):
        anb.explore(
            analysis,
            model.with_priors(x0=dist.Normal(0, 1)),
            result,
        )
    for call in (
        lambda: explorer.draw(0),
        lambda: explorer.reset("posterior median"),
        lambda: explorer.band("posterior"),
    ):
        with pytest.raises(
            ValueError, match="expected a result; got none; pass result"
        ):
            call()
    with pytest.raises(ValueError, match=r"got neither; call explorer.optimise"):
        explorer.reset("best")
    with pytest.raises(
        ValueError, match=r"expected one of prior median, .*; got 'home'"
    ):
        explorer.reset("home")
    assert buttons(explorer)["best"]["disabled"]


def test_a_button_that_fails_tells_why_in_the_view(explorer):
    explorer.fix("slope")
    explorer.widget._handle_custom_msg({"do": "fix", "name": "intercept"}, [])
    assert "expected one free parameter at least" in explorer.widget.alert
    explorer.set(intercept=0.5)
    assert explorer.widget.alert == ""


def test_the_code_is_at_hand_for_the_page(explorer):
    explorer.set(slope=1.25)
    assert explorer.code() == explorer.widget.code
    assert (
        explorer.code() == "instance = anb.Instance(slope=1.25, intercept=0.0, x0=3.0)"
    )


def test_panels_of_the_user_s_own_are_drawn_from_the_fit(analysis, model):
    drawn = []

    def histogram(fit, axes):
        drawn.append((threading.current_thread().name, float(fit.chi_squared)))
        axes.hist(fit.residuals)

    def failing(fit, axes):
        raise RuntimeError("told in the figure")

    explorer = anb.explore(analysis, model, panels=[histogram, failing])
    assert explorer.wait()
    first = explorer.widget.extra
    assert first.startswith(b"\x89PNG")
    explorer.set(slope=3.0)
    assert explorer.wait()
    assert explorer.widget.extra != first
    name, chi_squared = drawn[-1]
    assert name == "ampynb-widgets"
    assert f"{chi_squared:.1f}" in explorer.numbers["χ² / degrees of freedom"]
    assert explorer.widget.alert == ""
    explorer.close()
    with pytest.raises(TypeError, match="expected panels as functions"):
        wrong: Any = ["residuals"]
        anb.explore(analysis, model, panels=wrong)
