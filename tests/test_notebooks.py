import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))  # the first runs in a browser


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_notebook_is_valid_and_stored_without_outputs(path):
    import nbformat  # takes seconds

    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            assert cell.outputs == [], f"cell {index} has outputs"
            assert cell.execution_count is None, f"cell {index} has a count"
    assert "widgets" not in notebook.metadata


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS[1:], ids=lambda path: path.stem)
def test_notebook_runs(path, tmp_path):
    # A process of its own: warnings of the Jupyter libraries are not this test's.
    command = [sys.executable, "-m", "ampynb.cli", "quickstart"]
    done = subprocess.run(
        [*command, "--notebook", str(path), "--output", str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
