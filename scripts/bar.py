"""What the scripts share: the command line, tables, the `bar:` line, processes of their own.

Every script takes --quick and ends with `bar: met` or `bar: missed`, the exit status 0 or 1, and the figures.
"""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, NoReturn, ParamSpec, TypeVar

P = ParamSpec("P")
Result = TypeVar("Result")


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
    argument = {"default": default, "help": f"{text} (default: {default})"}
    if isinstance(default, list):
        return {**argument, "nargs": "+", "type": type([*default, ""][0])}
    return {**argument, "type": type(default)}


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


def finish_times(
    quantiles: Sequence[tuple[float, float]], claim: str, measured: float, most: float
) -> NoReturn:
    """Finish a measurement of seconds: is 0 < p50 <= p95 on every line, and a share at most so large?

    Args:
        quantiles: p50 and p95 of every line.
        claim: What the share says, up to its number.
        measured: The share.
        most: Its largest admissible value.
    """
    ordered = sum(0 < p50 <= p95 for p50, p95 in quantiles)
    finish(
        ordered == len(quantiles) and measured <= most,
        f"0 < p50 <= p95 on {ordered} of {len(quantiles)} lines; {claim} at most {measured:.1%} (at most "
        f"{most:.0%})",
    )


def peak() -> float:
    """The process' peak memory so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fresh_process(function: Callable[P, Result], *arguments: P.args, **options: P.kwargs) -> Result:
    """What a function of a script returns in a new interpreter, which imports that script first."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments, **options).result()
