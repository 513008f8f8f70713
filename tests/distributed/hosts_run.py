"""A script that two processes run together; see `test_hosts`.

``python hosts_run.py WHAT PROCESS PORT FOLDER``, once for each process.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

import ampynb as anb
from ampynb.distributed.hosts import is_first
from ampynb.inference.events import Advanced, Event
from ampynb.inference.store import Folder
from ampynb.inference.store_error import StoreError
from tests.distributed.chains import whole_chain
from tests.helpers import line_problem

CASES: dict[str, dict[str, Any]] = {
    "walkers": {"nwalkers": 11, "burn": 20, "iterations": 60},
    "chains": {"nwalkers": 3, "burn": 40, "iterations": 40, "sampler": "nuts"},
}


def engine(seed: int = 4) -> anb.InferenceEngine:
    problem = line_problem()
    return anb.InferenceEngine(problem.analysis, problem.model, seed=seed)


def chains(folder: Path) -> dict[str, Any]:
    """Save whole chains, one of them stopped on the way and continued from a file."""
    found = {}
    for name, options in CASES.items():
        result = engine().run(**options, progress="json")
        found[name] = whole_chain(result)
    path, options = folder / "run", CASES["walkers"]
    first = engine().run(**{**options, "iterations": 30}, path=path)
    for resume in (True, "auto"):
        result = engine().run(**options, path=path, resume=resume, progress="none")
        found[f"resumed {resume}"] = whole_chain(result)
    np.savez(folder / f"chains-{jax.process_index()}.npz", **found)
    return {"devices": first.devices, "repr": repr(result)}


def ends(folder: Path) -> dict[str, Any]:
    """Return how runs end that the first process stops, or cannot save or begin."""
    long = {**CASES["walkers"], "iterations": 10**6}
    stopper = Stopper()
    stopper.run = engine().start(**long, progress=stopper)
    told: dict[str, Any] = {"stopped": len(stopper.run.wait(100).draws)}
    path = folder / "full"
    if is_first():
        stopper.run = None
        Folder.commit = _full_after(3, Folder.commit)
    try:
        told["full"] = engine().run(**long, path=path, progress="none").reason
    except anb.inference.run.RunFailedError as error:
        told["full"] = str(error)
    for name, options in {
        "seeds": {"engine": engine(seed=jax.process_index())},
        "taken": {"engine": engine(), "path": path},
    }.items():
        mine = options.pop("engine")
        try:
            mine.run(**CASES["walkers"], **options, progress="none")
        except (ValueError, StoreError, RuntimeError) as error:
            told[name] = f"{type(error).__name__}: {error}"
    return told


class Stopper:
    """Stops a run in the first process, where alone it is shown."""

    run: anb.Run | None = None

    def show(self, event: Event) -> None:
        if isinstance(event, Advanced) and event.phase == "sampling" and self.run:
            self.run.stop()


def _full_after(commits: int, commit: Any) -> Any:
    left = [commits]

    def failing(self: Folder, *arguments: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise StoreError("expected room on the disk; got none")
        commit(self, *arguments)

    return failing


if __name__ == "__main__":
    what, process, port, folder = sys.argv[1:]
    jax.distributed.initialize(f"localhost:{port}", 2, int(process))
    told = {"chains": chains, "ends": ends}[what](Path(folder))
    Path(folder, f"told-{process}.json").write_text(json.dumps(told))
    time.sleep(0.1)
