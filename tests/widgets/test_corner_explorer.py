"""The corner explorer without a page: every message, every method, and its end."""

import gc
import io
import weakref
from typing import ClassVar

import matplotlib
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from PIL import Image

import ampynb as anb
from tests.helpers import Line, NumpyLine
from tests.results.builders import LINE, normal_draws, result_of, weighted_result

CENTRE = np.array([1.5, -0.5])
DRAWS = CENTRE + 0.3 * normal_draws(250)
RESULT = result_of(DRAWS)
WEIGHTED = weighted_result(500)
FLAT = DRAWS.reshape(-1, 2)


@pytest.fixture(scope="module")
def shared():
    explorer = RESULT.corner(interactive=True)
    yield explorer
    explorer.close()


@pytest.fixture
def explorer(shared):
    """One explorer for all tests, as it was at the beginning."""
    if shared.parameters != RESULT.model.names:
        shared.show(*RESULT.model.names)
    shared.clear()
    shared.choose_best()
    return shared


@pytest.fixture(scope="module")
def several():
    explorer = anb.corner({"first": RESULT, "second": WEIGHTED}, interactive=True)
    yield explorer
    explorer.close()


def tell(explorer, do, **more):
    """Do as the page does, and wait for what follows."""
    explorer.widget._handle_custom_msg({"do": do, **more}, [])
    assert explorer.wait()
    assert explorer.widget.alert == ""


def curve(explorer):
    return np.frombuffer(explorer.widget.frame["y"], "<f4")


def expected_curve(explorer, vector, key=""):
    """Return where the fit of a draw is drawn, through `fit_for_visualization`."""
    fit = LINE.analysis.fit_for_visualization(LINE.model.instance_from_vector(vector))
    scene = explorer._board.drawings[key].scene
    return scene.frames(fit, batched=False).y.ravel()


def test_it_begins_at_the_best_sample(explorer):
    assert explorer.vector == pytest.approx(RESULT.best.position)
    assert explorer.parameters == ["slope", "intercept"]
    assert "step" in explorer.widget.frame["title"]


