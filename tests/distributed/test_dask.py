"""NumPy likelihoods on clusters of dask, really started on this machine."""

import logging
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.algorithms.traced_line import FailingElsewhere, TracedLine
from tests.distributed.chains import STEPS, assert_same_chain, engine, run
from tests.helpers import line_problem

distributed = pytest.importorskip(
    "distributed", reason="needs dask: pip install 'ampynb[dask]'"
)

DASK: dict[str, Any] = {"executor": "dask"}


@pytest.fixture
def analysis(tmp_path: Path) -> TracedLine:
    return TracedLine(tmp_path / "processes.txt")


def cluster(**options: Any) -> Any:
    options = {"dashboard_address": None, "threads_per_worker": 1, **options}
    return distributed.Client(distributed.LocalCluster(**options))


def test_a_cluster_of_the_users_draws_the_same_chain_and_stays_open():
    analysis = line_problem(use_jax=False).analysis
    analysis.part = lambda x: x  # sent whole, as what a notebook defines
    with cluster(n_workers=2, processes=False) as client, client.cluster:
        found = run(analysis, workers=client, **DASK)
        assert client.submit(int, "7").result() == 7
    assert_same_chain(found, run(line_problem(use_jax=False).analysis))


@pytest.mark.slow
def test_processes_of_dask_draw_the_same_chain_and_end(analysis: TracedLine):
    alone = run(analysis)
    analysis.seconds = 0.01
    assert_same_chain(run(analysis, workers=2, **DASK), alone)
    processes = analysis.processes()
    assert len(processes) == 2
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


@pytest.mark.slow
def test_the_chain_is_the_same_when_a_process_is_killed(analysis: TracedLine):
    alone = run(analysis)
    analysis.seconds = 0.01
    with cluster(n_workers=2) as client, client.cluster:
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        started = engine(analysis).start(
            workers=client, progress="none", **STEPS, **DASK
        )
        while len(analysis.processes()) < 2:  # both are in the midst of it
            assert not started.status.ended
        killed = min(client.run(os.getpid).values())
        os.kill(killed, signal.SIGKILL)
        assert_same_chain(started.wait(120), alone)
        client.wait_for_workers(2, timeout=60)
        assert killed in analysis.processes()
        assert killed not in client.run(os.getpid).values()


@pytest.mark.slow
def test_an_error_in_a_process_of_dask_is_the_users_own(analysis: TracedLine):
    with pytest.raises(RuntimeError, match="the user's own error"):
        run(FailingElsewhere(analysis.log), workers=2, **DASK)


def test_a_client_needs_its_executor_named():
    class Future:
        pass

    class Client:
        def scatter(self, data: Any) -> Any: ...

        def map(self, function: Any, vectors: Any) -> list:
            return [Future() for _ in vectors]

    line = line_problem(use_jax=False).analysis
    with pytest.raises(TypeError, match="a client of dask goes with executor='dask'"):
        run(line, workers=Client())


def test_what_dask_cannot_send_is_told(analysis: TracedLine):
    analysis.part = threading.Lock()
    with pytest.raises(ValueError, match=r"got analysis\.part \(lock\), which cannot"):
        run(analysis, workers=2, **DASK)
