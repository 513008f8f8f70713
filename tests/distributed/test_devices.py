"""Walkers and chains that share devices, of which XLA is told to have several."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import ampynb as anb
from ampynb.distributed.devices import across_devices, mesh_for
from tests.distributed.chains import run_python
from tests.helpers import line_problem

SCRIPT = Path(__file__).parent / "devices_run.py"
FOUR = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}


def on_four(*arguments: str | Path) -> None:
    done = run_python(SCRIPT, *arguments, **FOUR)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("case", ["ensemble", "halves", "tempered", "nuts"])
def test_chains_do_not_depend_on_the_number_of_devices(case: str, tmp_path: Path):
    """Also where it does not divide them, or changes on the way.

    They are the same bit for bit for a likelihood that is no matrix product.
    """
    on_four("chains", case, tmp_path / "chains.npz")
    with np.load(tmp_path / "chains.npz") as chains:
        assert len(chains) >= 4
        for name in chains:
            np.testing.assert_array_equal(chains[name], chains["on 1"], err_msg=name)


@pytest.mark.slow
def test_devices_are_chosen_with_sense_and_tell_each_other_little(tmp_path: Path):
    on_four("choices", tmp_path / "choices.json")
    found = json.loads((tmp_path / "choices.json").read_text())
    assert found["chains"] == 4
    assert "on 4 devices" in found["repr"]
    assert found["walkers"] == 1  # they meet twice a step, on one processor
    assert found["compiled again"] == []
    assert found["default device"] == 1
    assert found["placed data"] == 1
    # Densities and rejections of each half at once, and nothing of the moves.
    assert found["collectives"] == ["all-gather"] * 2


def test_one_device_shares_nothing():
    def function(x: Any) -> Any:
        return x

    assert across_devices(function, in_axes=0) is function
    assert mesh_for(None, line_problem().posterior, anb.NUTS()) is None
    result = anb.InferenceEngine(line_problem().analysis, line_problem().model).run(
        nwalkers=8, burn=2, iterations=8, progress="none"
    )
    assert result.devices == 1
    assert "devices" not in repr(result)


@pytest.mark.parametrize("devices", [0, -1, 1.0, True, 10**6, "all"])
def test_devices_that_are_not_there_are_refused(devices: Any):
    engine = anb.InferenceEngine(line_problem().analysis, line_problem().model)
    present = len(jax.devices())
    with pytest.raises(ValueError, match=f"whole number from 1 to {present}, as many"):
        engine.run(devices=devices, progress="none")
