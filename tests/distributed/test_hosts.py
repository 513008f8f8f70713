"""Two processes that `jax.distributed` connects make one run together."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ampynb as anb
from ampynb.distributed import hosts
from ampynb.inference.loop import Command
from tests.distributed.chains import ROOT, environment, whole_chain
from tests.distributed.hosts_run import CASES, engine

SCRIPT = Path(__file__).parent / "hosts_run.py"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]


def run_two(what: str, folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return what each of two processes tells, and what it prints."""
    port = free_port()
    processes = [
        subprocess.Popen(
            [sys.executable, SCRIPT, what, str(process), str(port), folder],
            env=environment(),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for process in range(2)
    ]
    printed = [process.communicate(timeout=400) for process in processes]
    for process, (_, errors) in zip(processes, printed, strict=True):
        assert process.returncode == 0, errors
    told = [json.loads((folder / f"told-{i}.json").read_text()) for i in range(2)]
    return told, [errors for _, errors in printed]


@pytest.mark.slow
def test_two_processes_have_the_whole_chain_of_one(tmp_path: Path):
    told, printed = run_two("chains", tmp_path)
    for one in told:
        assert one["devices"] == 2
        assert "on 2 devices" in one["repr"]
    alone = {
        name: whole_chain(engine().run(**options, progress="none"))
        for name, options in CASES.items()
    }
    for process in range(2):
        with np.load(tmp_path / f"chains-{process}.npz") as chains:
            assert len(chains) == 4
            for name in chains:
                expected = alone.get(name, alone["walkers"])
                np.testing.assert_array_equal(chains[name], expected, err_msg=name)
    stored = anb.open_run(tmp_path / "run")
    np.testing.assert_array_equal(whole_chain(stored), alone["walkers"])
    assert '"event": "Finished"' in printed[0]
    assert '"event"' not in printed[1]


@pytest.mark.slow
def test_the_first_process_decides_for_both(tmp_path: Path):
    (first, second), _ = run_two("ends", tmp_path)
    assert 0 < first["stopped"] == second["stopped"] < 10**6
    assert "expected room on the disk; got none" in first["full"]
    assert second["full"] == "stopped"
    assert first["seeds"] == second["seeds"]
    assert "in every process; got others in run (seed, thin_by, " in first["seeds"]
    assert first["taken"].startswith("StoreError: expected a path at which no run is")
    assert "got an error in process 0" in second["taken"]


def test_one_process_is_alone():
    """Nothing is sent, and the loop is driven as it is."""
    assert hosts.is_first()
    assert hosts.agreed(7.5) == 7.5
    hosts.check_same({"anything": "at all"})

    def loop():
        told = yield "first"
        yield told

    led = hosts.led_by_first(loop(), stop=Command.STOP)
    assert next(led) == "first"
    assert led.send(Command.CONTINUE) is Command.CONTINUE
