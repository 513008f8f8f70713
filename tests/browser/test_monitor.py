"""The live monitor, with the buttons that a person clicks while it samples."""

import base64
import time

import pytest

SET_UP = """
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

import ampynb as anb


class Line(anb.Analysis):
    def __init__(self, x, y, yerr):
        super().__init__()
        self.x, self.y, self.yerr = x, y, yerr

    def fit_from(self, instance):
        model = instance.slope * self.x + instance.intercept
        return anb.GaussianFit(data=self.y, noise=self.yerr, model=model)


x = np.linspace(0, 1, 50)
y = 2 * x + 1 + 0.1 * np.random.default_rng(0).normal(size=50)
model = anb.Model(slope=dist.Normal(0, 5), intercept=dist.Normal(0, 5))
engine = anb.InferenceEngine(Line(x, y, np.full(50, 0.1)), model, seed=3)
"""
ENDLESS = {
    "ensemble": "run = engine.start(nwalkers=16, iterations=10**8, burn=100)",
    "nuts": "run = engine.start(4, iterations=10**8, burn=100, sampler='nuts')",
}
FINITE = "result = engine.run(nwalkers=16, iterations=3000, burn=500)\nresult"
SECONDS_TO_ACT = 0.5


def state_of(page) -> str:
    return page.evaluate("run.status.state").strip("'")


def wait_for_state(page, state: str, timeout: float) -> float:
    """Return how long it took the run to reach a state [s]."""
    begun = time.monotonic()
    while state_of(page) != state:
        if time.monotonic() - begun > timeout:
            raise AssertionError(f"waited {timeout} s for {state}: {state_of(page)}")
        time.sleep(0.02)
    return time.monotonic() - begun


def click(page, name: str, state: str) -> float:
    """Return how long it took from a click to the run's answer [s]."""
    page.button(name).click()
    return wait_for_state(page, state, timeout=10)


@pytest.mark.parametrize("sampler", ENDLESS)
def test_pause_resume_and_stop_act_at_once_and_keep_every_draw(
    open_notebook, sampler, tmp_path
):
    page = open_notebook([SET_UP, (ENDLESS[sampler], "run")])
    page.run_all()
    wait_for_state(page, "sampling", timeout=60)
    for told in ("sampling", "steps/s", "best ln posterior", "least ESS"):
        page.outputs("run").get_by_text(told).first.wait_for()
    page.outputs("run").locator("img").wait_for()
    page.screenshot(tmp_path / f"{sampler}.png")

    # The best of a few: one that is late is the machine's doing, all are the run's.
    pauses, resumes = [], []
    for _ in range(3):
        pauses.append(click(page, "Pause", "paused"))
        held = page.evaluate("run.status.step")
        time.sleep(0.4)
        assert page.evaluate("run.status.step") == held
        resumes.append(click(page, "Resume", "sampling"))
    stopped_after = click(page, "Stop", "stopped")
    assert min(pauses) < SECONDS_TO_ACT
    assert min(resumes) < SECONDS_TO_ACT
    assert stopped_after < 2 * SECONDS_TO_ACT

    kept = "len(run.result.warmup) + len(run.result.draws), run.status.step"
    drawn, steps = page.evaluate(kept).strip("()").split(", ")
    assert drawn == steps
    page.check()


def test_cells_run_while_a_run_samples(open_notebook):
    page = open_notebook([SET_UP, ENDLESS["ensemble"], ("print(6 * 7)", "other")])
    page.run_all()
    assert page.text("other").strip() == "42"
    assert not page.evaluate("run.status.ended") == "True"
    page.execute("run.stop()")
    page.check()


def test_the_record_of_an_ended_run_is_static_and_has_its_picture(open_notebook):
    page = open_notebook([SET_UP, (FINITE, "run")])
    page.run_all()
    saved = page.save()
    monitor, result = saved["cells"][1]["outputs"]
    assert "application/vnd.jupyter.widget-view+json" not in monitor["data"]
    html = "".join(monitor["data"]["text/html"])
    assert "completed" in html and "3500 of 3500" in html
    picture = html.split("data:image/png;base64,")[1].split('"')[0]
    assert base64.b64decode(picture).startswith(b"\x89PNG")
    assert "slope" in "".join(result["data"]["text/html"])
    page.check()


def test_a_run_shown_again_is_live_again(open_notebook):
    page = open_notebook([SET_UP, ENDLESS["ensemble"], ("run", "again")])
    page.run_all()
    page.outputs("again").get_by_role("button", name="Stop").click()
    wait_for_state(page, "stopped", timeout=60)
    assert page.evaluate("run.result.reason") == "'stopped'"
    page.check()


def test_a_failing_likelihood_is_told_in_the_monitor(open_notebook):
    fail = (
        "from ampynb.algorithms.scripted import Scripted\n"
        "run = engine.start(4, 10**6, 10, sampler=Scripted(fails_at=500))"
    )
    page = open_notebook([SET_UP, (fail, "run")])
    page.run_all()
    wait_for_state(page, "failed", timeout=20)
    page.outputs("run").get_by_text("scripted failure at step 500").wait_for()
    assert page.evaluate("len(run.result.draws) > 0") == "True"
    page.check()
