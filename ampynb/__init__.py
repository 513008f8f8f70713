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
    from ampynb.algorithms.ensemble import DifferentialEvolution, Ensemble, Stretch
    from ampynb.algorithms.hmc import NUTS
    from ampynb.algorithms.tempered import Tempered
    from ampynb.analysis.analysis import Analysis
    from ampynb.analysis.fit import GaussianFit, PoissonFit, StudentTFit
    from ampynb.analysis.panel import Panel
    from ampynb.analysis.posterior import Posterior
    from ampynb.inference.engine import InferenceEngine
    from ampynb.inference.open_run import open_run
    from ampynb.inference.run import Run
    from ampynb.inference.stopping import autocorr, ess, rhat, seconds
    from ampynb.inference.store import StoreError
    from ampynb.model.instance import Instance
    from ampynb.model.model import Model
    from ampynb.model.parameter import Collection, Parameter
    from ampynb.plots.corner import corner
    from ampynb.results.result import Result
    from ampynb.widgets.explorer import explore

__version__ = "0.1.0"

_HOMES = {
    "Analysis": "analysis.analysis",
    "Collection": "model.parameter",
    "DifferentialEvolution": "algorithms.ensemble",
    "Ensemble": "algorithms.ensemble",
    "GaussianFit": "analysis.fit",
    "InferenceEngine": "inference.engine",
    "Instance": "model.instance",
    "Model": "model.model",
    "NUTS": "algorithms.hmc",
    "Panel": "analysis.panel",
    "Parameter": "model.parameter",
    "PoissonFit": "analysis.fit",
    "Posterior": "analysis.posterior",
    "Result": "results.result",
    "Run": "inference.run",
    "StoreError": "inference.store",
    "Stretch": "algorithms.ensemble",
    "StudentTFit": "analysis.fit",
    "Tempered": "algorithms.tempered",
    "autocorr": "inference.stopping",
    "corner": "plots.corner",
    "ess": "inference.stopping",
    "explore": "widgets.explorer",
    "open_run": "inference.open_run",
    "rhat": "inference.stopping",
    "seconds": "inference.stopping",
}
_SUBPACKAGES = ("datasets", "forward_models")

__all__ = [
    "NUTS",
    "Analysis",
    "Collection",
    "DifferentialEvolution",
    "Ensemble",
    "GaussianFit",
    "InferenceEngine",
    "Instance",
    "Model",
    "Panel",
    "Parameter",
    "PoissonFit",
    "Posterior",
    "Result",
    "Run",
    "StoreError",
    "Stretch",
    "StudentTFit",
    "Tempered",
    "autocorr",
    "corner",
    "datasets",
    "ess",
    "explore",
    "forward_models",
    "open_run",
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
