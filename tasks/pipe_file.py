"""Files with `|` between fields and a record a line, as US agencies publish them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from assay.tasks.counted import counted
from assay.tasks.errors import InputError, did_you_mean
from assay.tasks.files import check_file

# So many lines tell whether fields stand in quotes; so many broken ones are named.
_LINES_LOOKED_AT = 50
_NAMED = 5
# No record is longer: a file without line ends is none of this kind.
_LONGEST_LINE = 1_000_000


@dataclass(slots=True)
class PipeFile:
    """A file that is read line by line, so that memory does not grow with it.

    Broken lines are counted by their fault, and passed over: `broken` has the numbers of the first few.

    Attributes:
        path: the file: UTF-8, or cp1252 and Latin-1 line by line.
        wanted: the columns to read, in upper case; others may be there, in any order.
        broken: of each fault, how many lines have it and which the first are.
    """

    path: Path
    wanted: Sequence[str]
    broken: dict[str, tuple[int, list[int]]] = field(default_factory=dict)

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """The number and the wanted columns of every whole line.

        Raises:
            InputError: on an empty file, another layout, or a wanted column that is not there, or twice.
        """
        check_file(self.path)
        quoted = self._quoted()
        bare = _bare if quoted else str.strip
        with self.path.open("rb") as file:
            names = self._names(file.readline(_LONGEST_LINE))
            places = [(name, names.index(name)) for name in self.wanted]
            number = 1
            while line := file.readline(_LONGEST_LINE):
                number += 1
                fields = _fields(_text(line), quoted, len(names))
                if fields is None:
                    if line.strip():
                        self.count(f"{len(names)} fields expected", number)
                    continue
                yield number, {name: bare(fields[place]) for name, place in places}

    def count(self, fault: str, number: int) -> None:
        """Count a line that is passed over."""
        lines, first = self.broken.get(fault, (0, []))
        self.broken[fault] = (lines + 1, first if len(first) == _NAMED else [*first, number])

    def faults(self) -> Iterator[str]:
        """A part of a sentence for each fault: how many lines, and which."""
        for fault, (lines, first) in self.broken.items():
            named = ", ".join(map(str, first)) + (", ..." if lines > len(first) else "")
            yield f"{counted(lines, 'broken line')} ({fault}; line {named})"

    def _quoted(self) -> bool:
        """Whether fields stand in quotes: most of those with a text, of the first lines."""
        with self.path.open("rb") as file:
            lines = [_text(file.readline(_LONGEST_LINE)) for _ in range(1 + _LINES_LOOKED_AT)]
        texts = [
            field.strip()
            for line in islice(lines, 1, None)
            for field in line.split("|")
            if any(map(str.isalpha, field))
        ]
        return 2 * sum(len(text) > 1 and text[0] == text[-1] == '"' for text in texts) > len(texts)

    def _names(self, line: bytes) -> list[str]:
        if line.startswith(b"PK\x03\x04"):
            raise InputError(f"{self.path} is a zip archive; unpack it, and give the text file inside")
        if line.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in line:
            raise InputError(
                f"{self.path} is UTF-16 or no text; expected the official file, or save it in UTF-8"
            )
        if not line.strip():
            raise InputError(f"{self.path} begins with an empty line; expected the columns' names")
        if b"\r" in line.rstrip(b"\r\n"):
            raise InputError(
                f"{self.path}: lines end with a carriage return alone; expected line feeds, save it with them"
            )
        header = _text(line).removeprefix("\ufeff").strip()
        names = [name.strip().strip('"').strip().upper() for name in header.split("|")]
        if len(names) == 1:
            raise InputError(
                f"{self.path}, line 1 has no '|' between names of columns ({header[:60]!r}); expected the "
                "official pipe-delimited file; other tables are read by task=local"
            )
        for name in self.wanted:
            if name not in names:
                raise InputError(f"{self.path} has no column {name!r}; {did_you_mean(name, names)}")
            if names.count(name) > 1:
                raise InputError(f"{self.path}: two columns have the name {name!r}; rename one")
        return names


def _text(line: bytes) -> str:
    """A line without its end. Its bytes are UTF-8, else cp1252, else Latin-1, in which every byte is one."""
    line = line.rstrip(b"\r\n")
    for encoding in ("utf-8", "cp1252"):
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            continue
    return line.decode("latin-1")


def _fields(line: str, quoted: bool, count: int) -> list[str] | None:
    """The fields of a line, perhaps in quotes; None if there are not `count`.

    A `|` inside of quotes parts no fields. A quote that is not doubled is a character: "the 6" pipe".
    """
    fields = line.split("|")
    if not quoted:
        return fields if len(fields) == count else None
    torn = [field for field in fields if field[:1] == '"' and (field[-1:] != '"' or len(field) < 2)]
    if len(fields) == count and not torn:
        return fields
    if len(fields) <= count:
        return None
    try:
        parsed = next(csv.reader([line], delimiter="|", strict=True), [])
    except csv.Error:
        return None
    # In quotes again, as the fields of other lines are.
    return [f'"{field}"' for field in parsed] if len(parsed) == count else None


def _bare(field: str) -> str:
    """A field without the quotes around it."""
    field = field.strip()
    quoted = len(field) > 1 and field[0] == field[-1] == '"'
    return field[1:-1].replace('""', '"').strip() if quoted else field
