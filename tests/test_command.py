"""The command as the shell runs it: by module, into a pipe that closes, and without heavy imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "transformers", "pandas", "scipy", "sklearn", "matplotlib", "datasets", "hydra")


def test_python_m_assay_is_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "assay", "--version"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout.startswith("assay ")


def test_a_reader_that_stops_early_ends_the_command_quietly(tmp_path: Path) -> None:
    # `head` may leave before the command writes at all: the error is certain where the pipe has no reader.
    program = (
        "import sys; sys.stdin.readline(); from assay.harness.cli import main; sys.exit(main(['--help']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin and process.stdout and process.stderr
    process.stdout.close()
    process.stdin.write(b"go\n")
    process.stdin.close()
    assert process.stderr.read() == b""
    assert process.wait() == 0
    process.stderr.close()


@pytest.mark.parametrize(
    "program",
    ["import assay", "from assay.harness.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"],
    ids=["import", "help"],
)
def test_nothing_heavy_is_imported(program: str, tmp_path: Path) -> None:
    listing = "import json, sys; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    command = [sys.executable, "-c", f"{program}\n{listing}"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in json.loads(run.stderr)}
    assert "assay" in loaded
    assert not loaded & set(HEAVY)
