"""A Parquet file that was torn or altered is seen, set aside and never read."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.harness.storage import checksum
from assay.harness.storage.store import Damaged, intact, present, read_json, read_table, write_table

# A text that looks like a seal must not be taken for one.
TABLE = pa.table({"text": ["a", "assay.sha256\x18@" + "0" * 64, ""], "scores": [[1.0], [2.0, 3.0], []]})


def test_any_reader_reads_a_sealed_file_and_equal_tables_leave_equal_bytes() -> None:
    content = checksum.parquet_with_checksum(TABLE)
    assert pq.read_table(io.BytesIO(content)).equals(TABLE)
    assert content == checksum.parquet_with_checksum(TABLE)
    assert checksum.intact(content)


def test_every_changed_byte_and_every_torn_end_is_seen() -> None:
    content = checksum.parquet_with_checksum(TABLE)
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 1
        assert not checksum.intact(bytes(changed))
        assert not checksum.intact(content[:at])


def test_a_file_that_another_program_rewrote_is_seen() -> None:
    file = io.BytesIO()
    pq.write_table(TABLE, file)
    assert not checksum.intact(file.getvalue())


def test_a_damaged_file_is_set_aside_and_its_cell_is_not_done_any_more(tmp_path: Path) -> None:
    path = tmp_path / "cell" / "explanations" / "part.parquet"
    write_table(path, TABLE)
    record = tmp_path / "cell" / "cell.json"
    record.write_text("{}")
    assert present(path)
    assert read_table(path, ["scores"]).column_names == ["scores"]
    path.write_bytes(path.read_bytes()[:-1])
    assert not intact(path)
    with pytest.raises(Damaged, match=r"part.parquet is damaged and was renamed to part.parquet.damaged"):
        read_table(path)
    assert not record.exists()
    assert [file.name for file in path.parent.iterdir()] == ["part.parquet.damaged"]
    assert not present(path)


def test_a_torn_record_counts_as_absent(tmp_path: Path) -> None:
    path = tmp_path / "trial.json"
    path.write_text('{"weights": "ab')
    assert read_json(path) is None
    assert [file.name for file in tmp_path.iterdir()] == ["trial.json.damaged"]
