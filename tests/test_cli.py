import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from ampynb import __version__, cli

EVENTS = """
import json, os, time

def log(**event):
    with open(os.environ["AMPYNB_EVENT_LOG"], "a") as file:
        file.write(json.dumps(event) + "\\n")

counts = dict(nwalkers=4, ndim=2, burn=10, iterations=20, seed=1)
log(event="Started", sampler="scripted", **counts)
log(event="PhaseChanged", phase="sampling")
log(event="Advanced", phase="sampling", step=30, total=30, fraction=1.0,
    seconds=1.0, metrics={})
log(event="Finished", reason="completed", step=30, seconds=1.0)
"""
RESULTS = """
import sys
from pathlib import Path

Path("gw170817").mkdir()
Path("gw170817/nuts.nc").write_bytes(bytes(1234))
Path("gw170817/python.txt").write_text(sys.executable)
"""
TABLE = """
class Table:
    def __repr__(self):
        return "slope  2.0"

Table()
"""


def write_notebook(path, *cells):
    import nbformat  # takes seconds

    notebook = nbformat.v4.new_notebook()
    for cell in cells:
        if cell.startswith("# "):
            notebook.cells.append(nbformat.v4.new_markdown_cell(cell))
        else:
            tags = ["posterior-table"] if cell == TABLE else []
            metadata = {"tags": tags}
            new = nbformat.v4.new_code_cell(cell, metadata=metadata)
            notebook.cells.append(new)
    nbformat.write(notebook, path)
    return path


def command(*arguments):
    return [sys.executable, "-m", "ampynb.cli", *map(str, arguments)]


def environment(folder):
    """Jupyter's folders in a temporary one, with a python3 kernel that is broken."""
    kernel = folder / "jupyter" / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    broken = {"argv": ["false"], "display_name": "broken", "language": "python"}
    kernel.write_text(json.dumps(broken))
    names = ("DATA", "CONFIG", "RUNTIME")
    jupyter = {f"JUPYTER_{name}_DIR": str(folder / "jupyter") for name in names}
    return {**os.environ, **jupyter, "IPYTHONDIR": str(folder / "ipython")}


def run_quickstart(tmp_path, *cells):
    notebook = write_notebook(tmp_path / "stand_in.ipynb", *cells)
    arguments = "quickstart", "--notebook", notebook, "--output", tmp_path / "out"
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(tmp_path),
        timeout=120,
    )


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"ampynb {__version__}\n"


def test_no_command_prints_help(capsys):
    assert cli.main([]) == 0
    shown = capsys.readouterr().out
    assert "lab" in shown and "quickstart" in shown


def test_quickstart_passes_no_arguments_on(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["quickstart", "--", "--port=1"])
    assert stop.value.code == 2
    assert "--port=1" in capsys.readouterr().err


def test_quickstart_runs_and_lists_its_results(tmp_path):
    (tmp_path / "out").mkdir()
    old = tmp_path / "out" / "old.txt"
    old.touch()
    os.utime(old, (0, 0))
    done = run_quickstart(tmp_path, "# One\n\n## Fit", EVENTS, "# Save", RESULTS, TABLE)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "cell 1 of 3: Fit"
    assert "cell 3 of 3: Save" in lines
    assert "  scripted: 4 x 30 steps" in lines
    assert "completed after 30 steps in 1.0 s" in lines
    assert lines[lines.index("posterior:") + 1] == "slope  2.0"
    out = tmp_path / "out"
    written = lines[lines.index(f"written to {out}:") + 1 :]
    assert [line.split()[-1] for line in written] == [
        "gw170817/nuts.nc",
        "gw170817/python.txt",
        "stand_in.html",
    ]
    assert "1.23kB" in written[0]
    assert (out / "gw170817" / "python.txt").read_text() == sys.executable
    assert "slope  2.0" in (out / "stand_in.html").read_text()
    assert done.stderr == ""


@pytest.mark.slow
def test_failing_cell_is_named(tmp_path):
    done = run_quickstart(tmp_path, "# One", "print('before')", "# Two", "[][3]", "1")
    assert done.returncode == 1
    assert "failed in cell 2 of 3: Two" in done.stdout
    assert "[][3]" in done.stdout
    assert "IndexError: list index out of range" in done.stdout
    assert "\x1b" not in done.stdout
    assert "cell 3" not in done.stdout
    assert "before" in (tmp_path / "out" / "stand_in.html").read_text()


@pytest.mark.slow
def test_dead_kernel_is_told(tmp_path):
    done = run_quickstart(tmp_path, "# One", "import os; os._exit(1)")
    assert done.returncode == 1
    assert "failed in cell 1 of 1: One" in done.stdout
    assert "Kernel died" in done.stdout


