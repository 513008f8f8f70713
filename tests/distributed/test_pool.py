"""NumPy likelihoods in other processes and threads, and in pools of users' own."""

import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import emcee
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.algorithms.external_nested import DynestyNested
from ampynb.distributed.executors import WorkersLostError
from ampynb.distributed.pool import WorkerPool
from ampynb.inference.engine import get_pool_context
from ampynb.inference.events import Advanced, Event
from ampynb.inference.run import RunFailedError
from ampynb.inference.store_error import StoreError
from tests.algorithms.traced_line import (
    DyingOnce,
    FailingElsewhere,
    FailingUnsendably,
    TracedLine,
)
from tests.distributed.chains import (
    STEPS,
    assert_same_chain,
    engine,
    environment,
    run,
    run_python,
)
from tests.helpers import line_problem

ENSEMBLE: dict[str, Any] = {}
NESTED: dict[str, Any] = {
    "sampler": DynestyNested(share_replaced=0.2),
    "nwalkers": 20,
    "iterations": 12,
    "burn": 0,
}

both_samplers = pytest.mark.parametrize(
    "options",
    [
        pytest.param(ENSEMBLE, id="ensemble"),
        pytest.param(NESTED, id="nested", marks=pytest.mark.slow),
    ],
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "processes.txt"


@pytest.fixture
def analysis(log: Path) -> TracedLine:
    return TracedLine(log)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def assert_ended(processes: set[int]) -> None:
    assert processes, "no process took part"
    assert not [process for process in processes if alive(process)]


@both_samplers
def test_two_processes_draw_the_chain_of_one_and_end_with_the_run(
    analysis: TracedLine, options: dict[str, Any]
):
    alone = run(analysis, **options)
    assert analysis.processes() == set()
    analysis.seconds = 0.01  # so that there is work for both
    assert_same_chain(run(analysis, workers=2, **options), alone)
    assert len(analysis.processes()) == 2
    assert_ended(analysis.processes())


def test_threads_draw_the_same_chain_and_end_with_the_run():
    seen = set()

    class Watched(type(line_problem(use_jax=False).analysis)):
        def log_likelihood_function(self, instance):
            seen.add(threading.current_thread())
            time.sleep(0.001)
            return super().log_likelihood_function(instance)

    line = line_problem(use_jax=False).analysis
    local = Watched(line.x, line.y, line.yerr)  # which no other process could import
    alone = run(line)
    assert_same_chain(run(local, workers=2, executor="thread"), alone)
    workers = {thread for thread in seen if "ampynb-worker" in thread.name}
    assert len(workers) == 2
    assert not any(thread.is_alive() for thread in workers)


@pytest.mark.slow
def test_processes_end_with_a_stopped_run(analysis: TracedLine):
    class Stopper:
        run: anb.Run | None = None

        def show(self, event: Event) -> None:
            if self.run is not None and isinstance(event, Advanced):
                self.run.stop()

    stopper = Stopper()
    options = {**STEPS, "iterations": 10**6}
    started = engine(analysis).start(workers=2, progress=stopper, **options)
    stopper.run = started
    result = started.wait(60)
    assert result.reason == "stopped"
    assert_ended(analysis.processes())


@pytest.mark.slow
def test_an_error_in_a_process_is_raised_here_and_ends_all(log: Path):
    threads = threading.active_count()
    with pytest.raises(RuntimeError, match="the user's own error"):
        run(FailingElsewhere(log), workers=2)
    assert threading.active_count() <= threads


def test_an_error_in_a_worker_keeps_the_draws_and_its_own_traceback(log: Path):
    with pytest.raises(RunFailedError, match="the user's own error") as caught:
        run(FailingElsewhere(log, after=100), workers=2, iterations=10**5)
    result = caught.value.result
    assert len(result.warmup) + len(result.draws) > 0
    told = "".join(traceback.format_exception(caught.value))
    assert "in fail\n" in told
    assert "traced_line.py" in told
    assert_ended(TracedLine(log).processes())


@pytest.mark.slow
def test_a_killed_process_ends_the_run_which_goes_on_with_resume(log: Path):
    dying = DyingOnce(log, after=100)
    mine = engine(dying)
    options = {**STEPS, "progress": "none", "workers": 2}
    with pytest.raises(RunFailedError, match="expected workers that live") as caught:
        mine.run(**options)
    cause = caught.value.__cause__
    assert isinstance(cause, WorkersLostError)
    assert "killed or crashed" in str(cause)
    assert "resume=True" in str(cause)
    drawn = len(caught.value.result.warmup)
    assert drawn > 0
    resumed = mine.run(resume=True, **options)
    assert_same_chain(resumed, run(TracedLine(log)))


@pytest.mark.slow
def test_an_error_that_cannot_be_sent_is_not_told_as_a_death(log: Path):
    with pytest.raises(WorkersLostError, match="an error from one that cannot be sent"):
        run(FailingUnsendably(log), workers=2)


@pytest.mark.slow
def test_a_script_without_a_guard_is_told_of_it(tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text(
        "from tests.distributed.chains import run\n"
        "from tests.helpers import line_problem\n"
        "run(line_problem(use_jax=False).analysis, workers=2)\n"
    )
    done = run_python(script)
    assert done.returncode != 0
    # The standard library may add what the workers left behind.
    told = [line for line in done.stderr.splitlines() if "resource_tracker" not in line]
    assert "WorkersLostError" in told[-1]
    assert "needs its run below if __name__ == '__main__':" in done.stderr


@pytest.mark.slow
def test_an_interrupt_of_all_processes_stops_the_run_and_keeps_the_draws(log: Path):
    """A terminal sends Ctrl-C to the workers too."""
    code = f"""
from pathlib import Path
from tests.algorithms.traced_line import TracedLine
from tests.distributed.chains import run
result = run(TracedLine(Path({str(log)!r}), 0.002), workers=2, iterations=10**6)
print(result.reason, len(result.warmup) + len(result.draws) > 0)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for _ in range(600):
        time.sleep(0.1)
        if log.exists() and len(log.read_text().split()) > 300:
            break
    os.killpg(process.pid, signal.SIGINT)
    told, _ = process.communicate(timeout=60)
    assert told.split() == ["stopped", "True"]


@pytest.mark.parametrize("workers", [1, np.int64(1)])
@pytest.mark.parametrize("executor", ["process", "thread", "dask"])
def test_one_worker_is_this_process(workers: Any, executor: str, analysis: TracedLine):
    run(analysis, workers=workers, executor=executor)
    assert analysis.processes() == set()


BAD = [
    ({"workers": 0}, "expected workers as a whole number or a pool"),
    ({"workers": True}, "expected workers as a whole number or a pool"),
    ({"workers": "two"}, "expected workers as a whole number or a pool"),
    ({"workers": 2, "executor": "fork"}, "expected executor among 'process', 'thread'"),
    ({"executor": "thread"}, "expected workers with executor='thread'"),
]


@pytest.mark.parametrize(("options", "told"), BAD)
def test_workers_that_cannot_be_are_refused(options: dict, told: str):
    with pytest.raises(ValueError, match=told):
        run(line_problem(use_jax=False).analysis, **options)


def test_workers_do_not_help_a_jax_analysis():
    with pytest.raises(ValueError, match="expected workers=None with a JAX analysis"):
        run(line_problem().analysis, workers=2)


@pytest.mark.parametrize(
    ("executor", "library"), [("mpi", "mpi4py"), ("dask", "distributed")]
)
def test_a_missing_library_is_named_with_its_extra(
    executor: str, library: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, f"ampynb.distributed.{executor}", raising=False)
    with pytest.raises(ImportError, match=rf"pip install 'ampynb\[{executor}\]'"):
        run(line_problem(use_jax=False).analysis, workers=2, executor=executor)


def test_workers_end_where_the_run_cannot_begin(tmp_path: Path, monkeypatch: Any):
    closed = []
    close = WorkerPool.close
    monkeypatch.setattr(
        WorkerPool, "close", lambda self: (closed.append(self._workers), close(self))
    )
    (tmp_path / "manifest.json").write_text("{}")
    options = {"workers": 2, "executor": "thread", "path": tmp_path}
    with pytest.raises(StoreError):
        run(line_problem(use_jax=False).analysis, **options)
    assert closed[-1] is not None


def test_an_engine_forgets_the_workers_of_a_run(analysis: TracedLine):
    """The sampler of a run can be given to another."""
    mine = engine(analysis)
    result = mine.run(workers=2, executor="thread", progress="none", **STEPS)
    for sampler in (mine.sampler, result.algorithm):
        assert sampler is not None
        assert vars(sampler)["pool"] is None


# Pools of users' own


@both_samplers
def test_a_pool_of_the_users_draws_the_same_chain_and_stays_open(
    analysis: TracedLine, options: dict[str, Any]
):
    seen = set()

    class Watched(ThreadPoolExecutor):
        def map(self, fn, *iterables, **options):
            seen.add(threading.get_ident())
            return super().map(fn, *iterables, **options)

    alone = run(analysis, **options)
    with Watched(2) as threads:
        threaded = run(analysis, workers=threads, **options)
        assert_same_chain(threaded, alone)
        assert threads.submit(lambda: 7).result() == 7
    assert seen, "the pool was not used"


class Plain:
    """A pool that has a map and nothing else."""

    calls = 0

    def map(self, function: Any, vectors: Any) -> list:
        self.calls += 1
        return [function(vector) for vector in vectors]


@pytest.mark.parametrize("given", ["workers", "option"])
def test_a_pool_of_the_users_need_only_map(given: str, analysis: TracedLine):
    plain = Plain()
    how = {"workers": plain} if given == "workers" else {"sampler_kw": {"pool": plain}}
    assert_same_chain(run(analysis, **how), run(analysis))
    assert plain.calls > 80  # each step moves two halves


def test_a_pool_whose_map_returns_no_numbers_is_refused(analysis: TracedLine):
    class Futures(ThreadPoolExecutor):
        def map(self, fn, *iterables, **options):
            return [self.submit(fn, item) for item in iterables[0]]

    with (
        Futures(2) as futures,
        pytest.raises(TypeError, match="got Future; give a pool"),
    ):
        run(analysis, workers=futures)


def test_a_pool_is_given_only_points_of_finite_prior():
    points = []

    class Recording(Plain):
        def map(self, function: Any, vectors: Any) -> list:
            points.extend(vectors)
            return super().map(function, vectors)

    model = anb.Model(slope=dist.Uniform(1.4, 1.6), intercept=dist.Normal(0, 1))
    line = line_problem(use_jax=False).analysis
    narrow = anb.InferenceEngine(line, model, seed=2)
    narrow.run(workers=Recording(), progress="none", **STEPS)
    slopes = np.array(points)[:, 0]
    assert np.all((slopes >= 1.4) & (slopes <= 1.6))


# A pool for several runs, as in AMPy


@pytest.mark.parametrize("workers", [None, 1])
def test_no_workers_are_no_pool(workers: Any):
    with get_pool_context(workers) as pool:
        assert pool is None


@pytest.mark.slow
def test_one_pool_serves_several_runs_and_ends_after_them(analysis: TracedLine):
    with get_pool_context(2) as pool:
        first = run(analysis, workers=pool)
        assert_same_chain(first, run(analysis))
        assert "running" in repr(pool)
        analysis.y = analysis.y + 1.0  # what the workers hold must not be stale
        options = {"nwalkers": 8, "pool": pool}
        mine = engine(analysis)
        second = mine.run(
            sampler=mine.set_sampler("ensemble", **options),
            **{name: STEPS[name] for name in ("burn", "iterations")},
            progress="none",
        )
        assert_same_chain(second, run(analysis))
        assert not np.array_equal(first.draws, second.draws)
    assert "idle" in repr(pool)
    assert_ended(analysis.processes())


def test_a_pool_of_threads_serves_two_runs(analysis: TracedLine):
    with get_pool_context(2, "thread") as pool:
        chains = [run(analysis, workers=pool) for _ in range(2)]
    for chain in chains:
        assert_same_chain(chain, run(analysis))


def test_the_pool_serves_an_outside_sampler():
    posterior = line_problem(use_jax=False).posterior
    start = np.random.default_rng(0).normal(size=(8, 2))
    with get_pool_context(2, "thread") as pool:
        chains = []
        for one in (pool, None):
            sampler = emcee.EnsembleSampler(8, 2, posterior.log_posterior, pool=one)
            sampler.random_state = np.random.RandomState(1).get_state()
            sampler.run_mcmc(start, 5)
            chains.append(sampler.get_chain())
    np.testing.assert_array_equal(*chains)


def test_executors_that_are_not_are_refused_also_here():
    with (
        pytest.raises(ValueError, match="expected executor among"),
        get_pool_context(2, "fork"),
    ):
        pass
