"""What an analysis may do around a fit, and what it costs in memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from ampynb.analysis.posterior import Posterior
    from ampynb.model.model import Model
    from ampynb.model.parameter import Collection

__all__ = ["Hooks", "is_written"]


class Hooks:
    """The hooks of `Analysis`, which do nothing until users write them.

    Where one takes ``paths``, it is given the folder of the run, or None where the run
    is not saved. `Analysis` says in which order they are called.
    """

    Visualizer: ClassVar[type | None] = None

    use_jax_for_visualization: bool

    def modify_model(self, model: Model) -> Any:
        """Return the model that is fitted in the place of the one that was given."""
        return model

    def modify_before_fit(self, paths: Path | None, model: Model) -> Any:
        """Return the analysis that is fitted in the place of this one."""
        return self

    def save_attributes(self, paths: Path | None) -> None:
        """Save what belongs to the analysis, before the first draw."""

    def perform_quick_update(self, paths: Path | None, instance: Any) -> Any:
        """Look at the best point so far, while the run goes on.

        Returns
        -------
        matplotlib figure, or dict of str to matplotlib figure, optional
            The first is shown in the monitor; all are kept in the folder, under
            ``images``, as ``quick_update.png`` or by name.
        """

    def make_result(self, kind: type, **parts: Any) -> Any:
        """Return the result of a run, also of one that goes on.

        Parameters
        ----------
        kind : type
            ``Result`` of the analysis, or `ampynb.Result`.
        **parts
            What `ampynb.Result` takes, by name.
        """
        return kind(**parts)

    def save_results(self, paths: Path | None, result: Any) -> None:
        """Save what is made of the draws, after the last."""

    def save_results_combined(self, paths: Path | None, result: Any) -> None:
        """Save what is made of several analyses; of a `JointAnalysis` alone."""

    def modify_after_fit(self, paths: Path | None, model: Model, result: Any) -> Any:
        """Return the analysis that the result has from now on."""
        return self

    @property
    def supports_background_update(self) -> bool:
        """Whether updates may be made beside the run, in a thread of their own.

        Otherwise the run waits for them. Figures of ``matplotlib.pyplot`` belong to
        the main thread; those of ``matplotlib.figure.Figure`` to any.
        """
        return False

    @property
    def supports_jax_visualization(self) -> bool:
        """Whether `fit_for_visualization` is compiled."""
        return self.use_jax_for_visualization

    # Beside a fit

    def with_model(self, model: Model | Collection) -> Posterior:
        """Return the analysis with the model that it is evaluated with from now on.

        ``InferenceEngine(analysis.with_model(model))`` fits that one and no other.
        """
        from ampynb.analysis.posterior import Posterior

        return Posterior(self, model)  # type: ignore[arg-type]

    def vram_use(
        self, model: Model | Collection, batch_size: int, gradient: bool = False
    ) -> int:
        """Return the memory that so many likelihoods at once take [bytes].

        They are compiled, and not computed: the numbers are the compiler's own, of
        arguments, results and whatever is in between.

        Parameters
        ----------
        model : Model or Collection
        batch_size : int
            Points that are computed at once: walkers, chains or live points.
        gradient : bool
            With their gradients, as NUTS and HMC need them.

        Raises
        ------
        ValueError
            Where the likelihood is not written in JAX, or there is no batch.
        """
        from ampynb.analysis.memory import memory_of_likelihoods

        return memory_of_likelihoods(self.with_model(model), batch_size, gradient)

    def print_vram_use(
        self, model: Model | Collection, batch_size: int, gradient: bool = False
    ) -> None:
        """Print `vram_use` in words."""
        mebibytes = self.vram_use(model, batch_size, gradient) / 2**20
        what = "likelihoods and gradients" if gradient else "likelihoods"
        print(f"{mebibytes:.3g} MiB for {batch_size} {what} at once")


def is_written(analysis: Any, hook: str) -> bool:
    """Whether users have written a hook."""
    return getattr(type(analysis), hook) is not getattr(Hooks, hook)