@pytest.mark.slow
def test_interrupt_ends_the_kernel(tmp_path):
    sleep = (
        "import os, time\nfrom pathlib import Path\n"
        "Path('pid').write_text(str(os.getpid()))\ntime.sleep(60)"
    )
    notebook = write_notebook(tmp_path / "long.ipynb", sleep)
    arguments = "quickstart", "--notebook", notebook, "--output", tmp_path
    with subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, text=True
    ) as running:
        pid = int(wait_for(lambda: read(tmp_path / "pid")))
        running.send_signal(signal.SIGINT)
        shown, _ = running.communicate(timeout=60)
    assert running.returncode == cli.INTERRUPTED
    assert "interrupted" in shown
    assert (tmp_path / "long.html").exists()
    wait_for(lambda: not Path(f"/proc/{pid}").exists())


def test_missing_notebook_is_told(tmp_path, capsys):
    missing = tmp_path / "missing.ipynb"
    assert cli.main(["quickstart", "--notebook", str(missing)]) == 1
    assert str(missing) in capsys.readouterr().err


@pytest.mark.parametrize("subcommand", ["lab", "quickstart"])
def test_missing_jupyter_is_told(subcommand, monkeypatch, capsys):
    monkeypatch.setattr(cli.importlib.util, "find_spec", lambda name: None)
    assert cli.main([subcommand]) == 1
    assert "pip install 'ampynb[lab]'" in capsys.readouterr().err


@pytest.mark.parametrize("as_root", [False, True])
@pytest.mark.parametrize("browser", [False, True])
def test_lab_command(as_root, browser):
    notebook = Path("/somewhere/notebooks/quick.ipynb")
    made = cli.lab_command(notebook, as_root=as_root, browser=browser)
    assert made[:1] + made[2:4] == [sys.executable, "-m", "jupyterlab"]
    assert ("--allow-root" in made) is as_root
    assert ("--no-browser" in made) is not browser
    assert "--ServerApp.root_dir=/somewhere" in made
    assert "--LabApp.default_url=/lab/tree/notebooks/quick.ipynb" in made


def test_arguments_passed_on_replace_defaults():
    passed_on = ["--port=9999", "--log-level=INFO", "--no-browser"]
    made = cli.lab_command(
        Path("a/b.ipynb"), as_root=False, browser=False, passed_on=passed_on
    )
    assert made[-3:] == passed_on
    assert made.count("--no-browser") == 1
    assert "--log-level=WARN" not in made


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ""}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("linux", {"BROWSER": "firefox"}, True),
        ("darwin", {}, True),
        ("win32", {}, True),
    ],
)
def test_can_open_browser(platform, variables, expected):
    assert cli.can_open_browser(platform, variables) is expected


def test_installed_notebook_is_copied_and_never_overwritten(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "ampynb"
    (package / "notebooks").mkdir(parents=True)
    shipped = package / "notebooks" / cli.NOTEBOOK
    shipped.write_text("shipped")
    monkeypatch.setattr(cli, "__file__", str(package / "cli.py"))
    assert cli._shipped_notebook() == shipped
    copy = cli._notebook_to_edit(shipped, tmp_path)
    assert copy == tmp_path / "notebooks" / cli.NOTEBOOK
    assert copy.read_text() == "shipped"
    copy.write_text("edited")
    assert cli._notebook_to_edit(shipped, tmp_path).read_text() == "edited"


def test_lab_serves_the_notebook_at_the_printed_address(tmp_path):
    log = tmp_path / "log.txt"
    with log.open("w") as output:
        server = subprocess.Popen(
            command(
                "lab", "--no-browser", "--", "--port=0", "--ServerApp.ip=127.0.0.1"
            ),
            stdout=output,
            stderr=output,
            cwd=tmp_path,
            env=environment(tmp_path),
        )
    try:
        address = re.compile(r"http://127\.0\.0\.1:\d+/lab/tree/\S+\?token=\w+")
        found = wait_for(lambda: address.search(log.read_text()))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for url in (found[0], found[0].replace("/lab/tree/", "/api/contents/")):
            with opener.open(url, timeout=30) as answer:
                assert answer.status == 200
        contents = json.loads(opener.open(url, timeout=30).read())
        assert contents["name"] == cli.NOTEBOOK
    finally:
        server.terminate()
        server.wait(30)


def wait_for(condition, timeout=60):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise TimeoutError(f"not within {timeout} s")


def read(path):
    return path.read_text() if path.exists() else ""
