import gc
import threading
import time
import weakref
from collections import deque

import pytest

from ampynb.widgets import threads as module
from ampynb.widgets.threads import in_thread


@pytest.fixture(autouse=True)
def resting(monkeypatch):
    """Rest that no other test knows of."""
    inboxes: deque = deque()
    monkeypatch.setattr(module, "_resting", inboxes)
    return inboxes


def thread_of(work=lambda: None):
    """Do work in a thread, and return that once the work is done."""
    used = []
    done = threading.Event()

    def job():
        used.append(threading.current_thread())
        try:
            work()
        finally:
            done.set()

    in_thread(job)
    assert done.wait(10)
    return used[0]


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_thread_that_rests_is_used_again(resting):
    first = thread_of()
    until(lambda: resting)
    assert thread_of() is first
    assert first is not threading.current_thread() and first.daemon


def test_work_begins_at_once_where_all_others_are_busy(resting):
    go = threading.Event()
    threads = []

    def busy():
        threads.append(thread_of())
        go.wait(10)

    in_thread(busy)
    until(lambda: threads)
    assert thread_of() is threads[0]
    go.set()
    until(lambda: len(resting) == 2)


def test_a_thread_ends_when_it_has_rested(resting, monkeypatch):
    monkeypatch.setattr(module, "SECONDS_OF_REST", 0.02)
    thread = thread_of()
    thread.join(10)
    assert not thread.is_alive() and not resting


def test_no_work_is_lost_while_threads_come_and_go(monkeypatch):
    monkeypatch.setattr(module, "SECONDS_OF_REST", 0.0)
    done: list[int] = []
    for i in range(500):
        in_thread(lambda i=i: done.append(i))
        if i % 7 == 0:
            time.sleep(0.0005)
    until(lambda: len(done) == 500)
    assert sorted(done) == list(range(500))


def test_work_that_is_done_is_not_held(resting):
    class Held:
        def job(self):
            pass

    held = Held()
    reference = weakref.ref(held)
    in_thread(held.job)
    until(lambda: resting)
    del held
    gc.collect()
    assert reference() is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_work_that_fails_takes_only_its_own_thread_along(resting):
    thread = thread_of(lambda: 1 / 0)
    thread.join(10)
    assert not thread.is_alive() and not resting
    assert thread_of() is not thread
