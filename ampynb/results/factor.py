"""What the result of a joint fit says of one of its analyses."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from ampynb.analysis.joint import JointAnalysis
from ampynb.results.latents import Latents

if TYPE_CHECKING:
    import pandas as pd

    from ampynb.plots.figure import NotebookFigure
    from ampynb.results.result import Result

__all__ = ["Factor"]


class Factor:
    """One analysis of a joint fit: ``result["radio"]``.

    The posterior is that of the joint fit; here are the parts of it that this analysis
    has to do with.

    Attributes
    ----------
    result : Result
        Of the joint fit.
    name : str
        Of the analysis; with dots where joint analyses are nested.
    analysis : Analysis
        With its own data.

    Raises
    ------
    KeyError
        Where the fit is not of several analyses, or has none of this name.
    """

    def __init__(self, result: Result, name: str):
        self.result, self.name = result, name
        self._path = name.split(".")
        *self._joints, self.analysis = _members(result.analysis, self._path)

    @property
    def parameters(self) -> list[str]:
        """Elements of the vector that are its own, tied to its own, or shared."""
        rows = {row.name: row for row, _ in self.result.model.entries()}
        seen = {row.source or name for name, row in rows.items() if self._sees(name)}
        return [
            element
            for name, row in rows.items()
            if name in seen and row.kind == "free"
            for element in row.element_names()
        ]

    def _sees(self, parameter: str) -> bool:
        """Tell whether a parameter is not that of another analysis."""
        words = parameter.split(".")
        for word, joint, own in zip(words, self._joints, self._path, strict=False):
            if word != own:
                return word not in joint.analyses
        return True

    @property
    def instance(self) -> Any:
        """What the analysis is given at the joint fit's best point."""
        return self._own(self.result.instance)

    def median(self) -> Any:
        """Return what the analysis is given at the median of each parameter."""
        return self._own(self.result.median())

    def draw_instances(self, n: int, seed: int = 0) -> list:
        """Return what the analysis is given at ``n`` draws of the joint posterior."""
        return [self._own(one) for one in self.result.draw_instances(n, seed)]

    def _own(self, instance: Any) -> Any:
        for joint, name in zip(self._joints, self._path, strict=True):
            instance = joint.instance_of(name, instance)
        return instance

    def of(self, fit: Any) -> Any:
        """Return the part of a `JointFit` that is the fit of this analysis.

        Raises
        ------
        ValueError
            Where the analysis has no ``fit_from``.
        """
        if not self.analysis.has_fit:
            raise ValueError(
                f"expected an analysis with a fit; got {self.name!r}, a likelihood "
                "alone; write fit_from(self, instance) in its class"
            )
        return self._around(fit)[self._path[-1]]

    def _around(self, fit: Any) -> Any:
        """Return the `JointFit`, of those that are nested, which has its fit."""
        for name in self._path[:-1]:
            fit = fit[name]
        return fit

    @property
    def fit(self) -> Any:
        """The fit at the joint fit's best point."""
        return self.of(self._joint_fit)

    @property
    def log_likelihood(self) -> float:
        """Log likelihood of the analysis alone at the joint fit's best point."""
        return float(self._around(self._joint_fit).log_likelihoods[self._path[-1]])

    @property
    def _joint_fit(self) -> Any:
        result = self.result
        result.check_unchanged()
        return result.analysis.fit_for_visualization(result.instance)

    @property
    def latents(self) -> Latents:
        """Its latent variables by name, as `Result.latents` has those of all."""
        return Latents(self.result, self.name)

    def summary(self) -> pd.DataFrame:
        """Return the posterior table of its `parameters` and latent variables."""
        table = self.result.summary()
        latents = [
            name
            for name in table.index
            if name not in self.result.table.names and name.startswith(f"{self.name}.")
        ]
        return table.loc[[*self.parameters, *latents]]

    def corner(self, **options: Any) -> Any:
        """Draw the corner plot of its `parameters`; see `Result.corner`."""
        return self.result.corner(self.parameters, **options)

    def plot_fit(self, n: int = 200, mass: float = 0.68) -> NotebookFigure:
        """Draw its fit, as `Result.plot_fit` does those of all."""
        from ampynb.plots.posterior_fit import posterior_fit

        return posterior_fit(self.result, n, mass, self)

    def __repr__(self) -> str:
        return f"{self._headline()}\n{self.summary().round(4).to_string()}"

    def _repr_html_(self) -> str:
        table = self.summary().to_html(float_format="{:.4g}".format, border=0)
        return f"<b>{escape(self._headline())}</b>{table}"

    def _headline(self) -> str:
        return (
            f"{self.name} of a joint fit: {self.analysis!r}, "
            f"ln likelihood {self.log_likelihood:.2f} at the best point"
        )


def _members(analysis: Any, path: list[str]) -> list[Any]:
    """Return the analyses on the way to a named one, and that one last."""
    found = [analysis]
    for name in path:
        inner = found[-1]
        if not isinstance(inner, JointAnalysis):
            raise KeyError(
                "expected the result of an ampynb.JointAnalysis, whose analyses have "
                f"names; got {name!r} of the analysis {type(inner).__qualname__}"
            )
        if name not in inner.analyses:
            raise KeyError(
                f"expected one of the analyses {', '.join(inner.analyses)}; "
                f"got {name!r}"
            )
        found.append(inner.analyses[name])
    return found
