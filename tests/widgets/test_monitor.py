import base64
import html
import itertools
import threading
import time
from types import SimpleNamespace

import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.algorithms.scripted import Scripted
from ampynb.widgets import control_channel
from ampynb.widgets.monitor import RunMonitor
from ampynb.widgets.run_details import details_html
from tests.helpers import line_problem

COUNT = itertools.count()


@pytest.fixture
def engine():
    problem = line_problem()
    return anb.InferenceEngine(problem.analysis, problem.model, seed=2)


def start(engine, iterations=10**6, **options):
    sampler = Scripted(**{"seconds_per_step": 1e-3, **options})
    run = engine.start(4, iterations, 10, sampler=sampler, progress="none")
    return run, RunMonitor(run, share=0.1)


def until(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def ask(monitor, **content):
    """Send what the page sends."""
    asked = {"id": f"{next(COUNT)}", **content}
    monitor.controls.widget._handle_custom_msg(asked, [])


def shown_state(monitor):
    return " ".join(map(str, monitor.controls.widget.state.values()))


def enabled(monitor):
    buttons = monitor.controls.widget.buttons
    return {button["do"] for button in buttons if not button["disabled"]}


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
    assert enabled(monitor) == {"pause", "stop"}
    ask(monitor, do="pause")
    until(lambda: run.status.state == "paused")
    until(lambda: enabled(monitor) == {"resume", "stop"})
    ask(monitor, do="resume")
    until(lambda: run.status.state == "sampling")
    until(lambda: enabled(monitor) == {"pause", "stop"})
    ask(monitor, do="stop")
    until(lambda: run.status.ended)
    assert run.status.state == "stopped"
    until(lambda: enabled(monitor) == set())


def test_a_button_that_is_not_there_is_told_of(endless):
    _, monitor = endless
    with pytest.raises(ValueError, match="pause, resume, stop; got 'explode'"):
        monitor.controls.press("explode")


def test_all_that_the_page_asks_for_is_answered_and_done_once(endless, monkeypatch):
    run, monitor = endless
    heard = []
    monkeypatch.setattr(monitor.controls.widget, "send", heard.append)
    ask(monitor, id="first", do="set", rule="seconds", number="600")
    ask(monitor, id="second", do="set", rule="", number="")
    ask(monitor, id="first", do="set", rule="seconds", number="600")
    assert run.until is None
    assert heard == [{"heard": "first"}, {"heard": "second"}, {"heard": "first"}]


def test_the_answer_comes_after_what_it_did_is_shown(endless, monkeypatch):
    run, monitor = endless
    until(lambda: run.status.state == "sampling")
    shown = []
    monkeypatch.setattr(
        monitor.controls.widget, "send", lambda _: shown.append(shown_state(monitor))
    )
    ask(monitor, do="pause")
    assert "paus" in shown[0]


def test_a_message_of_the_control_channel_is_heard_in_its_thread(endless, monkeypatch):
    run, monitor = endless
    handlers = {}
    kernel = SimpleNamespace(control_handlers=handlers)
    monkeypatch.setattr(control_channel, "in_notebook", lambda: True)
    monkeypatch.setattr(
        "IPython.core.getipython.get_ipython", lambda: SimpleNamespace(kernel=kernel)
    )
    address = control_channel.address_of(monitor.controls.widget)
    data = {"id": "pressed", "do": "stop"}
    for place in ("elsewhere", address):
        assert not run.is_stopping
        message = {"content": {"comm_id": place, "data": data}}
        handlers["comm_msg"](None, None, message)
    assert run.is_stopping


def test_where_there_is_no_control_channel_there_is_no_address(endless, monkeypatch):
    _, monitor = endless
    assert monitor.controls.widget.address == "", "there is no kernel"
    taken = SimpleNamespace(control_handlers={"comm_msg": print})
    monkeypatch.setattr(control_channel, "in_notebook", lambda: True)
    for kernel in (SimpleNamespace(), taken):
        shell = SimpleNamespace(kernel=kernel)
        monkeypatch.setattr(
            "IPython.core.getipython.get_ipython", lambda shell=shell: shell
        )
        assert control_channel.address_of(monitor.controls.widget) == ""


@pytest.mark.parametrize(
    ("do", "told"),
    [
        ("", "compiling"),
        ("pause", "pausing: compiling"),
        ("stop", "stopping: compiling"),
    ],
)
def test_the_clock_runs_while_it_compiles(engine, monkeypatch, do, told):
    may_compile = threading.Event()
    init = Scripted.init
    monkeypatch.setattr(
        Scripted, "init", lambda *given: may_compile.wait(60) and init(*given)
    )
    run, monitor = start(engine, iterations=10)
    try:
        monitor.mimebundle()
        if do:
            ask(monitor, do=do)
        until(lambda: told in shown_state(monitor))
        until(lambda: monitor.controls.widget.state["seconds"] >= 1)
    finally:
        may_compile.set()
        run.resume()
    run.wait()
    monitor.settle()
    assert "seconds" not in monitor.controls.widget.state
    monitor.close()


def test_numbers_and_picture_come_while_it_samples(endless):
    _, monitor = endless
    until(lambda: "sampling" in shown_state(monitor))
    until(lambda: bytes(monitor.picture.value).startswith(b"\x89PNG"))
    until(lambda: "best ln posterior" in monitor.numbers.value)
    until(lambda: "least ESS" in monitor.numbers.value)
    assert "ESS per second" in monitor.numbers.value
    assert "time left" in monitor.numbers.value
    assert 0 <= monitor.bar.value < 1


def test_the_record_of_an_ended_run_is_static_html(engine):
    run, monitor = start(engine, iterations=500, seconds_per_step=0.0)
    result = run.wait()
    bundle = monitor.mimebundle()
    assert list(bundle) == ["text/html"]
    record = bundle["text/html"]
    assert "completed" in record and "510 of 510" in record
    best = max(result.stats["lp"].max(), result.warmup_stats["lp"].max())
    assert f"{best:.2f}" in record
    png = record.split("data:image/png;base64,")[1].split('"')[0]
    assert base64.b64decode(png).startswith(b"\x89PNG")
    monitor.close()


def test_a_failure_is_told_in_words(engine):
    run, monitor = start(engine, iterations=500, fails_at=100, seconds_per_step=0.0)
    until(lambda: run.status.ended)
    record = monitor.mimebundle()["text/html"]
    assert "failed" in record and "scripted failure at step 100" in record
    monitor.close()


def test_a_picture_that_fails_is_told_and_the_numbers_go_on(engine, monkeypatch):
    def fail(instance):
        raise RuntimeError("no such picture")

    monkeypatch.setattr(engine.analysis, "fit_for_visualization", fail)
    run, monitor = start(engine)
    monitor.mimebundle()
    until(lambda: "no picture: RuntimeError" in monitor.alert.value)
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
    record = RunMonitor(run).mimebundle()["text/html"]
    assert "data:image/png;base64," in record


def test_a_nested_run_shows_its_evidence_and_no_diagnostics_of_chains():
    problem = line_problem(use_jax=False)
    engine = anb.InferenceEngine(problem.analysis, problem.model, seed=1)
    run = engine.start(40, sampler="nested", progress="none")
    monitor = RunMonitor(run)
    monitor.mimebundle()
    until(lambda: "log evidence" in monitor.numbers.value, seconds=60)
    result = run.wait()
    record = monitor.mimebundle()["text/html"]
    assert "remaining evidence" in record and "evaluations" in record
    assert "R-hat" not in record and "least ESS" not in record
    best = result.outcome.weighted["log_likelihood"].max()
    found = run.history.best("log_likelihood")
    assert found is not None and found.value == best, "the best is alive"
    assert "data:image/png;base64," in record
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


def test_details_are_made_while_they_are_looked_at(endless):
    run, monitor = endless
    until(lambda: run.status.state == "sampling")
    until(lambda: bytes(monitor.picture.value))
    assert monitor.details.value == ""
    press = monitor.details_button._handle_custom_msg
    press({"do": "details", "id": "open"}, [])
    until(lambda: "worst R-hat without it" in monitor.details.value)
    assert monitor.details_button.buttons[0]["pressed"]
    before = monitor.details.value
    until(lambda: monitor.details.value != before)
    press({"do": "details", "id": "close"}, [])
    until(lambda: monitor.details.value == "")
    assert not monitor.details_button.buttons[0]["pressed"]


def test_a_rule_that_is_set_in_the_monitor_ends_the_run(endless):
    run, monitor = endless
    assert monitor.controls.widget.rules["ESS at least"] == "400"
    ask(monitor, do="set", rule="ESS at least", number="800")
    assert str(run.until) == "ess(800)"
    until(lambda: run.status.ended)
    monitor.settle()
    assert "ended by ess(800)" in shown_state(monitor)
    assert monitor.controls.widget.ending, "no rule can be set any more"


def test_a_rule_is_taken_back_in_the_monitor(endless):
    run, monitor = endless
    ask(monitor, do="set", rule="seconds", number="600")
    assert str(run.until) == "seconds(600)"
    until(lambda: "ends by" in monitor.numbers.value)
    ask(monitor, do="set", rule="", number="")
    assert run.until is None
    until(lambda: "ends by" not in monitor.numbers.value)


@pytest.mark.parametrize(
    ("rule", "number", "told"),
    [
        ("ESS at least", "many", "expected a number for 'ESS at least'; got 'many'"),
        ("ESS at least", "", "expected a number for 'ESS at least'; got ''"),
        ("R-hat at most", "0.9", "expected rhat above 1; got 0.9"),
        ("seconds", "-1", "expected seconds above 0; got -1.0"),
    ],
)
def test_a_wrong_number_is_told_in_words_and_changes_nothing(
    endless, rule, number, told
):
    run, monitor = endless
    ask(monitor, do="set", rule=rule, number=number)
    until(lambda: told in html.unescape(monitor.alert.value))
    assert run.until is None and 'role="alert"' in monitor.alert.value
    ask(monitor, do="set", rule="", number="")
    until(lambda: monitor.alert.value == "")


def test_only_rules_that_can_judge_the_sampler_are_offered(engine):
    class Ensemble(Scripted):
        independent_chains = False  # type: ignore

    class Chainless(Scripted):
        draws_chains = False  # type: ignore

    def offered(kind, **options):
        run = engine.start(4, 20, sampler=kind(**options), progress="none")
        run.wait()
        monitor = RunMonitor(run)
        rules = monitor.controls.widget.rules
        monitor.close()
        return list(rules)

    assert "R-hat at most" in offered(Scripted)
    assert offered(Ensemble) == ["ESS at least", "autocorrelation times", "seconds"]
    assert offered(Chainless) == ["seconds"]


def test_a_screen_reader_is_told_now_and_then_and_not_at_every_change(endless):
    run, monitor = endless
    until(lambda: run.status.state == "sampling")
    spoken = monitor.spoken.value
    assert 'role="status"' in spoken
    before = monitor.numbers.value
    until(lambda: monitor.numbers.value != before)
    assert monitor.spoken.value == spoken
    run.stop()
    run.wait()
    monitor.settle()
    assert "stopped, step" in monitor.spoken.value


def test_the_record_says_what_the_monitor_said_with_the_details(engine):
    run, monitor = start(engine, iterations=500, seconds_per_step=0.0)
    run.wait()
    record = monitor.mimebundle()["text/html"]
    assert monitor.numbers.value in record
    assert monitor.controls.widget.state["text"] in record
    assert "<details>" in record and details_html(run) in record
    assert "<script" not in record
    monitor.close()


def test_a_monitor_is_few_widgets_and_leaves_none(engine):
    import ipywidgets

    registry = ipywidgets.widgets.widget._instances
    before = set(registry)
    run, monitor = start(engine, iterations=20, seconds_per_step=0.0)
    assert len(set(registry) - before) <= 40
    monitor.close()
    run.wait()
    assert set(registry) <= before


def test_the_pump_ends_when_the_monitor_is_closed(engine):
    run, monitor = start(engine)
    monitor.mimebundle()
    pump = monitor._pump
    assert pump is not None and pump.is_alive()
    monitor.close()
    pump.join(10)
    assert not pump.is_alive() and not run.status.ended
    run.stop()
    run.wait()


@pytest.mark.parametrize("fails_at", [0, 100])
def test_a_failure_says_what_is_kept(engine, fails_at):
    run, monitor = start(engine, fails_at=fails_at, seconds_per_step=0.0)
    until(lambda: run.status.ended)
    record = html.unescape(monitor.mimebundle()["text/html"])
    told = f"the run failed: FloatingPointError: scripted failure at step {fails_at}"
    assert told in record
    assert ("; the draws before it are kept" in record) == (run.status.step > 0)
    assert monitor.bar.bar_style == "danger"
    monitor.close()
