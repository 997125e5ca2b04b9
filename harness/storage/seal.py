"""A seal: the SHA-256 of a Parquet file in its own footer, so that a torn or altered file gives itself away.

The hash is taken over the whole file with zeros where the hash will stand. Any Parquet reader reads the file.
"""

from __future__ import annotations

import hashlib
import io

import pyarrow as pa
import pyarrow.parquet as pq

NAME = b"assay.sha256"
DIGITS = 64
BLANK = b"0" * DIGITS
# What Parquet's footer puts between a name and its value: the type of the field and its length.
BETWEEN = bytes([0x18, DIGITS])


def sealed(table: pa.Table) -> bytes:
    """The table as a Parquet file that knows its own hash."""
    file = io.BytesIO()
    with pq.ParquetWriter(file, table.schema, compression="zstd") as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({NAME: BLANK})
    content = file.getbuffer()
    place = _place(bytes(content))
    assert place is not None
    content[place : place + DIGITS] = _digest(content, place)
    return bytes(content)


def intact(content: bytes) -> bool:
    """Whether this is a sealed file, byte for byte as it was written."""
    place = _place(content)
    return place is not None and content[place : place + DIGITS] == _digest(memoryview(content), place)


def _place(content: bytes) -> int | None:
    """Where the hash stands; None where there is none."""
    # The footer is at the end, so what a text of the data says of seals is never met first.
    found = content.rfind(NAME + BETWEEN)
    place = found + len(NAME) + len(BETWEEN)
    return None if found < 0 or place + DIGITS > len(content) else place


def _digest(content: memoryview, place: int) -> bytes:
    digest = hashlib.sha256(content[:place])
    digest.update(BLANK)
    digest.update(content[place + DIGITS :])
    return digest.hexdigest().encode()
