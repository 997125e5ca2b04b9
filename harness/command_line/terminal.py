"""What is printed for people: texts of users in it are inert."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from io import TextIOBase
from typing import TextIO, cast

from assay.results.inert import inert


def print_error(text: str) -> None:
    """Print one line for people on standard error, where bars are drawn, too."""
    print(inert(f"assay: {text}"), file=sys.stderr)


def print_json(content: object) -> None:
    """Print one JSON value on a line, in ASCII, so that inert output leaves it valid."""
    # The one control character that JSON need not escape.
    print(json.dumps(content).replace("\x7f", "\\u007f"))


class OnceHandler(logging.Handler):
    """Writes each message to standard error once; `tell`, or closing, says how often some came again."""

    def __init__(self) -> None:
        super().__init__()
        self._times: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        self._times[text] += 1
        if self._times[text] == 1:
            print(text, file=sys.stderr)

    def forget(self) -> None:
        """Count anew: what was written before is no part of what comes."""
        self._times.clear()

    def tell(self) -> None:
        """Say what was left out, and forget it."""
        again = [(text, times) for text, times in self._times.items() if times > 1]
        self.forget()
        for text, times in again:
            print(f"{text} (this {times} times)", file=sys.stderr)

    def close(self) -> None:
        self.tell()
        super().close()


class InertFormatter(logging.Formatter):
    """Formats a record as one that a terminal shows as it is."""

    def format(self, record: logging.LogRecord) -> str:
        return inert(super().format(record))


class _InertStream(TextIOBase):
    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        self.stream.write(inert(text))
        return len(text)

    def flush(self) -> None:
        self.stream.flush()

    def fileno(self) -> int:
        return self.stream.fileno()

    def isatty(self) -> bool:
        return self.stream.isatty()

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.stream.encoding


def print_styled(pieces: Iterable[tuple[str, str]]) -> None:
    """Print one line in colours: texts, each inert, with the parameters of an SGR sequence ("" for none)."""
    stream = sys.stdout.stream if isinstance(sys.stdout, _InertStream) else sys.stdout
    line = "".join(f"\x1b[{style}m{inert(text)}\x1b[0m" if style else inert(text) for text, style in pieces)
    stream.write(f"{line}\n")


def shows_colours() -> bool:
    """Whether standard output is a terminal whose user wants colours (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


@contextmanager
def inert_output() -> Iterator[None]:
    """All that is printed inside is inert."""
    with redirect_stdout(cast(TextIO, _InertStream(sys.stdout))):
        yield
