import base64
import time

import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.algorithms.scripted import Scripted
from ampynb.widgets.monitor import RunMonitor
from tests.helpers import line_problem


@pytest.fixture
def engine():
    problem = line_problem()
    return anb.InferenceEngine(problem.analysis, problem.model, seed=2)


def start(engine, iterations=10**6, **options):
    sampler = Scripted(**{"seconds_per_step": 1e-3, **options})
    run = engine.start(4, iterations, 10, sampler=sampler, progress="none")
    return run, RunMonitor(run)


def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@pytest.fixture
def endless(engine):
    run, monitor = start(engine)
    monitor.mimebundle()
    yield run, monitor
    run.stop()
    run.wait()
    monitor.settle()
    monitor.close()


def test_the_buttons_act_on_the_run(endless):
    run, monitor = endless
    until(lambda: run.status.state == "sampling")
    monitor.buttons["Pause"].click()
    until(lambda: run.status.state == "paused")
    until(lambda: monitor.buttons["Pause"].disabled)
    assert not monitor.buttons["Resume"].disabled
    monitor.buttons["Resume"].click()
    until(lambda: run.status.state == "sampling")
    monitor.buttons["Stop"].click()
    until(lambda: run.status.ended)
    assert run.status.state == "stopped"


def test_numbers_and_picture_come_while_it_samples(endless):
    _, monitor = endless
    until(lambda: "sampling" in monitor.numbers.value)
    until(lambda: bytes(monitor.picture.value).startswith(b"\x89PNG"))
    until(lambda: "best ln posterior" in monitor.numbers.value)
    until(lambda: "least ESS" in monitor.numbers.value)
    assert "time left" in monitor.numbers.value
    assert 0 <= monitor.bar.value < 1


def test_the_record_of_an_ended_run_is_static_html(engine):
    run, monitor = start(engine, iterations=500, seconds_per_step=0.0)
    result = run.wait()
    bundle = monitor.mimebundle()
    assert list(bundle) == ["text/html"]
    html = bundle["text/html"]
    assert "completed" in html and "510 of 510" in html
    best = max(result.stats["lp"].max(), result.warmup_stats["lp"].max())
    assert f"{best:.2f}" in html
    png = html.split("data:image/png;base64,")[1].split('"')[0]
    assert base64.b64decode(png).startswith(b"\x89PNG")
    monitor.close()


def test_a_failure_is_told_in_words(engine):
    run, monitor = start(engine, iterations=500, fails_at=100, seconds_per_step=0.0)
    until(lambda: run.status.ended)
    html = monitor.mimebundle()["text/html"]
    assert "failed" in html and "scripted failure at step 100" in html
    monitor.close()


def test_a_picture_that_fails_is_told_and_the_numbers_go_on(engine, monkeypatch):
    def fail(instance):
        raise RuntimeError("no such picture")

    monkeypatch.setattr(engine.analysis, "fit_for_visualization", fail)
    run, monitor = start(engine)
    monitor.mimebundle()
    until(lambda: "no picture: RuntimeError" in monitor.numbers.value)
    before = monitor.numbers.value
    until(lambda: monitor.numbers.value != before)
    run.stop()
    assert len(run.wait().draws) > 0
    monitor.close()


def test_many_parameters_and_walkers_are_drawn_in_part():
    problem = line_problem()
    many = {f"extra_{i}": dist.Normal(0, 1) for i in range(20)}
    priors = {"slope": dist.Normal(1, 2), "intercept": dist.Normal(0, 1)}
    engine = anb.InferenceEngine(problem.analysis, anb.Model(**priors, **many))
    run = engine.start(100, 200, 10, sampler=Scripted(), progress="none")
    run.wait()
    html = RunMonitor(run).mimebundle()["text/html"]
    assert "data:image/png;base64," in html


def test_a_nested_run_shows_its_evidence_and_no_diagnostics_of_chains():
    problem = line_problem(use_jax=False)
    engine = anb.InferenceEngine(problem.analysis, problem.model, seed=1)
    run = engine.start(40, sampler="nested", progress="none")
    monitor = RunMonitor(run)
    monitor.mimebundle()
    until(lambda: "log evidence" in monitor.numbers.value, seconds=60)
    result = run.wait()
    html = monitor.mimebundle()["text/html"]
    assert "remaining evidence" in html and "evaluations" in html
    assert "R-hat" not in html and "least ESS" not in html
    best = result.outcome.weighted["log_likelihood"].max()
    found = run.history.best("log_likelihood")
    assert found is not None and found.value == best, "the best is alive"
    assert "data:image/png;base64," in html
    monitor.close()


def test_a_run_without_a_notebook_is_shown_as_text(engine):
    run, monitor = start(engine, iterations=100, seconds_per_step=0.0)
    run.wait()
    bundle = run._repr_mimebundle_()
    assert bundle["text/plain"] == "Run completed: step 110 of 110" or (
        bundle["text/plain"].startswith("Run completed: step 110 of 110, ")
    )
    assert "text/html" in bundle
    monitor.close()
