"""The monitors of a race side by side, without a browser."""

import re
import time

import ipywidgets
import numpy as np
import pytest

import ampynb as anb
from ampynb.algorithms.scripted import Scripted
from ampynb.widgets.race_view import RaceView, bars_html
from tests.helpers import line_problem

ENDLESS = Scripted(nwalkers=4, burn=0, iterations=10**7, seconds_per_step=2e-4)
BRIEF = Scripted(nwalkers=4, burn=10, iterations=300)


def begin(**samplers: Scripted) -> anb.Race:
    problem = line_problem()
    given = {name: dict(sampler=sampler) for name, sampler in samplers.items()}
    return anb.race(problem.analysis, problem.model, given, seed=2, progress="none")


def until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def widths(html: str) -> list[int]:
    return [int(width) for width in re.findall(r"width:(\d+)%;", html)]


def test_bars_are_as_long_as_the_rates_and_the_fastest_is_marked():
    html = bars_html({"a <b>": 50.0, "b": 200.0, "c": float("nan")})
    assert widths(html) == [25, 100, 0]
    rows = html.split("<tr>")[1:]
    assert ["the fastest" in row for row in rows] == [False, True, False]
    assert "a &lt;b&gt;" in rows[0] and ">50<" in rows[0].replace("</td>", "<")
    assert "not known yet" in rows[2]
    assert "not known yet" in bars_html({"a": float("nan")}), "nobody is ahead"


def test_a_race_is_live_and_is_stopped_in_one_click():
    race = begin(first=ENDLESS, second=ENDLESS)
    view = RaceView(race)
    bundle = view.mimebundle()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    until(lambda: min(widths(view.bars.value)) > 0)
    for monitor in view.monitors.values():
        assert "sampling" in monitor.controls.widget.state["text"]
    view.monitors["first"].controls.press("pause")
    until(lambda: race.runs["first"].status.state == "paused")
    assert race.runs["second"].status.state == "sampling"
    view.controls._handle_custom_msg({"do": "stop", "id": "1"}, [])
    assert view.controls.state["text"] == "■ stopping"
    race.wait(20)
    view.settle()
    assert view.controls.buttons[0]["disabled"]
    shown = [float(told) for told in re.findall(r"<td>([\d.e+]+)", view.bars.value)]
    np.testing.assert_allclose(shown, race.table["ess_per_second"], rtol=0.01)
    view.close()


def test_the_record_has_bars_table_and_each_run():
    race = begin(first=BRIEF, second=BRIEF)
    race.wait(20)
    bundle = RaceView(race).mimebundle()
    assert list(bundle) == ["text/html"]
    record = bundle["text/html"]
    assert max(widths(record)) == 100 and "ess_per_second" in record
    assert record.count("310 of 310") == 2
    assert record.count("data:image/png;base64,") == 2
    for rate in race.table["ess_per_second"]:
        assert f"{rate:.3g}" in record


def test_one_that_fails_is_told_in_its_own_monitor():
    failing = Scripted(nwalkers=4, burn=0, iterations=300, fails_at=100)
    race = begin(good=BRIEF, bad=failing)
    race.wait(20)
    view = RaceView(race)
    good, bad = view.record().split("<section>")[1:]
    assert "scripted failure at step 100" in bad and "the run failed" not in good
    assert np.isfinite(race.table["ess"]["good"])
    view.close()


def test_a_closed_view_leaves_no_widget_and_no_thread():
    registry = ipywidgets.widgets.widget._instances
    before = set(registry)
    race = begin(first=ENDLESS, second=ENDLESS)
    view = RaceView(race)
    view.mimebundle()
    pumps = [view._pump, *(monitor._pump for monitor in view.monitors.values())]
    view.close()
    for pump in pumps:
        assert pump is not None
        pump.join(10)
        assert not pump.is_alive()
    assert set(registry) <= before
    assert not race.ended
    race.stop()
    race.wait(20)


@pytest.mark.parametrize("n", [2, 4])
def test_monitors_share_what_one_may_take(n):
    race = begin(**{f"run_{i}": BRIEF for i in range(n)})
    race.wait(20)
    view, alone = RaceView(race), RaceView(begin(one=BRIEF))
    shares = [monitor._drawing._share for monitor in view.monitors.values()]
    assert sum(shares) == pytest.approx(alone.monitors["one"]._drawing._share)
    alone.race.wait(20)
    view.close()
    alone.close()
