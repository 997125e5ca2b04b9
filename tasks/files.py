"""Reading the files that data sets come in, row by row, with the place of every mistake."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from assay.tasks.errors import InputError, did_you_mean

# So many rows tell what parts the fields of a CSV file.
ROWS_LOOKED_AT = 50
# Around lists that are written into a cell.
BRACKETS = ("[]", "()", "{}")


class Row(NamedTuple):
    """One record: where it stands (file and line, for messages) and its values by column."""

    where: str
    values: Mapping[str, Any]


def is_there(path: Path) -> bool:
    """Whether there is such a file or folder; `Path.exists` raises OSError on a name too long for any."""
    try:
        return path.exists()
    except OSError:
        return False


def given_path(path: str | Path | None, *, option: str, what: str, source: str) -> Path:
    """The path as an existing file or folder. Raises InputError saying which option to set and where data is.

    option: the setting a user gives it by. what: what it should hold. source: where that comes from.
    """
    if path is None:
        raise InputError(f"no path to {what} is given; set {option}=<path> (data: {source})")
    found = Path(path).expanduser()
    if not is_there(found):
        raise InputError(f"{found} does not exist; set {option} to {what} (data: {source})")
    if not found.is_file() and not found.is_dir():
        raise InputError(f"{found} is a device or a pipe; set {option} to {what} (data: {source})")
    return found


def decoded(data: bytes, where: str) -> str:
    """UTF-8 bytes as text, a byte order mark removed. Raises InputError on empty or undecodable bytes."""
    if not data.strip():
        raise InputError(f"{where} is empty; expected text in it")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{where}, line {line}: the byte 0x{data[error.start]:02x} is not UTF-8; save the file in UTF-8"
        ) from error


def check_file(path: Path) -> None:
    """Raise InputError unless the path is a file."""
    if not path.is_file():
        raise InputError(f"there is no file {path}; expected a file there, check the folder and the name")


def file_text(path: Path) -> str:
    """The text of a file. Raises InputError when it is missing, a folder, empty or not UTF-8."""
    check_file(path)
    return decoded(path.read_bytes(), str(path))


def check_columns(where: str, found: Sequence[str], wanted: Sequence[str]) -> None:
    """Raise InputError on the first wanted column that is not among those found."""
    for column in wanted:
        if column not in found:
            unlabelled = "; for texts without labels set label=null" if column == "label" else ""
            raise InputError(f"{where} has no column {column!r}; {did_you_mean(column, found)}{unlabelled}")


def csv_rows(
    path: Path,
    *,
    wanted: Sequence[str],
    delimiter: str = ",",
    quotes: bool = True,
    header: Sequence[str] | None = None,
    loosely: bool = False,
) -> Iterator[Row]:
    """The records of a CSV file. Raises InputError on a broken record, a missing column, or no record at all.

    delimiter: what parts the fields, unless the first row only has the wanted columns with ; or tab or |.
    quotes: whether `"` encloses fields. header: the columns' names if the file does not begin with them.
    Columns wanted by number, such as "0", are places where the first row does not have them as names.
    loosely: whether names of columns count in any case and with blanks around, and rows of empty fields, as
    spreadsheets leave them, are passed over.
    """
    text = file_text(path)
    if loosely:
        names, end, rest = text.partition("\n")
        text = re.sub(r" *([,;\t|]) *", r"\1", names.strip(" ").lower()) + end + rest
    columns = list(header) if header is not None else None
    if columns is not None:
        check_columns(f"{path} (columns named by header)", columns, wanted)
        _check_once(f"{path} (columns named by header)", columns, wanted)
    # A long text is no fault. The limit is one for all of Python, and others may be reading: it only rises.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    delimiter = _delimiter(path, text, delimiter, wanted, columns)
    style = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=style, strict=True)
    last_line, count = 0, 0
    try:
        for fields in reader:
            where = f"{path}, line {last_line + 1}"
            last_line = reader.line_num
            if not fields or (loosely and not any(map(str.strip, fields))):
                continue
            if header is not None and count == 0 and [field.strip() for field in fields] == list(header):
                raise InputError(f"{where} holds the columns' names; leave task.header out")
            if columns is None:
                columns = fields if _by_name(fields, wanted) else [str(place) for place in range(len(fields))]
                _check_once(where, columns, wanted)
                check_columns(str(path), columns, wanted)
                if columns is fields:
                    continue
            if len(fields) != len(columns):
                raise InputError(
                    f"{where} has {len(fields)} fields; expected {len(columns)} ({', '.join(columns)})"
                )
            count += 1
            yield Row(where, dict(zip(columns, fields, strict=True)))
    except csv.Error as error:
        raise InputError(
            f"{path}, line {last_line + 1}: the record cannot be read ({error}); "
            "mend its quotes, or use JSONL or Parquet"
        ) from error
    if count == 0:
        raise InputError(f"{path} has no rows; expected at least one below the column names")


def _check_once(where: str, columns: Sequence[str], wanted: Sequence[str]) -> None:
    for column in wanted:
        if columns.count(column) > 1:
            raise InputError(f"{where}: two columns have the name {column!r}; rename one")


def _by_name(fields: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether a first row holds the columns' names, because it has those wanted or they are no numbers."""
    return set(wanted) <= set(fields) or not all(map(str.isdecimal, wanted))


