"""Several samplers on one problem: whose turn it is, and who is ahead."""

import dataclasses
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import ampynb as anb
from ampynb.algorithms.scripted import Scripted
from ampynb.inference.race import Race
from tests.helpers import line_problem
from tests.inference.autoregressive import AutoRegressive
from tests.inference.broken_runs import until

PROBLEM = line_problem()
SLOW = Scripted(nwalkers=3, burn=0, iterations=10**7, seconds_per_step=0.002)
FAST = dataclasses.replace(SLOW, seconds_per_step=0.0002)
BRIEF = Scripted(nwalkers=3, burn=10, iterations=100)


@pytest.fixture
def race() -> Iterator[Callable[..., Race]]:
    """Begin races, and end those that a test leaves behind."""
    begun: list[Race] = []

    def begin(samplers: Any, **options: Any) -> Race:
        given = {
            name: dict(sampler=one) if isinstance(one, Scripted) else one
            for name, one in samplers.items()
        }
        options = {"progress": "none", "seed": 4, **options}
        begun.append(anb.race(PROBLEM.analysis, PROBLEM.model, given, **options))
        return begun[-1]

    yield begin
    for one in begun:
        one.stop()
        one.wait(20)


def seconds_of(race: Race) -> np.ndarray:
    return np.array([run.status.seconds for run in race.runs.values()])


def test_all_are_equally_far_in_time_however_fast_they_are(race):
    begun = race({"slow": SLOW, "fast": FAST})
    until(lambda: seconds_of(begun).min() > 0.5)  # the first loads what both need
    for _ in range(5):
        time.sleep(0.2)
        slow, fast = seconds_of(begun)
        assert abs(slow - fast) < 0.4, "more than a chunk or two apart"
    steps = [run.status.step for run in begun.runs.values()]
    assert 4 < steps[1] / steps[0] < 25, "the speeds are as 10 to 1"


@dataclass(frozen=True, kw_only=True)
class Watched(Scripted):
    """A fake that notes whether another one computes at the same time."""

    def advance(self, posterior: Any, state: Any, n: int) -> Any:
        assert COMPUTING.acquire(blocking=False), "two compute at once"
        try:
            return super().advance(posterior, state, n)
        finally:
            COMPUTING.release()


COMPUTING = threading.Lock()


def test_only_one_computes_at_a_time(race):
    watched = Watched(nwalkers=3, burn=0, iterations=300, seconds_per_step=1e-3)
    results = race({name: watched for name in "abc"}).wait(30)
    assert [result.reason for result in results.values()] == ["completed"] * 3


def test_each_draws_what_it_draws_alone(race):
    samplers = {
        "chains": dict(sampler=BRIEF),
        "ensemble": dict(nwalkers=8, iterations=50, burn=10),
    }
    results = race(samplers, seed=7).wait(60)
    engine = anb.InferenceEngine(PROBLEM.analysis, PROBLEM.model, seed=7)
    for name, options in samplers.items():
        alone = engine.run(**{"sampler": name, "progress": "none", **options})
        np.testing.assert_array_equal(results[name].draws, alone.draws)


def test_a_paused_run_does_not_hold_the_others(race):
    begun = race({"a": SLOW, "b": FAST})
    first, second = begun.runs.values()
    first.pause()
    until(lambda: first.status.state == "paused")
    before, step = second.status.seconds, first.status.step
    until(lambda: second.status.seconds > before + 0.5)
    assert first.status.step == step
    first.resume()
    until(lambda: abs(first.status.seconds - second.status.seconds) < 0.4)
    begun.pause()
    until(lambda: all(run.status.state == "paused" for run in begun.runs.values()))
    begun.resume()
    until(lambda: all(run.status.state == "sampling" for run in begun.runs.values()))


def test_one_is_stopped_and_then_all(race):
    begun = race({"a": SLOW, "b": FAST})
    until(lambda: all(run.status.step > 50 for run in begun.runs.values()))
    begun.runs["a"].stop()
    until(lambda: begun.runs["a"].status.ended)
    assert not begun.ended and not begun.runs["b"].status.ended
    with pytest.raises(RuntimeError, match="expected a run that has ended; it is"):
        _ = begun.results
    begun.stop()
    results = begun.wait(10)
    assert begun.ended
    for name, run in begun.runs.items():
        assert results[name].reason == "stopped"
        assert len(results[name].draws) == run.status.step


def test_one_that_fails_does_not_end_the_others(race):
    failing = dataclasses.replace(BRIEF, fails_at=50)
    begun = race({"failing": failing, "other": BRIEF})
    results = begun.wait(20)
    assert results["other"].reason == "completed"
    assert results["failing"].reason == "failed"
    assert "scripted failure at step 50" in results["failing"].message
    assert list(begun.table["state"]) == ["failed", "completed"]


def test_a_rule_ends_one_of_them(race):
    begun = race({"rule": dict(sampler=FAST, until=anb.ess(400)), "none": SLOW})
    until(lambda: begun.runs["rule"].status.ended)
    assert begun.runs["rule"].status.message.startswith("ended by ess(400)")
    assert not begun.runs["none"].status.ended


def test_an_interrupt_stops_all_and_keeps_every_draw(race, monkeypatch):
    begun = race({"a": SLOW, "b": FAST})
    until(lambda: all(run.status.step > 50 for run in begun.runs.values()))
    ends_within, calls = begun._ends_within, []

    def interrupted(seconds: float) -> bool:
        calls.append(seconds)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return ends_within(seconds)

    monkeypatch.setattr(begun, "_ends_within", interrupted)
    results = begun.wait(20)
    assert {result.reason for result in results.values()} == {"stopped"}
    assert all(len(result.draws) > 0 for result in results.values())


