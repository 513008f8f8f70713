"""An analysis, and those that it joins, as the hooks of a run see them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ampynb.analysis.analysis import Analysis
from ampynb.analysis.joint import JointAnalysis

__all__ = ["Part", "check_visualizers", "parts_of"]

IMAGES = "images"


@dataclass(frozen=True)
class Part:
    """An analysis, alone or within a joint one, with its own folder and instances."""

    analysis: Analysis
    folder: Path | None
    name: str = ""
    instance_of: Callable[[Any], Any] = lambda instance: instance

    def label(self, hook: str) -> str:
        """Return the name of a hook, the analysis before it."""
        return f"{self.name}.{hook}" if self.name else hook

    def own_folder(self) -> Path | None:
        """Return the folder, which is there from now on."""
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder

    def keep(self, returned: Any, name: str) -> bytes | None:
        """Save what a hook returned, figures or nothing; return the first as PNG."""
        if returned is None:
            return None
        from ampynb.plots.visualizer import png_of

        named = returned if isinstance(returned, dict) else {name: returned}
        pngs = {name: png_of(figure) for name, figure in named.items()}
        if self.folder is not None:
            images = self.folder / IMAGES
            images.mkdir(parents=True, exist_ok=True)
            for name, png in pngs.items():
                fresh = images / f"{name}.png.new"
                fresh.write_bytes(png)
                os.replace(fresh, images / f"{name}.png")
        return next(iter(pngs.values()), None)


def parts_of(analysis: Analysis, folder: Path | None, name: str = "") -> Iterator[Part]:
    """Yield an analysis, and those that it joins, each with a folder of its own."""
    yield Part(analysis, folder, name)
    if not isinstance(analysis, JointAnalysis):
        return
    for own, member in analysis.analyses.items():
        below = parts_of(member, folder and folder / own, f"{name}.{own}".strip("."))
        for part in below:
            yield Part(
                part.analysis,
                part.folder,
                part.name,
                lambda whole, own=own, part=part: part.instance_of(
                    analysis.instance_of(own, whole)
                ),
            )


def check_visualizers(analysis: Analysis) -> None:
    """Raise `TypeError` for a ``Visualizer`` that is none."""
    for part in parts_of(analysis, None):
        kind: Any = part.analysis.Visualizer
        if kind is None:
            continue
        from ampynb.plots.visualizer import Visualizer

        if not (isinstance(kind, type) and issubclass(kind, Visualizer)):
            raise TypeError(
                f"expected {type(part.analysis).__qualname__}.Visualizer to be a "
                f"subclass of ampynb.Visualizer; got {kind!r}; write class "
                "Own(ampynb.Visualizer)"
            )
