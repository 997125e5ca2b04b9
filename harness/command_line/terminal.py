"""Texts of users printed to a terminal: their control characters are shown and not obeyed."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import TextIOBase
from typing import TextIO, cast

# C0 and C1 controls, line separators, and marks that turn the direction of a text. Newline and tab stay.
CONTROLS = {
    code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    for code in (*range(32), *range(127, 160), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if chr(code) not in "\n\t"
}


def inert(text: str) -> str:
    r"""The text with control characters written out.

    Example:
        >>> inert("red: \x1b[31m")
        'red: \\x1b[31m'
    """
    return text.translate(CONTROLS)


class InertFormatter(logging.Formatter):
    """Formats a record as one that a terminal shows as it is."""

    def format(self, record: logging.LogRecord) -> str:
        return inert(super().format(record))


class _InertStream(TextIOBase):
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(inert(text))
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._stream.encoding


@contextmanager
def inert_output() -> Iterator[None]:
    """All that is printed inside is inert."""
    with redirect_stdout(cast(TextIO, _InertStream(sys.stdout))):
        yield
