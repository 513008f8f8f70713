"""What saving a run costs: the same run with ``path=`` beside itself without.

The five-parameter fit of ``ensemble.py``: cheap, so that draws come as fast as they
ever do, 10 MB a second and more. ``samplers.py`` runs it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpyro.distributions as dist
from contest import Contest
from ensemble import NDIM, NOISE, NWALKERS, POSITION, Curve, X, Y

import ampynb as anb
from ampynb.algorithms.algorithm import Start

STEPS = 40_000


def run(seed: int, path: Path | None = None) -> float:
    """Run once."""
    model = anb.Model(p=dist.Uniform(-5, 5).expand([NDIM]))
    engine = anb.InferenceEngine(Curve(X, Y, NOISE), model, seed=seed)
    engine.run(
        nwalkers=NWALKERS,
        iterations=STEPS,
        burn=0,
        start=Start(POSITION),
        path=path,
        progress="none",
    )
    return STEPS


def run_saved(seed: int) -> float:
    """Run once and save it."""
    with tempfile.TemporaryDirectory() as folder:
        return run(seed, Path(folder) / "run")


CONTESTS = [Contest("saved run / the same unsaved", run_saved, run, 0.98, 15)]
