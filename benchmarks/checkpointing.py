"""What saving a run costs: the same run with and without ``path=``, interleaved.

The five-parameter fit of ``benchmarks/ensemble.py``: cheap, so that draws come as fast
as they ever do, 10 MB a second and more. Run ``python benchmarks/checkpointing.py``;
the ratio is what counts, for the machine's speed drops out of it.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpyro.distributions as dist
from ensemble import NDIM, NOISE, NWALKERS, POSITION, Curve, X, Y

import ampynb as anb
from ampynb.algorithms.algorithm import Start

STEPS, ROUNDS = 40_000, 15


def seconds_of(seed: int, path: Path | None) -> tuple[float, float]:
    """Run once, and return the wall and the processor time that it took [s]."""
    model = anb.Model(p=dist.Uniform(-5, 5).expand([NDIM]))
    engine = anb.InferenceEngine(Curve(X, Y, NOISE), model, seed=seed)
    wall, processor = time.perf_counter(), time.process_time()
    engine.run(
        nwalkers=NWALKERS,
        iterations=STEPS,
        burn=0,
        start=Start(POSITION),
        path=path,
        progress="none",
    )
    return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    """Time both in turn, several rounds, and print medians and ratios."""
    seconds_of(0, None)  # compile
    plain, saved = [], []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, ROUNDS + 1):
            path = Path(folder) / f"run-{seed}"
            pairs = [(plain, None), (saved, path)]
            for times, where in pairs if seed % 2 else pairs[::-1]:
                times.append(seconds_of(seed, where))
        written = sum(file.stat().st_size for file in Path(folder).rglob("*.bin"))
    print(f"{written / ROUNDS / 1e6:.0f} MB a run")
    for kind, name in enumerate(("wall", "processor")):
        without, with_path = ([times[kind] for times in all] for all in (plain, saved))
        ratios = [b / a for a, b in zip(without, with_path, strict=True)]
        print(
            f"{name:10s} without {statistics.median(without):.3f} s, with path "
            f"{statistics.median(with_path):.3f} s, ratio of pairs "
            f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}),"
            f" of the fastest {min(with_path) / min(without):.3f}"
        )


if __name__ == "__main__":
    main()
