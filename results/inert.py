"""Texts of users that are shown and never obeyed: by a terminal, a page, a picture or a spreadsheet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

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
    return text.replace("\r\n", "\n").translate(CONTROLS)


# What a spreadsheet takes for a formula, and is not just a number.
_FORMULA = re.compile(r"(?![+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$)[=+\-@\t\r]", re.IGNORECASE)


def inert_cell(text: str) -> str:
    """An inert text with an apostrophe before it if a spreadsheet would take it for a formula.

    Numbers are left alone, even as texts.

    Example:
        >>> inert_cell("=1+1"), inert_cell("-5")
        ("'=1+1", '-5')
    """
    return inert(f"'{text}" if _FORMULA.match(text) else text)


def to_csv(table: pd.DataFrame, float_format: str | None = None) -> bytes:
    """The table as a CSV file in which no text, and no column's name, is a formula or moves a cursor."""
    plain = table.copy()
    for place, dtype in enumerate(table.dtypes):
        if dtype.kind not in "biuf":
            plain.isetitem(place, [_cell(value) for value in table.iloc[:, place]])
    plain.columns = [inert_cell(str(name)) for name in table.columns]
    return plain.to_csv(index=False, lineterminator="\n", float_format=float_format).encode()


def _cell(value: object) -> object:
    return inert_cell(value) if isinstance(value, str) else value
