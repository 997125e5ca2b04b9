"""Checksums: the SHA-256 of a stored file inside the file, so that a torn, altered or exchanged one is seen.

The hash covers the file's role, which is its place in the store, and its content. In a Parquet file it is in
the footer, computed over the whole file with zeros in its place; any Parquet reader reads the file. In a JSON
record it is the field `checksum`.
"""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

NAME = b"assay.sha256"
DIGITS = 64
BLANK = b"0" * DIGITS
# What Parquet's footer puts between a name and its value: the type of the field and its length.
BETWEEN = bytes([0x18, DIGITS])
CHECKSUM = "checksum"


def parquet_with_checksum(table: pa.Table, role: str = "") -> bytes:
    """The table as a Parquet file with its own hash. role: the file's place in the store."""
    file = io.BytesIO()
    with pq.ParquetWriter(file, table.schema, compression="zstd") as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({NAME: BLANK})
    content = file.getbuffer()
    start = _hash_start(bytes(content))
    assert start is not None
    content[start : start + DIGITS] = _digest(content, start, role)
    return bytes(content)


def intact(content: bytes, role: str = "") -> bool:
    """Whether this is a Parquet file with a checksum, byte for byte as it was written for this role."""
    start = _hash_start(content)
    return start is not None and content[start : start + DIGITS] == _digest(memoryview(content), start, role)


def with_checksum(record: dict[str, Any], role: str) -> dict[str, Any]:
    """A JSON record with the hash of its content and its role."""
    return {**record, CHECKSUM: _record_digest(record, role)}


def checksum_fits(record: dict[str, Any], role: str) -> bool:
    """Whether the checksum of a record is that of its content and its role."""
    return record.get(CHECKSUM) == _record_digest(without_checksum(record), role)


def without_checksum(record: dict[str, Any]) -> dict[str, Any]:
    """The content of a record."""
    return {name: value for name, value in record.items() if name != CHECKSUM}


def _record_digest(record: dict[str, Any], role: str) -> str:
    return hashlib.sha256(f"{role}\n{json.dumps(record, sort_keys=True)}".encode()).hexdigest()


def _hash_start(content: bytes) -> int | None:
    """The position of the hash; None where there is none."""
    # The footer is at the end, so a text of the data that looks like a checksum is never met first.
    name = content.rfind(NAME + BETWEEN)
    start = name + len(NAME) + len(BETWEEN)
    return None if name < 0 or start + DIGITS > len(content) else start


def _digest(content: memoryview, start: int, role: str) -> bytes:
    digest = hashlib.sha256(role.encode())
    digest.update(content[:start])
    digest.update(BLANK)
    digest.update(content[start + DIGITS :])
    return digest.hexdigest().encode()
