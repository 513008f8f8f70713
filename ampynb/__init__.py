"""Fit models to data in a notebook: sliders, live samplers, ArviZ output, on JAX.

Importing the package costs little more than importing JAX: every public name is
loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ampynb import _jax_settings

if TYPE_CHECKING:
    from ampynb import datasets, forward_models
    from ampynb.algorithms.ensemble import Ensemble
    from ampynb.algorithms.hmc import HMC, NUTS
    from ampynb.algorithms.moves import DifferentialEvolution, Stretch, Walk
    from ampynb.algorithms.nested import Nested
    from ampynb.algorithms.tempered import Tempered
    from ampynb.analysis.analysis import Analysis
    from ampynb.analysis.fit import GaussianFit, PoissonFit, StudentTFit
    from ampynb.analysis.joint import JointAnalysis, JointFit
    from ampynb.analysis.latent import Latent, LatentError
    from ampynb.analysis.panel import Panel
    from ampynb.analysis.posterior import Posterior
    from ampynb.analysis.register_fit import register_fit
    from ampynb.analysis.rejections import FitException
    from ampynb.inference.calibration import calibrate
    from ampynb.inference.engine import InferenceEngine
    from ampynb.inference.open_run import open_run
    from ampynb.inference.race import Race, race
    from ampynb.inference.run import Run
    from ampynb.inference.stopping import autocorr, ess, rhat, seconds
    from ampynb.inference.store_error import StoreError
    from ampynb.model.instance import Instance
    from ampynb.model.model import Model
    from ampynb.model.parameter import Collection, Parameter
    from ampynb.model.priors import Cosine, Sine, SplitNormal
    from ampynb.plots.corner import corner
    from ampynb.plots.visualizer import Visualizer
    from ampynb.results.netcdf import load
    from ampynb.results.result import Result
    from ampynb.widgets.explore import explore

__version__ = "0.1.0"

_HOMES = {
    "Analysis": "analysis.analysis",
    "Collection": "model.parameter",
    "Cosine": "model.priors",
    "DifferentialEvolution": "algorithms.moves",
    "Ensemble": "algorithms.ensemble",
    "FitException": "analysis.rejections",
    "GaussianFit": "analysis.fit",
    "HMC": "algorithms.hmc",
    "InferenceEngine": "inference.engine",
    "Instance": "model.instance",
    "JointAnalysis": "analysis.joint",
    "JointFit": "analysis.joint",
    "Latent": "analysis.latent",
    "LatentError": "analysis.latent",
    "Model": "model.model",
    "NUTS": "algorithms.hmc",
    "Nested": "algorithms.nested",
    "Panel": "analysis.panel",
    "Parameter": "model.parameter",
    "PoissonFit": "analysis.fit",
    "Posterior": "analysis.posterior",
    "Race": "inference.race",
    "Result": "results.result",
    "Run": "inference.run",
    "Sine": "model.priors",
    "SplitNormal": "model.priors",
    "StoreError": "inference.store_error",
    "Stretch": "algorithms.moves",
    "StudentTFit": "analysis.fit",
    "Tempered": "algorithms.tempered",
    "Visualizer": "plots.visualizer",
    "Walk": "algorithms.moves",
    "autocorr": "inference.stopping",
    "calibrate": "inference.calibration",
    "corner": "plots.corner",
    "ess": "inference.stopping",
    "explore": "widgets.explore",
    "load": "results.netcdf",
    "open_run": "inference.open_run",
    "race": "inference.race",
    "register_fit": "analysis.register_fit",
    "rhat": "inference.stopping",
    "seconds": "inference.stopping",
}
_SUBPACKAGES = ("datasets", "forward_models")

__all__ = [
    "HMC",
    "NUTS",
    "Analysis",
    "Collection",
    "Cosine",
    "DifferentialEvolution",
    "Ensemble",
    "FitException",
    "GaussianFit",
    "InferenceEngine",
    "Instance",
    "JointAnalysis",
    "JointFit",
    "Latent",
    "LatentError",
    "Model",
    "Nested",
    "Panel",
    "Parameter",
    "PoissonFit",
    "Posterior",
    "Race",
    "Result",
    "Run",
    "Sine",
    "SplitNormal",
    "StoreError",
    "Stretch",
    "StudentTFit",
    "Tempered",
    "Visualizer",
    "Walk",
    "autocorr",
    "calibrate",
    "corner",
    "datasets",
    "ess",
    "explore",
    "forward_models",
    "load",
    "open_run",
    "race",
    "register_fit",
    "rhat",
    "seconds",
]

_jax_settings.apply()


def __getattr__(name: str):
    if name in _HOMES:
        value = getattr(importlib.import_module(f"ampynb.{_HOMES[name]}"), name)
    elif name in _SUBPACKAGES:
        value = importlib.import_module(f"ampynb.{name}")
    else:
        raise AttributeError(f"module 'ampynb' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