def test_waiting_in_vain_is_told(race):
    begun = race({"slow": SLOW, "brief": BRIEF})
    with pytest.raises(TimeoutError, match=r"expected the race to end .*; slow go"):
        begun.wait(0.5)


# The table


def test_the_table_has_known_answers(race):
    chains = AutoRegressive(nwalkers=4, burn=20, iterations=3000, rho=0.5)
    begun = race({"short": chains, "long": dataclasses.replace(chains, rho=0.9)})
    begun.wait(30)
    table = begun.table
    assert list(table.index) == ["short", "long"]
    for name, rho in (("short", 0.5), ("long", 0.9)):
        row = table.loc[name]
        expected = 12_000 * (1 - rho) / (1 + rho)
        assert row["ess"] == pytest.approx(expected, rel=0.3)
        assert row["r_hat"] == pytest.approx(1.0, abs=0.02)
        assert (row["sampler"], row["state"], row["draws"]) == (
            "scripted",
            "completed",
            12_000,
        )
        assert row["seconds"] == begun.runs[name].status.seconds
        assert row["ess_per_second"] == row["ess"] / row["seconds"]


@pytest.mark.slow
def test_evaluations_are_counted_where_they_are_known(race):
    begun = race(
        {
            "ensemble": dict(nwalkers=8, iterations=30, burn=10),
            "tempered": dict(nwalkers=8, iterations=30, burn=10, ntemps=3),
            "nuts": dict(nwalkers=2, iterations=30, burn=20),
            "thinned": dict(
                sampler="nuts",
                nwalkers=2,
                iterations=15,
                burn=20,
                run_kw={"thin_by": 2},
            ),
            "scripted": dict(sampler=BRIEF),
        }
    )
    results, table = begun.wait(120), begun.table
    leapfrogs = (
        results["nuts"].stats["n_steps"],
        results["nuts"].warmup_stats["n_steps"],
    )
    counted = table["evaluations"]
    assert counted["ensemble"] == 41 * 8
    assert counted["tempered"] == 41 * 8 * 3
    assert counted["nuts"] == sum(values.sum() for values in leapfrogs)
    assert counted.isna()["scripted"]
    assert np.isnan(table["r_hat"]["ensemble"]), "its walkers depend on each other"


def test_the_table_can_be_asked_for_on_the_way(race):
    begun = race({"a": SLOW, "b": FAST})
    until(lambda: all(run.status.step > 100 for run in begun.runs.values()))
    table = begun.table
    assert list(table["state"]) == ["running", "running"]
    assert (table["draws"] > 100).all() and (table["ess_per_second"] > 0).all()


def test_a_race_is_shown_as_text_and_html(race, capsys):
    begun = race({"a <b>": BRIEF, "b": BRIEF}, progress="terminal")
    begun.wait(20)
    bundle = begun._repr_mimebundle_()
    assert bundle["text/plain"] == repr(begun)
    assert repr(begun).splitlines()[0] == "Race of 2 samplers"
    assert "a <b>: Run completed: step 110 of 110" in repr(begun)
    assert "ess_per_second" in bundle["text/html"] and "<b>:" not in bundle["text/html"]
    told = capsys.readouterr().err.splitlines()
    assert sorted(line.split(" in ")[0] for line in told) == [
        "a <b>: completed after 110 steps",
        "b: completed after 110 steps",
    ]


# Misuse


@pytest.mark.parametrize(
    ("samplers", "error", "told"),
    [
        ("nuts", TypeError, "expected samplers as a dictionary .*; got str; call"),
        (None, TypeError, "expected samplers as a dictionary .*; got NoneType; call"),
        ([], ValueError, "expected samplers to race; got none"),
        (["nuts", "nuts"], ValueError, "expected each sampler once; got nuts, nuts"),
        ({"nuts": 4}, TypeError, "options of InferenceEngine.start for 'nuts'; got 4"),
        (
            {"nuts": {"walkers": 4}},
            TypeError,
            "options of InferenceEngine.start for 'nuts'; got unknown walkers; give",
        ),
        (["nuts", "knots"], ValueError, "knots"),
    ],
)
def test_samplers_that_cannot_race_are_refused(samplers, error, told):
    with pytest.raises(error, match=told):
        anb.race(PROBLEM.analysis, PROBLEM.model, samplers, progress="none")


def test_another_way_of_showing_is_refused():
    with pytest.raises(
        ValueError, match=r"expected progress among 'auto'.*; got 'bar'"
    ):
        anb.race(PROBLEM.analysis, PROBLEM.model, ["nuts"], progress="bar")


def test_one_that_cannot_be_sampled_lets_go_of_what_the_others_hold(monkeypatch):
    closed: list[str] = []
    close = anb.Run.close

    def noted(run: anb.Run) -> None:
        close(run)
        closed.append(run.status.state)

    monkeypatch.setattr(anb.Run, "close", noted)
    samplers = {"good": dict(sampler=BRIEF), "nuts": dict(nwalkers=-1)}
    with pytest.raises(ValueError, match=re.escape("nwalkers")):
        anb.race(PROBLEM.analysis, PROBLEM.model, samplers, progress="none")
    assert closed == ["stopped"]
