"""Rules that end a run: against known answers, and at the same step every time."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import ampynb as anb
from ampynb.algorithms.algorithm import SAMPLING, Draws
from ampynb.algorithms.scripted import Scripted
from ampynb.inference.events import Advanced, Finished
from ampynb.inference.loop import Command, Plan, sampling
from ampynb.inference.request import MOST_ITERATIONS
from ampynb.inference.stopping import FIRST_LOOK, GROWTH, Measures, StoppingRule
from ampynb.results.history import History
from tests.inference.autoregressive import AutoRegressive, Walkers
from tests.inference.broken_runs import LINE, assert_same, engine_of, run, run_to

LONG = 10**6
CHAINS = AutoRegressive(nwalkers=4, burn=10, iterations=LONG)
INDEPENDENT = dataclasses.replace(CHAINS, rho=0.0)
WALKERS = Walkers(nwalkers=8, burn=10, iterations=LONG)
SLACK = 1.25  # of estimates; the looks' own spacing comes on top


def steps_under(rule: StoppingRule, sampler: Any, **options: Any) -> int:
    """Return the number of kept steps after which a rule ends a run."""
    result = run(engine_of(), sampler, until=rule, **options)
    assert result.reason == "completed" and result.message.startswith("ended by")
    return len(result.draws)


def assert_about(steps: int, expected: float) -> None:
    assert expected / SLACK < steps < expected * SLACK * GROWTH, f"{steps}, {expected}"


# Known answers


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("least", [400, 4000])
def test_ess_ends_a_run_at_that_many_effective_draws(rho: float, least: int):
    sampler = dataclasses.replace(CHAINS, rho=rho)
    expected = max(least * sampler.tau / sampler.nwalkers, FIRST_LOOK)
    assert_about(steps_under(anb.ess(least), sampler), expected)


def test_ess_has_no_ceiling():
    """More than four chains of as many steps as pictures are made of."""
    assert_about(steps_under(anb.ess(30_000), INDEPENDENT), 30_000 / 4)


def test_ess_is_met_as_arviz_sees_it():
    result = run(engine_of(), CHAINS, until=anb.ess(2000))
    least = float(result.diagnostics().columns["ess_bulk"].min())
    assert 2000 / SLACK < least < 2000 * SLACK * GROWTH


@pytest.mark.parametrize("least", [400, 4000])
def test_ess_of_an_ensemble_waits_for_a_reliable_autocorrelation_time(least: int):
    expected = max(least * WALKERS.tau / WALKERS.nwalkers, 50 * WALKERS.tau)
    assert_about(steps_under(anb.ess(least), WALKERS), expected)


@pytest.mark.parametrize("rho", [0.0, 0.8])
@pytest.mark.parametrize("least", [50, 500])
def test_autocorr_ends_a_run_so_many_autocorrelation_times_long(rho: float, least: int):
    sampler = dataclasses.replace(WALKERS, rho=rho)
    expected = max(least * sampler.tau, FIRST_LOOK)
    assert_about(steps_under(anb.autocorr(least), sampler), expected)


def test_rhat_ends_a_run_when_its_chains_agree():
    result = run(engine_of(), CHAINS, until=anb.rhat(1.01))
    assert r_hat_of(result.draws) < 1.015
    before = result.draws[: int(len(result.draws) / GROWTH**2)]
    assert len(before) < FIRST_LOOK or r_hat_of(before) > 1.005


def r_hat_of(position: np.ndarray) -> float:
    from ampynb.results.inference_data import r_hat

    return float(r_hat(position).max())


@pytest.mark.parametrize(
    ("sampler", "rule"),
    [
        (dataclasses.replace(INDEPENDENT, apart=1.0), anb.rhat(1.01)),
        (dataclasses.replace(INDEPENDENT, apart=1.0), anb.ess(400)),
        (dataclasses.replace(INDEPENDENT, stuck=True), anb.ess(10)),
        (dataclasses.replace(INDEPENDENT, stuck=True), anb.rhat(1.5)),
        (dataclasses.replace(WALKERS, stuck=True), anb.autocorr(5)),
        (dataclasses.replace(WALKERS, stuck=True), anb.ess(10)),
    ],
    ids=lambda value: str(value) if isinstance(value, StoppingRule) else None,
)
def test_a_run_whose_chains_disagree_or_stand_still_is_not_ended(
    sampler: Any, rule: StoppingRule
):
    result = run(engine_of(), sampler, iterations=3000, until=rule)
    assert len(result.draws) == 3000
    assert result.message.startswith(f"ended before {rule}: ")
    assert "run longer" in result.message


def test_chains_that_swing_to_and_fro_are_not_worth_less_than_nothing():
    """Beyond rho = -1/2 the plain estimate of the sample size turns negative."""
    swinging = dataclasses.replace(CHAINS, rho=-0.8)
    assert steps_under(anb.ess(400), swinging) <= 400


# When it looks


def history_of(steps: int, nwalkers: int = 4) -> History:
    history, script = History(), INDEPENDENT
    script = dataclasses.replace(script, nwalkers=nwalkers, burn=0)
    begin = Plan(LINE.posterior, script, 0).begin()
    _, draws = script.advance(LINE.posterior, begin, steps)
    history.append(draws, begin)
    return history


def test_numbers_are_taken_at_growing_distances():
    history, looks = History(), []
    measures = Measures(history, INDEPENDENT)
    row = Draws(np.zeros((1, 4, 2)), {}, SAMPLING)
    for step in range(1, 2000):
        due = measures.next_look()
        history.append(row)
        measures.look_if_due()
        if measures.steps == step:
            assert due == step
            looks.append(step)
    assert looks[0] == FIRST_LOOK
    apart = np.diff(looks) / looks[:-1]
    assert np.all((apart >= GROWTH - 1) & (apart < GROWTH - 1 + 1 / FIRST_LOOK))


@pytest.mark.parametrize("steps", [0, 1, FIRST_LOOK - 1])
def test_before_the_first_look_nothing_is_known(steps: int):
    history = history_of(steps) if steps else History()
    measures = Measures(history, INDEPENDENT)
    for rule in (anb.ess(1e-9), anb.rhat(1e9), anb.autocorr(1e-9)):
        assert not rule.is_met(measures)
        assert rule.fraction(measures) == 0.0
        assert rule.told(measures).endswith("not known yet")


# The same step every time


def end_of(plan: Plan, speed: float, history: History | None = None) -> Finished:
    """Run a loop on a clock by which every step takes as long."""
    time = SimpleNamespace(now=0.0)
    advance = plan.algorithm.advance

    def clocked(posterior: Any, state: Any, n: int) -> Any:
        time.now += n * speed
        return advance(posterior, state, n)

    object.__setattr__(plan.algorithm, "advance", clocked)
    loop = sampling(plan, history or History(), clock=lambda: time.now)
    event = next(loop)
    while not isinstance(event, Finished):
        event = loop.send(Command.CONTINUE)
    object.__delattr__(plan.algorithm, "advance")
    return event


RULES = [
    anb.ess(1000),
    anb.autocorr(100),
    anb.ess(300) & anb.autocorr(200),
    anb.rhat(1.005) | anb.ess(10**5),
]


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("thin_by", [1, 7])
def test_a_rule_ends_a_run_at_the_same_step_however_fast_it_is(
    rule: StoppingRule, thin_by: int
):
    sampler = dataclasses.replace(CHAINS, rho=0.3)
    plan = Plan(LINE.posterior, sampler, 3, until=rule, thin_by=thin_by)
    ends = {end_of(plan, speed).step for speed in (1e-6, 1e-3, 0.013, 0.1)}
    assert len(ends) == 1
    assert (ends.pop() - sampler.burn) % thin_by == 0


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("path", [None, "run"], ids=["in memory", "in a folder"])
def test_a_run_that_is_continued_ends_at_the_same_step(
    rule: StoppingRule, path: str | None, tmp_path: Path
):
    whole = run(engine_of(), CHAINS, until=rule)
    assert len(whole.draws) > 100
    engine, where = engine_of(), path and tmp_path / path
    begun = run_to(engine, CHAINS, 5, until=rule, path=where)
    assert begun.reason == "stopped"
    for step in (70, 90):
        options: dict = {"until": rule, "path": where, "resume": True}
        run_to(engine, CHAINS, step, **options)
    again = run(engine, CHAINS, until=rule, path=where, resume=True)
    assert_same(again, whole)
    assert again.message == whole.message
    at_once = run(engine, CHAINS, until=rule, path=where, resume=True)
    assert_same(at_once, whole)
    assert at_once.message == whole.message


def test_a_stricter_rule_lets_an_ended_run_go_on(tmp_path: Path):
    run(engine_of(), CHAINS, until=anb.ess(400), path=tmp_path / "run")
    options: dict = {"path": tmp_path / "run", "resume": True}
    strict = anb.ess(8000)  # of more steps than were kept at hand for the first
    again = run(engine_of(), CHAINS, until=strict, **options)
    assert_same(again, run(engine_of(), CHAINS, until=strict))


# Time


def test_seconds_end_a_run_after_so_much_computing_time():
    slow = Scripted(burn=0, iterations=LONG)
    plan = Plan(LINE.posterior, slow, 3, until=anb.seconds(60))
    end = end_of(plan, 0.5)
    assert (end.reason, end.step, end.seconds) == ("completed", 120, 60.0)
    assert end.message == "ended by seconds(60): 60.0 s have passed"


def test_seconds_of_a_continued_run_are_counted_from_its_beginning(tmp_path: Path):
    slow = Scripted(burn=0, iterations=LONG, seconds_per_step=0.002)
    options: dict = {"path": tmp_path / "run", "resume": "auto"}
    first = run(engine_of(), slow, until=anb.seconds(0.3), **options)
    again = run(engine_of(), slow, until=anb.seconds(0.3), **options)
    assert first.seconds >= 0.3
    assert len(again.draws) == len(first.draws) > 0


def test_seconds_may_end_a_run_in_its_burn_in():
    slow = Scripted(burn=LONG, iterations=10, seconds_per_step=0.001)
    result = run(engine_of(), slow, until=anb.seconds(0.1))
    assert len(result.draws) == 0 and "run it longer" in result.verdict()[0]


# Together


def measured(**numbers: float) -> Any:
    usual = {"ess": np.nan, "r_hat": np.nan, "tau": np.nan, "steps": 0, "seconds": 0.0}
    return SimpleNamespace(**{**usual, **numbers}, ess_is_reliable=True)


ESS, RHAT, TIME = anb.ess(100), anb.rhat(1.01), anb.seconds(10)
TABLE = [
    (ESS | RHAT, {"ess": 100.0}, True, 1.0),
    (ESS | RHAT, {"r_hat": 1.01}, True, 1.0),
    (ESS | RHAT, {"ess": 50.0, "r_hat": 1.04}, False, 0.5),
    (ESS & RHAT, {"ess": 100.0}, False, 0.0),
    (ESS & RHAT, {"ess": 100.0, "r_hat": 1.02}, False, 0.5),
    (ESS & RHAT, {"ess": 100.0, "r_hat": 1.005}, True, 1.0),
    (ESS & RHAT | TIME, {"seconds": 10.0}, True, 1.0),
    (ESS & (RHAT | TIME), {"seconds": 10.0}, False, 0.0),
    (ESS & (RHAT | TIME), {"seconds": 10.0, "ess": 200.0}, True, 1.0),
    (anb.autocorr(50), {"steps": 500, "tau": 10.0}, True, 1.0),
    (anb.autocorr(50), {"steps": 499, "tau": 10.0}, False, 0.998),
    (anb.autocorr(50), {"steps": 100, "tau": 10.0}, False, 0.2),
]


@pytest.mark.parametrize(("rule", "numbers", "met", "fraction"), TABLE, ids=str)
def test_rules_combine(rule: StoppingRule, numbers: dict, met: bool, fraction: float):
    assert rule.is_met(measured(**numbers)) is met
    assert rule.fraction(measured(**numbers)) == pytest.approx(fraction)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (anb.ess(), "ess(400)"),
        (anb.rhat(), "rhat(1.01)"),
        (anb.autocorr(), "autocorr(50)"),
        (anb.ess(400) | anb.rhat(1.05) | anb.seconds(60.5), None),
        ((anb.ess(400) | anb.rhat(1.05)) & anb.seconds(60), None),
        (anb.ess(400) & anb.rhat(1.05) & anb.seconds(60), None),
    ],
    ids=str,
)
def test_a_rule_is_told_as_it_is_written(rule: StoppingRule, text: str | None):
    assert text is None or str(rule) == text
    names = {name: getattr(anb, name) for name in ("ess", "rhat", "autocorr")}
    again = eval(str(rule), {**names, "seconds": anb.seconds})
    assert again == rule


# What is told


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (anb.ess(400), r"ended by ess\(400\): the least effective sample size is \d+"),
        (anb.rhat(1.05), r"ended by rhat\(1.05\): the largest R-hat is 1\.0\d+"),
        (
            anb.autocorr(50),
            r"ended by autocorr\(50\): the chain is \d+ autocorrelation times long",
        ),
        (
            anb.ess(400) | anb.seconds(600),
            r"ended by ess\(400\) \| seconds\(600\): the least effective sample size "
            r"is \d+, \d\.\d s have passed",
        ),
    ],
    ids=str,
)
def test_how_a_rule_ended_a_run_is_told_everywhere(
    rule: StoppingRule, words: str, tmp_path: Path
):
    started = engine_of().start(
        sampler=CHAINS, until=rule, path=tmp_path / "run", progress="none"
    )
    result = started.wait(60)
    assert re.fullmatch(words, result.message)
    for text in (repr(result), result._repr_html_(), repr(started)):
        assert result.message in text.replace("&amp;", "&")
    assert started.status.message == result.message
    assert started.status.fraction == 1.0
    assert anb.open_run(tmp_path / "run").message == result.message


def test_a_run_that_ends_before_its_rule_says_how_far_it_came():
    result = run(engine_of(), CHAINS, iterations=100, until=anb.ess(10**5))
    assert result.reason == "completed"
    assert result.message.startswith("ended before ess(100000): the least effective")
    result = run(engine_of(), WALKERS, iterations=100, until=anb.ess(20))
    assert "of a chain shorter than 50 autocorrelation times" in result.message
    result = run(engine_of(), CHAINS, iterations=10, until=anb.ess(20))
    assert "not known yet; run longer, which resume=True does" in result.message


def test_the_progress_is_that_of_the_rule():
    fractions = []

    class Listener:
        def show(self, event: Any) -> None:
            if isinstance(event, Advanced):
                fractions.append(event.fraction)

    engine_of().run(sampler=CHAINS, until=anb.ess(3000), progress=Listener())
    assert fractions[-1] == 1.0
    assert any(0.2 < fraction < 0.9 for fraction in fractions)


# How long without it


def test_a_named_sampler_goes_on_until_the_rule_is_met():
    rule = anb.ess(10**9)
    run = engine_of().start(nwalkers=8, burn=0, until=rule, progress="none")
    run.stop()
    assert run.wait(60).algorithm.iterations == MOST_ITERATIONS
    asked = engine_of().run(8, 70, 0, until=rule, progress="none")
    assert len(asked.draws) == 70


def test_a_configured_sampler_makes_its_own_number_at_most():
    sampler = dataclasses.replace(CHAINS, iterations=500)
    assert len(run(engine_of(), sampler, until=anb.ess(10**9)).draws) == 500
    assert len(run(engine_of(), sampler, until=anb.ess(50)).draws) < 500


# Misuse


@pytest.mark.parametrize(
    "make",
    [
        lambda: anb.ess(0),
        lambda: anb.ess(-1),
        lambda: anb.ess(np.nan),
        lambda: anb.ess(np.inf),
        lambda: anb.ess("400"),  # type: ignore
        lambda: anb.ess(True),
        lambda: anb.ess(None),  # type: ignore
        lambda: anb.rhat(1),
        lambda: anb.rhat(0.9),
        lambda: anb.rhat("1.01"),  # type: ignore
        lambda: anb.rhat(np.nan),
        lambda: anb.autocorr(0),
        lambda: anb.seconds(0),
        lambda: anb.seconds(-5),
    ],
)
def test_a_number_that_cannot_be_is_refused(make: Callable):
    with pytest.raises(ValueError, match=r"expected (ess|rhat|autocorr|seconds) above"):
        make()


@pytest.mark.parametrize("other", [400, None, "rhat", anb.ess])
def test_a_rule_combines_with_rules_alone(other: Any):
    for combine in (lambda: anb.ess(4) | other, lambda: anb.ess(4) & other):
        with pytest.raises(TypeError, match=r"expected another rule, .*; got .*; use "):
            combine()


def test_and_and_or_are_no_way_to_combine_rules():
    for combine in (lambda: anb.ess(4) or TIME, lambda: anb.ess(4) and TIME):
        with pytest.raises(TypeError, match=r"expected ess\(4\) combined .* by \| and"):
            combine()


@pytest.mark.parametrize("until", [400, "ess(400)", anb.ess, True])
def test_what_is_no_rule_is_refused(until: Any):
    with pytest.raises(
        TypeError, match=r"expected until as a rule .*; got .*; combine"
    ):
        run(engine_of(), CHAINS, until=until)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChainlessSampler(Scripted):
    draws_chains = False  # type: ignore


@pytest.mark.parametrize("rule", [ESS, RHAT, anb.autocorr(), ESS | TIME], ids=str)
def test_a_sampler_without_chains_takes_no_rule_for_chains(rule: StoppingRule):
    with pytest.raises(ValueError, match=r"expected until=seconds\(...\) with the"):
        run(engine_of(), ChainlessSampler(burn=0), until=rule)
    run(engine_of(), ChainlessSampler(burn=0, iterations=50), until=TIME)


def test_a_single_chain_has_none_to_be_compared_with():
    single = dataclasses.replace(CHAINS, nwalkers=1)
    with pytest.raises(ValueError, match="expected nwalkers of at least 2 with "):
        run(engine_of(), single, until=anb.ess(100) & anb.rhat())
    assert_about(steps_under(anb.ess(100), single), 100 * CHAINS.tau)
