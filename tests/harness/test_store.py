"""A file in the store is whole or absent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from assay.explainers.explanation import Cost, Explanation
from assay.harness.storage.ledger import failure, record_failure
from assay.harness.storage.store import Store, read_json, read_table, write_json, write_table
from assay.harness.trials.records import SCHEMA, read_explanations, read_scores, to_table
from assay.harness.upkeep.faults import _explanations
from assay.tasks.errors import InputError


def test_a_store_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"cannot be written .*store=<folder>"):
        Store(tmp_path / "file" / "store")


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "/etc"])
def test_an_experiment_cannot_leave_the_store(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="plain name"):
        Store(tmp_path).experiment(name)


def test_a_failed_write_leaves_the_old_file_and_no_scraps(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_json(path, {"old": True})
    with pytest.raises(TypeError):
        write_json(path, {"new": object()})
    assert read_json(path) == {"old": True}
    frame = pd.DataFrame({"a": [object()]})
    with pytest.raises(Exception, match="object"):
        write_table(tmp_path / "table.parquet", frame)
    assert [file.name for file in tmp_path.iterdir()] == ["record.json"]


def test_the_ledger_keeps_failures_and_forgets_them_on_success(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with record_failure(store, "cell", "a cell"):
        raise InputError("what, where, what to do")
    found = failure(store, "cell")
    assert found is not None
    assert (found.title, found.sentence, found.traceback) == ("a cell", "what, where, what to do", "")
    with record_failure(store, "cell", "a cell"):
        raise ZeroDivisionError("oh")
    found = failure(store, "cell")
    assert found is not None
    assert found.sentence == "ZeroDivisionError: oh"
    assert "test_store.py" in found.traceback
    with record_failure(store, "cell", "a cell"):
        pass
    assert failure(store, "cell") is None


def _explanation(example_id: str, target: int, scores: list[float]) -> Explanation:
    length = len(scores)
    return Explanation(
        example_id=example_id,
        target=target,
        tokens=tuple(f"t{n}" for n in range(length)),
        segments=np.zeros(length, dtype=np.int32),
        offsets=np.zeros((length, 2), dtype=np.int32),
        word_ids=np.arange(length, dtype=np.int32),
        scores=np.array(scores, dtype=np.float32),
        output_space="logit",
        cost=Cost(forward_rows=3, backward_rows=2, tokens=9, seconds=1.0),
    )


def test_explanations_come_back_as_they_went(tmp_path: Path) -> None:
    records = [_explanation("b", 0, [1, 2, 3]), _explanation("b", 2, [-1, 0, 4]), _explanation("a", 1, [0.5])]
    write_table(tmp_path / "part.parquet", to_table(records))
    scores, costs = read_scores(tmp_path / "part.parquet", ["a", "b"], classes=3)
    assert scores.shape == (2, 3, 3)
    np.testing.assert_array_equal(scores[1, 0], [1, 2, 3])
    np.testing.assert_array_equal(scores[1, 2], [-1, 0, 4])
    np.testing.assert_array_equal(scores[0, 1], [0.5, 0, 0])
    assert np.isnan(scores[1, 1]).all()
    assert np.isnan(scores[0, [0, 2]]).all()
    assert costs[0] == Cost(3, 2, 9, 0.0)
    assert "seconds" not in to_table(records).column_names


def test_what_a_masked_language_model_was_asked_is_stored_where_it_was_asked(tmp_path: Path) -> None:
    plain = _explanation("a", 1, [0.5])
    spent = replace(plain, cost=replace(plain.cost, mlm_rows=4, mlm_tokens=20), saturated=2)
    assert set(to_table([plain, spent]).column_names) == {
        *SCHEMA.names,
        "mlm_rows",
        "mlm_tokens",
        "saturated",
    }
    # Without, the table is what it was before there were such models, and such tables can be read.
    assert to_table([plain]).schema.equals(SCHEMA)
    for name, record in {"plain": plain, "spent": spent}.items():
        path = tmp_path / f"{name}.parquet"
        write_table(path, to_table([record]))
        (found,) = read_explanations(path)
        (_, (cost,)) = read_scores(path, ["a"], classes=2)
        assert found.cost == cost == replace(record.cost, seconds=0.0)
        assert found.saturated == record.saturated
        assert list(_explanations(read_table(path), ["a"], None)) == []
