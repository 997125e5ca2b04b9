"""The fenced blocks of the documentation, and how each is run as it is written."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# A block of a list is indented as its item is.
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", flags=re.S | re.M)
# The first line of a block may name the file that it is: `# mymodel.py`, `# myconf/model/mine.yaml`.
FILE = re.compile(r"^# ([\w/]+\.(?:py|yaml))\n")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
        page: Path of the page from the root.
        number: Place among the blocks of the page, from 0.
        language: What stands behind the fence; "" for commands and for what they print.
        text: The block without its fences.
    """

    page: str
    number: int
    language: str
    text: str

    @property
    def name(self) -> str:
        """Page and first words, which name the block in the tables of the tests."""
        first = next((line for line in self.text.splitlines() if line.strip()), "")
        return f"{self.page}: {first[:60]}"

    @property
    def file(self) -> str | None:
        """Where the block is saved, if it says so."""
        match = FILE.match(self.text)
        return match[1] if match else None

    @property
    def commands(self) -> list[str]:
        """Its shell commands, lines joined at backslashes and in quotes; of a session those after `$`."""
        lines = self.text.replace("\\\n", " ").splitlines()
        if any(line.startswith("$ ") for line in lines):
            return [line[2:] for line in lines if line.startswith("$ ")]
        commands, open_lines = [], ""
        for line in lines:
            open_lines += line
            if _quotes_are_closed(open_lines):
                commands.append(open_lines)
                open_lines = ""
            else:
                open_lines += "\n"
        return [command for command in commands if command.strip() and not command.startswith("#")]


def _quotes_are_closed(command: str) -> bool:
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return True


def blocks() -> Iterator[Block]:
    """Every fenced block of every page."""
    for page in PAGES:
        name = str(page.relative_to(ROOT))
        for number, match in enumerate(FENCE.finditer(page.read_text(encoding="utf-8"))):
            yield Block(name, number, match[2], textwrap.dedent(match[3]))


def block_at(beginning: str) -> Block:
    """The one block whose name begins so."""
    (block,) = (block for block in blocks() if block.name.startswith(beginning))
    return block


def type_command(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command line in a folder as a user types it; `assay` and `python` are on the path."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PATH"] = f"{folder / '.bin'}{os.pathsep}{environment['PATH']}"
    # As the entry point that pip makes: the folder of the program, not the current one, is on the path.
    for name, options in (("assay", "-P -m assay"), ("python", "")):
        program = folder / ".bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(
            f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {options} "$@"\n', encoding="utf-8"
        )
        program.chmod(0o755)
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
