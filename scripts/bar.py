"""What the scripts share: the command line, tables, the `bar:` line, processes of their own.

Every script takes --quick and ends with `bar: met` or `bar: missed`, the exit status 0 or 1, and the figures.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

HIDDEN = argparse.SUPPRESS  # the help of an option that only the script itself gives


def options(doc: str | None, quick: str, **further: tuple[Any, str]) -> argparse.Namespace:
    """Read the command line.

    Args:
        doc: The script's docstring, which --help prints.
        quick: What --quick leaves out.
        **further: Name to (default, help) of the other options. A type in place of the default means no
            default, False a flag, a list one value or more.

    Returns:
        The options by name; `quick` is a bool.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=quick)
    for name, (default, text) in further.items():
        parser.add_argument(f"--{name}", **_argument(default, text))
    return parser.parse_args()


def _argument(default: Any, text: str) -> dict[str, Any]:
    if default is False:
        return {"action": "store_true", "help": text}
    if isinstance(default, type):
        return {"type": default, "help": text}
    shown = text if text is HIDDEN else f"{text} (default: {default})"
    if isinstance(default, list):
        return {"default": default, "help": shown, "nargs": "+", "type": type([*default, ""][0])}
    return {"default": default, "help": shown, "type": type(default)}


class Table:
    """A Markdown table, printed row by row.

    Example:
        >>> Table("method", seconds=".1f").row("lime", 2)
        | method | seconds |
        | --- | ---: |
        | lime | 2.0 |
    """

    def __init__(self, *names: str, **numbers: str) -> None:
        """Print the head.

        Args:
            *names: Columns of text, on the left.
            **numbers: Columns of numbers after them, name to format; `_` in a name stands for a space.
        """
        self._formats = [""] * len(names) + list(numbers.values())
        titles = [*names, *(name.replace("_", " ") for name in numbers)]
        self._print(titles)
        self._print(["---"] * len(names) + ["---:"] * len(numbers))

    def row(self, *cells: Any) -> None:
        """Print a row; None and NaN are dashes, text stays as it is."""
        padded = [*cells, *[""] * (len(self._formats) - len(cells))]
        self._print(_cell(*pair) for pair in zip(padded, self._formats, strict=True))

    @staticmethod
    def _print(cells: Iterable[str]) -> None:
        print(f"| {' | '.join(cells)} |", flush=True)


def _cell(value: Any, form: str) -> str:
    if isinstance(value, str):
        return value
    return "–" if value is None or value != value else format(value, form)


def finish(met: bool, figures: str) -> NoReturn:
    """Print the last line and leave with its exit status."""
    print(f"bar: {'met' if met else 'missed'}; {figures}")
    sys.exit(not met)


def own_process(script: str, *arguments: object) -> Any:
    """Run a script again in a process of its own and return the JSON of its last line.

    Raises:
        SystemExit: it failed; with what it printed.
    """
    command = [sys.executable, script, *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"{' '.join(command[1:])} failed:\n{run.stderr}")
    return json.loads(run.stdout.splitlines()[-1])
