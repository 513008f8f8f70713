"""Work that never takes more than its share, on a clock of the test's own."""

from types import SimpleNamespace

import pytest

from ampynb.widgets.throttle import Throttle


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=100.0)
    clock.monotonic = clock.thread_time = lambda: clock.now
    monkeypatch.setattr("ampynb.widgets.throttle.time", clock)
    return clock


def work(throttle: Throttle, clock: SimpleNamespace, seconds: float) -> None:
    with throttle.working():
        clock.now += seconds


def wait(throttle: Throttle, clock: SimpleNamespace) -> float:
    """Return how long it takes until the work is due again [s]."""
    begun = clock.now
    while not throttle.is_due:
        clock.now += 0.01
    return clock.now - begun


def test_dear_work_waits_for_its_share_and_cheap_work_for_the_least_time(clock):
    dear, cheap = Throttle(least=0.5, share=0.04), Throttle(least=0.5, share=0.04)
    assert dear.is_due and cheap.is_due
    for _ in range(4):
        work(dear, clock, 0.1)
        waited = wait(dear, clock)
    assert waited == pytest.approx(2.5, abs=0.02)
    for _ in range(4):
        work(cheap, clock, 0.001)
        waited = wait(cheap, clock)
    assert waited == pytest.approx(0.5, abs=0.02)


def test_what_is_dear_once_does_not_keep_the_next_time_waiting(clock):
    throttle = Throttle(least=0.5, share=0.04)
    for seconds in (5.0, 0.02, 0.02, 5.0, 0.02):
        work(throttle, clock, seconds)
        assert wait(throttle, clock) == pytest.approx(0.5, abs=0.02)


def test_dear_work_takes_its_share_in_the_long_run(clock):
    throttle, begun, worked = Throttle(least=0.5, share=0.04), clock.now, 0.0
    for i in range(300):
        cost = 0.08 if i % 3 else 0.04
        work(throttle, clock, cost)
        worked += cost
        wait(throttle, clock)
    assert worked / (clock.now - begun) < 0.045


def test_work_that_fails_is_counted_too(clock):
    throttle = Throttle(least=0.5, share=0.04)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), throttle.working():
            clock.now += 0.1
            raise ZeroDivisionError
    assert not throttle.is_due
    assert wait(throttle, clock) == pytest.approx(2.5, abs=0.02)
