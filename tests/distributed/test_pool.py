"""NumPy likelihoods in other processes and threads."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.algorithms.algorithm import Algorithm
from ampynb.algorithms.external import EmceeEnsemble
from ampynb.algorithms.external_nested import DynestyNested
from ampynb.inference.events import Advanced, Event
from tests.algorithms.traced_line import FailingElsewhere, TracedLine
from tests.helpers import NumpyLine, line_problem

SAMPLER = EmceeEnsemble(nwalkers=8, burn=20, iterations=60)
NESTED = DynestyNested(nwalkers=20, share_replaced=0.2, iterations=12)

both_samplers = pytest.mark.parametrize(
    "sampler", [SAMPLER, NESTED], ids=lambda one: one.name
)


@pytest.fixture
def analysis(tmp_path: Path) -> TracedLine:
    return TracedLine(tmp_path / "processes.txt")


def engine(analysis: anb.Analysis) -> anb.InferenceEngine:
    return anb.InferenceEngine(analysis, line_problem().model, seed=2)


def run(analysis: anb.Analysis, workers: Any, **options: Any) -> anb.Result:
    options = {"sampler": SAMPLER, "progress": "none", **options}
    return engine(analysis).run(workers=workers, **options)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def assert_ended(processes: set[int]) -> None:
    assert processes, "no process took part"
    assert not [process for process in processes if alive(process)]


def assert_same_chain(first: anb.Result, second: anb.Result) -> None:
    np.testing.assert_array_equal(first.warmup, second.warmup)
    np.testing.assert_array_equal(first.draws, second.draws)
    for name, values in first.stats.items():
        np.testing.assert_array_equal(values, second.stats[name])


@both_samplers
def test_two_processes_draw_the_chain_of_one_and_end_with_the_run(
    analysis: TracedLine, sampler: Algorithm
):
    alone = run(analysis, workers=None, sampler=sampler)
    assert analysis.processes() == set()
    analysis.seconds = 0.01  # so that there is work for both
    assert_same_chain(run(analysis, workers=2, sampler=sampler), alone)
    assert len(analysis.processes()) == 2
    assert_ended(analysis.processes())


def test_processes_end_with_a_stopped_run(analysis: TracedLine):
    class Stopper:
        run: anb.Run | None = None

        def show(self, event: Event) -> None:
            if self.run is not None and isinstance(event, Advanced):
                self.run.stop()

    stopper = Stopper()
    started = engine(analysis).start(
        sampler=SAMPLER, iterations=10**6, workers=2, progress=stopper
    )
    stopper.run = started
    result = started.wait(60)
    assert result.reason == "stopped"
    assert_ended(analysis.processes())


def test_an_error_in_a_process_is_raised_here_and_ends_all(tmp_path: Path):
    analysis = FailingElsewhere(tmp_path / "processes.txt")
    threads = threading.active_count()
    with pytest.raises(ArithmeticError, match="the user's own error"):
        run(analysis, workers=2)
    assert threading.active_count() <= threads


def test_what_cannot_be_sent_to_a_process_is_told_with_the_remedy():
    class Local(NumpyLine):
        """A class that no other process can import."""

    line = line_problem(use_jax=False).analysis
    with pytest.raises(ValueError) as caught:
        run(Local(line.x, line.y, line.yerr), workers=2)
    told = str(caught.value)
    assert "expected an analysis that other processes can import" in told
    assert "Local" in told and "module" in told


@pytest.mark.parametrize("workers", [1, np.int64(1)])
def test_one_worker_is_this_process(analysis: TracedLine, workers: Any):
    run(analysis, workers=workers)
    assert analysis.processes() == set()


@both_samplers
def test_threads_draw_the_same_chain_and_stay_open(
    analysis: TracedLine, sampler: Algorithm
):
    seen = set()

    class Watched(ThreadPoolExecutor):
        def map(self, fn, *iterables, **options):
            seen.add(threading.get_ident())
            return super().map(fn, *iterables, **options)

    alone = run(analysis, workers=None, sampler=sampler)
    with Watched(2) as threads:
        threaded = run(analysis, workers=threads, sampler=sampler)
        assert_same_chain(threaded, alone)
        assert threads.submit(lambda: 7).result() == 7
    assert seen, "the pool was not used"


def test_a_pool_of_the_users_need_only_map(analysis: TracedLine):
    class Plain:
        calls = 0

        def map(self, function: Any, vectors: Any) -> list:
            self.calls += 1
            return [function(vector) for vector in vectors]

    plain = Plain()
    assert_same_chain(run(analysis, workers=plain), run(analysis, workers=None))
    assert plain.calls > 80  # each step moves two halves


def test_a_pool_is_given_only_points_of_finite_prior():
    points = []

    class Recording:
        def map(self, function: Any, vectors: Any) -> list:
            points.extend(vectors)
            return [function(vector) for vector in vectors]

    model = anb.Model(slope=dist.Uniform(1.4, 1.6), intercept=dist.Normal(0, 1))
    line = line_problem(use_jax=False).analysis
    narrow = anb.InferenceEngine(line, model, seed=2)
    narrow.run(sampler=SAMPLER, workers=Recording(), progress="none")
    slopes = np.array(points)[:, 0]
    assert np.all((slopes >= 1.4) & (slopes <= 1.6))
