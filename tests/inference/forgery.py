"""Run folders that are changed with care, so that their checksums are right."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ampynb.inference import manifest as manifest_module
from ampynb.inference.manifest import MANIFEST


def rewrite(path: Path, change: Callable[[dict], Any]) -> None:
    """Change the manifest and let its checksum be right."""
    content = json.loads((path / MANIFEST).read_text())
    form = content.pop("format")
    content.pop("crc32")
    change(content)
    checksum = manifest_module._checksum(content)
    written = {"format": form, "crc32": checksum, **content}
    (path / MANIFEST).write_text(json.dumps(written))
