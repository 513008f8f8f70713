import gc
import threading
import time
import weakref

import pytest

from ampynb.widgets.worker import Worker


@pytest.fixture
def errors():
    return []


@pytest.fixture
def worker(errors):
    return Worker(("urgent", "later"), errors.append)


def blocked(worker):
    """Let the worker wait inside a job; return what lets it go on."""
    started, go = threading.Event(), threading.Event()

    def job():
        started.set()
        go.wait(10)

    worker.submit("urgent", job)
    assert started.wait(10)
    return go


def test_only_the_newest_of_each_kind_is_done_the_urgent_first(worker):
    done = []
    go = blocked(worker)
    for i in range(5):
        worker.submit("later", lambda i=i: done.append(("later", i)))
        worker.submit("urgent", lambda i=i: done.append(("urgent", i)))
    go.set()
    assert worker.wait(10)
    assert done == [("urgent", 4), ("later", 4)]


def test_urgent_work_comes_between_the_steps_of_a_long_job(worker):
    done = []

    def steps():
        for i in range(3):
            done.append(i)
            if i == 0:
                worker.submit("urgent", lambda: done.append("urgent"))
            yield

    worker.submit("later", steps)
    assert worker.wait(10)
    assert done == [0, "urgent", 1, 2]


def test_a_newer_job_ends_a_long_one_of_its_kind(worker):
    done = []

    def steps():
        for i in range(3):
            done.append(i)
            worker.submit("later", lambda: done.append("newer"))
            yield

    worker.submit("later", steps)
    assert worker.wait(10)
    assert done == [0, "newer"]


def test_an_error_is_told_and_the_work_goes_on(worker, errors):
    done = []

    def fail():
        raise RuntimeError("told")

    worker.submit("urgent", fail)
    assert worker.wait(10)
    worker.submit("urgent", lambda: done.append(1))
    assert worker.wait(10)
    assert [str(error) for error in errors] == ["told"]
    assert done == [1]


def test_a_closed_one_forgets_its_jobs_and_lets_go_of_its_thread(worker, errors):
    done, threads = [], []
    go = blocked(worker)
    worker.submit("later", lambda: done.append("later"), after=30)
    worker.close()
    go.set()
    assert worker.wait(1)
    assert not worker._working
    another = Worker(("urgent",), errors.append)
    another.submit("urgent", lambda: threads.append(threading.current_thread()))
    assert another.wait(10)
    assert done == [] and threads[0].name == "ampynb-widgets"


def test_a_job_that_is_done_is_not_held(worker):
    class Held:
        def job(self):
            pass

    held = Held()
    reference = weakref.ref(held)
    worker.submit("urgent", held.job)
    assert worker.wait(10)
    del held
    gc.collect()
    assert reference() is None


def test_a_job_for_later_waits_until_nothing_newer_comes(worker):
    done = []
    begun = time.monotonic()
    for i in range(3):
        worker.submit("later", lambda i=i: done.append(i), after=0.3)
        worker.submit("urgent", lambda: done.append("urgent"))
        time.sleep(0.05)
    assert "urgent" in done and 2 not in done
    assert worker.wait(10)
    assert time.monotonic() - begun > 0.3
    assert [one for one in done if one != "urgent"] == [2]


def test_waiting_has_an_end(worker):
    go = blocked(worker)
    assert not worker.wait(0.01)
    go.set()
    assert worker.wait(10)


def test_an_unknown_kind_is_told(worker):
    with pytest.raises(ValueError, match=r"expected one of .*; got 'other'"):
        worker.submit("other", lambda: None)