def _delimiter(path: Path, text: str, usual: str, wanted: Sequence[str], header: Sequence[str] | None) -> str:
    """What parts the fields of a CSV text: the usual delimiter, unless another gives what is expected.

    By names, the first row decides. By places or with a `header`, rows must have equally many fields; raises
    InputError where two delimiters cut them so.
    """
    candidates = tuple(dict.fromkeys((usual, ",", ";", "\t", "|")))
    lines = list(islice((line for line in io.StringIO(text, newline="") if line.strip()), ROWS_LOOKED_AT))
    first = {each: next(csv.reader(lines[:1], delimiter=each), []) for each in candidates}
    if header is None and any(_by_name(fields, wanted) for fields in first.values()):
        return next((each for each in candidates if set(wanted) <= set(first[each])), usual)
    least = len(header) if header is not None else 1 + max(map(int, wanted))
    fitting = []
    for each in candidates:
        counts = {len(fields) for fields in csv.reader(lines, delimiter=each)}
        if len(counts) == 1 and (counts == {least} if header is not None else min(counts) >= least):
            fitting.append(each)
    if len(fitting) > 1 and least > 1:
        raise InputError(
            f"{path}: fields could be parted by {' or '.join(map(repr, fitting))}; name the columns in the "
            "first row, or put texts in quotes"
        )
    return fitting[0] if fitting else usual


def json_value(text: str) -> Any:
    """A JSON text as a value. Raises ValueError, whose message says why it cannot be read."""
    try:
        value = json.loads(text, object_pairs_hook=_object)
        # Half of a surrogate pair is no character, and no file can hold it.
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise ValueError(error.msg) from error
    except RecursionError as error:
        raise ValueError("lists or objects stand too deep inside one another") from error
    except _Twice:
        raise
    except UnicodeEncodeError as error:
        raise ValueError("it holds half of a surrogate pair") from error
    except ValueError as error:
        raise ValueError("it holds a number of too many digits") from error
    return value


def python_value(text: str) -> Any:
    """A list, set or object that Python, and so pandas, wrote into a cell. Raises ValueError, whose message
    says why it cannot be read."""
    try:
        # Python joins texts without a comma between, as numpy writes an array of them, to one.
        if re.search(r"""['"]\s+['"]""", text):
            raise ValueError("a comma is missing")
        tree = ast.parse(text.strip(), mode="eval")
        value = ast.literal_eval(tree)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError("neither JSON nor Python writes it so") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            _object([(ast.literal_eval(name), None) for name in node.keys if name is not None])
    return value


def written_list(cell: str) -> list[Any] | None:
    """A cell that pandas or JSON wrote as a list; None for any other, such as the name (none)."""
    if cell[:1] + cell[-1:] not in BRACKETS:
        return None
    try:
        value = python_value(cell)
    except ValueError:
        return None
    return list(value) if isinstance(value, (list, tuple, set)) else None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object. Raises _Twice when a name stands in it twice: the last value would hide the first."""
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Twice(f"an object has the name {twice!r} twice")
    return values


class _Twice(ValueError):
    """Of two values by one name, which counts is not known."""


def json_rows(text: str, where: str, *, wanted: Sequence[str]) -> Iterator[Row]:
    """The records of a JSONL text. Raises InputError on a line that is no JSON object or lacks a column."""
    # not splitlines(): JSON may hold U+2028 and its like unescaped inside a string
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{where}, line {number}"
        try:
            values = json_value(line)
        except ValueError as error:
            raise InputError(f"{place} is not JSON ({error}); expected one object per line") from error
        if not isinstance(values, dict):
            raise InputError(
                f"{place} is a {type(values).__name__}; expected a JSON object with named values"
            )
        check_columns(place, list(values), wanted)
        yield Row(place, values)


def parquet_rows(path: Path, *, wanted: Sequence[str]) -> Iterator[Row]:
    """The records of a Parquet file, only the wanted columns.

    Raises InputError on a broken or empty file, and where a wanted column occurs twice.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_file(path)
    try:
        with pq.ParquetFile(path) as file:
            _check_once(str(path), file.schema_arrow.names, wanted)
            check_columns(str(path), file.schema_arrow.names, wanted)
            if file.metadata.num_rows == 0:
                raise InputError(f"{path} has no rows; expected at least one")
            batches = (batch.to_pylist() for batch in file.iter_batches(columns=list(wanted)))
            for number, values in enumerate(chain.from_iterable(batches), start=1):
                yield Row(f"{path}, row {number}", values)
    except InputError:
        raise
    except (pa.ArrowException, ValueError) as error:  # the latter of a struct with a name twice
        raise InputError(f"{path} cannot be read as Parquet ({error}); check that it is whole") from error