@pytest.mark.parametrize("n", [0, 123, 999])
def test_a_click_draws_the_fit_of_that_very_draw(explorer, n):
    tell(explorer, "choose", of=0, n=n)
    assert explorer.chosen == ("", n)
    assert explorer.vector.tolist() == FLAT[n].tolist()
    assert explorer.instance.slope == FLAT[n, 0]
    assert np.array_equal(curve(explorer), expected_curve(explorer, FLAT[n]))
    fit = LINE.analysis.fit_for_visualization(explorer.instance)
    assert explorer.numbers["ln likelihood"] == f"{float(fit.log_likelihood):.2f}"
    assert explorer.numbers["slope"] == f"{FLAT[n, 0]:.5g}"
    frame = explorer.widget.frame
    assert frame["values"] == frame["chosen"] == [*FLAT[n], n // 4 + 1]


def test_the_pointer_shows_a_sample_and_leaves_the_chosen_one(explorer):
    explorer.choose(10)
    tell(explorer, "hover", of=0, n=20)
    frame = explorer.widget.frame
    assert np.array_equal(curve(explorer), expected_curve(explorer, FLAT[20]))
    assert frame["chosen"][:2] == FLAT[10].tolist()
    assert explorer.chosen == ("", 10)
    tell(explorer, "leave")
    assert np.array_equal(curve(explorer), expected_curve(explorer, FLAT[10]))


def test_the_page_gets_an_answer_also_where_nothing_changes(explorer):
    explorer.choose(10)
    before = explorer.widget.frame
    tell(explorer, "hover", of=0, n=10)
    assert explorer.widget.frame != before


@pytest.mark.parametrize(
    ("steps", "walkers", "found"),
    [
        (1, 0, 14),
        (-1, 0, 6),
        (0, 1, 11),
        (0, -1, 9),
        (0, 2, 8),
        (-9, 0, 2),
        (999, 0, 998),
    ],
)
def test_arrow_keys_go_along_a_walker_and_across(explorer, steps, walkers, found):
    explorer.choose(10)
    tell(explorer, "step", steps=steps, walkers=walkers)
    assert explorer.chosen == ("", found)


def test_a_page_that_says_it_waits_changes_nothing(explorer):
    explorer.choose(10)
    before = explorer.widget.frame
    tell(explorer, "wait")
    assert explorer.widget.frame is before
    assert explorer.chosen == ("", 10)


def test_every_press_of_a_key_counts_also_while_it_draws(explorer):
    explorer.choose(10)
    with explorer._board.lock:  # as if a picture took long
        for _ in range(20):
            explorer.widget._handle_custom_msg(
                {"do": "step", "steps": 1, "walkers": 0}, []
            )
    assert explorer.wait()
    assert explorer.chosen == ("", 90)


def test_a_rectangle_counts_what_is_inside_and_draws_fifty_fits(explorer):
    low, high = CENTRE - 0.3, CENTRE + 0.3
    ranges = [[0, low[0], high[0]], [1, low[1], high[1]]]
    tell(explorer, "region", ranges=ranges)
    inside = np.flatnonzero(np.all((FLAT >= low) & (FLAT <= high), axis=1))
    region = explorer.region
    assert np.array_equal(region.inside[""], inside)
    assert region.shares[""] == pytest.approx(len(inside) / len(FLAT))
    assert repr(region).startswith(f"{len(inside)} of 1000 draws inside")
    assert explorer.widget.region == {"text": repr(region), "ranges": ranges}
    fits = explorer.widget.fits
    drawn = region.fits[""]
    assert fits["n"] == len(drawn) == 50
    assert set(drawn) <= set(inside)
    curves = np.frombuffer(fits["y"], "<f4").reshape(len(drawn), -1)
    for n in (0, len(drawn) - 1):
        expected = expected_curve(explorer, FLAT[drawn[n]])
        # the residuals' axis may differ; the model's is first
        assert curves[n, :20] == pytest.approx(expected[:20], abs=1e-3)
    tell(explorer, "clear")
    assert explorer.region is None and explorer.widget.fits == {}
    assert explorer.widget.region == {}


def test_a_rectangle_chooses_one_inside_and_the_keys_stay_there(explorer):
    explorer.choose(int(np.argmax(FLAT[:, 0])))
    region = explorer.select({"slope": (1.4, 1.6)})
    drawn = region.fits[""]
    assert explorer.chosen == ("", drawn[0])
    explorer.step()
    assert explorer.chosen == ("", drawn[1])
    explorer.step(-2)
    assert explorer.chosen == ("", drawn[-1])


def test_a_rectangle_in_the_trace_selects_steps(explorer):
    tell(explorer, "region", ranges=[[2, 4.5, 6.5], [0, -9.0, 9.0]])
    assert explorer.region.inside[""].tolist() == list(range(16, 24))
    assert explorer.region.steps == (4.5, 6.5)


def test_an_empty_rectangle_is_said_to_be_empty(explorer):
    before = explorer.chosen
    assert (
        repr(explorer.select({"slope": (90.0, 91.0)})) == "0 of 1000 draws inside, 0 %"
    )
    assert explorer.chosen == before
    assert explorer.widget.fits == {}
    explorer.step()
    assert explorer.chosen != before


def test_parameters_are_chosen_and_one_stays(explorer):
    tell(explorer, "parameter", name="slope")
    assert explorer.parameters == ["intercept"]
    shown = [(one["name"], one["shown"]) for one in explorer.widget.parameters]
    assert shown == [("slope", False), ("intercept", True)]
    assert {(p["x"], p["y"]) for p in explorer.widget.corner["panels"]} == {(0, None)}
    assert explorer.widget.samples["columns"] == 2
    tell(explorer, "parameter", name="intercept")
    assert explorer.parameters == ["intercept"]
    tell(explorer, "parameter", name="slope")
    assert explorer.parameters == ["slope", "intercept"]
    explorer.show("intercept", "slope")
    assert explorer.parameters == ["intercept", "slope"]


def test_buttons_go_to_the_best_and_to_a_random_sample(explorer):
    explorer.choose(3)
    buttons = {one["do"]: one["disabled"] for one in explorer.widget.buttons}
    assert buttons == {"best": False, "random": False, "clear": True, "save": False}
    tell(explorer, "random")
    assert explorer.chosen[1] != 3
    tell(explorer, "best")
    assert explorer.vector == pytest.approx(RESULT.best.position)
    explorer.select({"slope": (1.0, 2.0)})
    assert not explorer.widget.buttons[2]["disabled"]


def test_the_static_plot_is_saved_and_sent_to_the_page(explorer, monkeypatch, tmp_path):
    sent = []
    monkeypatch.setattr(type(explorer.widget), "send", lambda *told: sent.append(told))
    tell(explorer, "save")
    ((_, content, (png,)),) = sent
    assert content == {"kind": "file", "name": "corner.png"}
    assert png.startswith(b"\x89PNG")
    path = explorer.save(tmp_path / "plot.pdf")
    assert path.read_bytes().startswith(b"%PDF")
    assert len(explorer.figure(truths=[1.5, -0.5]).axes) == 4


def test_samples_that_the_page_gets_are_those_of_the_results(several):
    sent = several.widget.samples
    owners = np.frombuffer(sent["owners"], "<i4")
    indices = np.frombuffer(sent["indices"], "<i4")
    values = np.frombuffer(sent["values"], "<f4").reshape(
        sent["count"], sent["columns"]
    )
    assert sent["names"] == ["first", "second"] and len(set(sent["colours"])) == 2
    assert set(owners) == {0, 1}
    for owner, result in enumerate((RESULT, WEIGHTED)):
        mine = owners == owner
        vectors = result.points.values[indices[mine]]
        assert values[mine, :2] == pytest.approx(vectors, rel=1e-5)


def test_several_results_each_show_their_own_fits(several):
    tell(several, "choose", of=1, n=7)
    assert several.chosen == ("second", 7)
    vector = WEIGHTED.points.values[7]
    expected = expected_curve(several, vector, "second")
    assert np.array_equal(curve(several), expected)
    assert several.widget.scene["name"].endswith(":second")
    assert several.widget.frame["title"].startswith("second: sample 8 of 2000, weight")
    region = several.select({"slope": (-1.0, 1.0)})
    assert region.shares["second"] == pytest.approx(0.6827, abs=0.05)
    assert "of 2000 weighted samples inside" in repr(region)
    several.choose(int(region.fits["first"][0]), "first")
    assert several.widget.scene["name"].endswith(":first")
    assert several.widget.fits["scene"] == several.widget.scene["name"]


def test_another_size_and_theme_of_the_page(explorer):
    page = {"corner": 330, "fit": 340, "ratio": 2.0, "dark": True}
    tell(explorer, "page", **page)
    widget = explorer.widget
    assert widget.corner["width"] == 330 and widget.trace["width"] == 340
    assert widget.scene["width"] == 340
    assert Image.open(io.BytesIO(widget.corner["png"])).size == (660, 660)
    dark = np.asarray(
        Image.open(io.BytesIO(explorer._board.pictures("", 0)["the corner plot"]))
    )
    assert np.median(dark) < 40


BAD = {
    "a sample": (lambda e: e.choose(1000), "expected a sample from 0 to 999; got 1000"),
    "a result": (lambda e: e.choose(0, "frist"), "frist"),
    "a range": (lambda e: e.select({"slop": (0, 1)}), "did you mean 'slope'"),
    "no range": (lambda e: e.select(), "expected a range of a parameter, or of steps"),
    "a parameter": (lambda e: e.show("slop"), "expected parameters that all results"),
    "a message": (lambda e: e._press({"do": "fly"}), "expected one of .*; got 'fly'"),
}


@pytest.mark.parametrize(("call", "message"), BAD.values(), ids=BAD)
def test_what_is_not_there_is_told(explorer, call, message):
    with pytest.raises(ValueError, match=message):
        call(explorer)


def test_options_belong_to_the_figure():
    with pytest.raises(ValueError, match=r"expected no options .*; got truths"):
        RESULT.corner(interactive=True, truths=[0, 0])


def test_an_error_of_the_forward_model_is_shown_and_mended():
    class Breaking(Line):
        broken = False

        def fit_for_visualization(self, instance):
            if self.broken:
                raise RuntimeError("no ephemeris")
            return super().fit_for_visualization(instance)

    analysis = Breaking(LINE.analysis.x, LINE.analysis.y, LINE.analysis.yerr)
    explorer = result_of(DRAWS, anb.Posterior(analysis, LINE.model)).corner(
        interactive=True
    )
    Breaking.broken = True
    explorer.choose(1)
    assert explorer.widget.alert == "RuntimeError: no ephemeris"
    Breaking.broken = False
    explorer.choose(2)
    assert explorer.widget.alert == ""
    explorer.close()


def test_an_analysis_without_a_fit_shows_numbers_alone():
    analysis = NumpyLine(LINE.analysis.x, LINE.analysis.y, LINE.analysis.yerr)
    explorer = result_of(DRAWS, LINE.posterior)
    explorer._posterior = anb.Posterior(analysis, LINE.model)
    explorer = explorer.corner(interactive=True)
    explorer.choose(5)
    assert explorer.widget.scene == {} and "ln likelihood" in explorer.numbers
    explorer.select({"slope": (1.0, 2.0)})
    assert explorer.widget.fits == {} and explorer.widget.alert == ""
    explorer.close()


def test_a_result_without_its_analysis_shows_samples_and_values():
    bare = result_of(DRAWS)
    bare._posterior = None
    explorer = bare.corner(interactive=True)
    explorer.choose(5)
    assert list(explorer.numbers) == ["slope", "intercept"]
    assert list(explorer._board.pictures("", 5)) == ["the corner plot"]
    explorer.close()


def test_latent_variables_are_shown_of_every_sample():
    class WithLatent(Line):
        LATENT_KEYS: ClassVar = {"double": anb.Latent(unit="mJy")}

        def compute_latent_variables(self, parameters, model):
            instance = model.instance_from_vector(parameters)
            return {"double": 2 * instance.slope}

    analysis = WithLatent(LINE.analysis.x, LINE.analysis.y, LINE.analysis.yerr)
    explorer = weighted_result(50, anb.Posterior(analysis, LINE.model)).corner(
        ["double", "slope"], interactive=True
    )
    explorer.choose(11)
    double, slope = explorer.widget.frame["values"][:2]
    assert double == pytest.approx(2 * slope)
    assert explorer.numbers["double"].endswith(" mJy")
    explorer.close()


def test_it_shows_itself_as_a_widget_as_html_and_as_text(explorer):
    explorer.choose(30)
    bundle = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    text = bundle["text/plain"]
    assert text.startswith("CornerExplorer(step 8, walker 3 of 4: slope=")
    assert bundle["text/html"].count("data:image/png;base64,") == 2
    assert 'alt="the fit of the marked sample"' in bundle["text/html"]


def test_closing_leaves_no_widget_and_no_figure_behind():
    before = set(_instances)
    settings = dict(matplotlib.rcParams)
    explorer = RESULT.corner(interactive=True)
    explorer.select({"slope": (1.0, 2.0)})
    kept = [weakref.ref(explorer._board.corner), weakref.ref(explorer._board.trace)]
    kept.append(weakref.ref(explorer._board.drawings[""].scene))
    explorer.close()
    explorer.close()
    assert set(_instances) <= before
    explorer.choose(4)
    explorer.show("slope")
    assert explorer._repr_mimebundle_() == {"text/plain": repr(explorer)}
    gc.collect()
    assert [one() for one in kept] == [None] * 3
    assert dict(matplotlib.rcParams) == settings


def test_one_that_nobody_holds_is_closed():
    before = set(_instances)
    explorer = RESULT.corner(interactive=True)
    explorer.choose(2)
    del explorer
    gc.collect()
    assert set(_instances) <= before


def test_an_image_has_no_curves_of_a_region_and_its_samples_can_be_stepped_through():
    class Blob(anb.Analysis):
        def __init__(self, image):
            super().__init__()
            self.image, self.noise = image, np.ones(image.shape)

        def fit_from(self, instance):
            model = instance.slope + 0 * self.image + instance.intercept
            return anb.GaussianFit(self.image, self.noise, model)

    posterior = anb.Posterior(Blob(np.arange(12.0).reshape(3, 4)), LINE.model)
    explorer = result_of(DRAWS[:20], posterior).corner(interactive=True)
    region = explorer.select({"slope": (1.0, 2.0)})
    assert explorer.widget.fits == {} and explorer.widget.alert == ""
    before = explorer.widget.frame["pixels"]
    explorer.step()
    assert explorer.chosen[1] in region.inside[""]
    assert len(before) == 2 * 12 == len(explorer.widget.frame["pixels"])
    explorer.close()
