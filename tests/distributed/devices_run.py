"""Runs on the devices that XLA is told to have; see `test_devices`.

``python devices_run.py chains CASE FILE`` and ``python devices_run.py choices FILE``.
"""

import dataclasses
import json
import re
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ampynb as anb
from ampynb.algorithms import ensemble
from ampynb.algorithms.algorithm import Algorithm
from ampynb.algorithms.start import draw_start
from ampynb.distributed.devices import mesh_for, on_mesh
from tests.distributed.chains import whole_chain
from tests.helpers import Line, line_problem
from tests.test_compilations import compilations

CASES: dict[str, tuple[Algorithm, tuple[int, ...]]] = {
    # Numbers of walkers and chains that 3 or 4 devices do not divide, and some they do
    "ensemble": (anb.Ensemble(nwalkers=13, burn=20, iterations=80), (1, 4)),
    "halves": (anb.Ensemble(nwalkers=16, burn=20, iterations=80), (1, 2, 4)),
    "nuts": (anb.NUTS(nwalkers=5, burn=40, iterations=40), (1, 3, 4)),
    "tempered": (anb.Tempered(nwalkers=10, ntemps=2, burn=20, iterations=40), (1, 3)),
    "hmc": (anb.HMC(nwalkers=2, burn=40, iterations=40), (1, 2, 4)),
}
KINDS = r"= \S+ (all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter)\("


def engine(analysis: Any = None) -> anb.InferenceEngine:
    problem = line_problem()
    return anb.InferenceEngine(analysis or problem.analysis, problem.model, seed=4)


def run(algorithm: Algorithm, **options: Any) -> anb.Result:
    return engine().run(sampler=algorithm, progress="none", **options)


def chains(case: str, file: Path) -> None:
    """Save a chain by the number of devices; and one that goes on with another."""
    algorithm, numbers = CASES[case]
    half = (algorithm.iterations or 0) // 2
    found = {}
    for number in numbers:
        result = run(algorithm, devices=number)
        assert result.devices == number
        found[f"on {number}"] = whole_chain(result)
    mine, options = engine(), {"sampler": algorithm, "progress": "none"}
    mine.run(**options, iterations=half, devices=numbers[-1])
    for number in numbers[:2]:
        result = mine.run(**options, resume=True, devices=number)
        found[f"resumed on {number}"] = whole_chain(result)
    np.savez(file, **found)


def choices(file: Path) -> None:
    """Save which devices are chosen where a user names none, and what is compiled."""
    walkers, _ = CASES["halves"]
    nuts = anb.NUTS(nwalkers=2, burn=2, iterations=4)
    result = run(nuts)
    found = {"chains": result.devices, "repr": repr(result)}
    found["walkers"] = run(walkers, iterations=2).devices
    found["collectives"] = collectives(walkers)
    run(walkers, devices=2)
    with compilations() as compiled:
        run(dataclasses.replace(nuts, iterations=6))
        run(walkers, devices=2)
    found["compiled again"] = compiled
    with jax.default_device(jax.devices()[1]):
        found["default device"] = run(nuts).devices
    line = line_problem().analysis
    placed = jax.device_put(jnp.asarray(line.x), jax.devices()[1])
    there = engine(Line(placed, line.y, line.yerr))
    with pytest.raises(ValueError, match="expected devices=1 with Nested, which runs"):
        run(anb.Nested(), devices=2)
    found["placed data"] = there.run(sampler=nuts, progress="none").devices
    file.write_text(json.dumps(found))


def collectives(algorithm: Any) -> list[str]:
    """Return what devices tell each other in a compiled step of an ensemble."""
    posterior, key = line_problem().posterior, jax.random.key(0)
    with on_mesh(mesh_for(2, posterior, algorithm)):
        start = draw_start(posterior, key, algorithm.nwalkers)
        state = algorithm.init(posterior, key, start)
        program = ensemble._advance.lower(posterior, state, 3, algorithm.moves)
    return re.findall(KINDS, program.compile().as_text() or "")


if __name__ == "__main__":
    *what, file = sys.argv[1:]
    {"chains": chains, "choices": choices}[what[0]](*what[1:], Path(file))
