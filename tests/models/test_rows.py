from __future__ import annotations

import numpy as np
import pytest

from assay.models.encoding import Encoding
from assay.models.masked_inputs import MaskedInputs, PackedInputs, batches, full_rows, pack


def _rows(
    texts: list[list[int]], absent: list[list[int]] | None = None, replacement: float = 0.0
) -> MaskedInputs:
    lengths = np.array([len(text) for text in texts], dtype=np.int32)
    width = int(lengths.max(initial=1))
    ids = np.full((len(texts), width), 99, dtype=np.int32)  # 99 beyond a row's end must never be read
    gone = np.zeros((len(texts), width), dtype=bool)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = text
        gone[row, absent[row] if absent else []] = True
    segments = np.zeros_like(ids)
    if absent is None:
        return MaskedInputs(ids, segments, lengths)
    return MaskedInputs(ids, segments, lengths, gone, np.array([replacement], dtype=np.float32))


def _asked(packed: PackedInputs) -> list[list[int]]:
    return [packed.ids[row, : packed.lengths[row]].tolist() for row in packed.source]


def test_rows_come_back_in_the_order_asked_and_sorted_by_length():
    texts = [[5, 6, 7], [8], [9, 4], [3, 2, 1]]
    packed = pack([_rows(texts[:2]), _rows(texts[2:])])
    assert _asked(packed) == texts
    assert packed.lengths.tolist() == [1, 2, 3, 3]
    assert packed.ids.shape == (4, 3)


def test_duplicates_within_and_between_examples_become_one_row():
    packed = pack([_rows([[1, 2], [3], [1, 2]]), _rows([[1, 2], [3]])])
    assert len(packed) == 2
    assert _asked(packed) == [[1, 2], [3], [1, 2], [1, 2], [3]]


def test_duplicates_are_kept_on_request_in_the_order_asked_within_a_length():
    packed = pack([_rows([[2], [1]]), _rows([[2], [7, 7]])], distinct=False)
    assert packed.source.tolist() == [0, 1, 2, 3]
    assert packed.ids[:3, 0].tolist() == [2, 1, 2]


def test_rows_that_differ_in_segments_only_are_different():
    ids, lengths = np.ones((2, 2), dtype=np.int32), np.array([2, 2], dtype=np.int32)
    assert len(pack([MaskedInputs(ids, np.array([[0, 0], [0, 1]], dtype=np.int32), lengths)])) == 2


def test_replaced_tokens_are_the_same_whatever_stood_there():
    pool = [_rows([[1, 2]], [[0]]), _rows([[7, 2]], [[0]])]
    assert len(pack(pool)) == 1
    assert len(pack([*pool, _rows([[1, 2]])])) == 2
    assert len(pack([*pool, _rows([[1, 2]], [[1]])])) == 2


def test_different_fillers_are_different_rows_unless_nothing_is_replaced():
    zero, one = _rows([[1, 2], [1, 2]], [[0], []]), _rows([[1, 2], [1, 2]], [[0], []], replacement=1.0)
    packed = pack([zero, one, _rows([[1, 2]])])
    assert len(packed) == 3
    assert packed.source[1] == packed.source[3] == packed.source[4]
    replacements = [packed.replacements[packed.replacement[packed.source[at]]].tolist() for at in (0, 2)]
    assert replacements == [[0.0], [1.0]]


def test_an_empty_pool_and_rows_of_nothing_are_packed():
    assert len(pack([])) == 0
    empty = MaskedInputs(np.zeros((0, 3), np.int32), np.zeros((0, 3), np.int32), np.zeros(0, np.int32))
    packed = pack([empty, _rows([[4]]), empty])
    assert _asked(packed) == [[4]]


def test_full_rows_are_the_encoding():
    zeros = np.zeros(2, dtype=np.int32)
    encoding = Encoding(
        ("a", "b"), zeros + 5, zeros, np.zeros((2, 2), np.int32), np.arange(2, dtype=np.int32)
    )
    rows = full_rows(encoding)
    assert (rows.ids.tolist(), rows.lengths.tolist(), rows.absent) == ([[5, 5]], [2], None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"segments": np.zeros((1, 3), np.int32)}, "rows of ids"),
        ({"lengths": np.array([1, 1], np.int32)}, "rows of ids"),
        ({"absent": np.zeros((1, 1), bool), "replacement": np.zeros(1, np.float32)}, "rows of ids"),
        ({"lengths": np.array([0], np.int32)}, "have lengths"),
        ({"lengths": np.array([3], np.int32)}, "have lengths"),
        ({"absent": np.zeros((1, 2), bool)}, "need a replacement"),
        ({"replacement": np.zeros(1, np.float32)}, "needs absent"),
    ],
)
def test_rows_that_do_not_fit_together_are_refused(change: dict, message: str):
    right = {"ids": np.zeros((1, 2), np.int32), "segments": np.zeros((1, 2), np.int32)}
    with pytest.raises(ValueError, match=message):
        MaskedInputs(**{**right, "lengths": np.array([2], np.int32), **change})


@pytest.mark.parametrize("budget", [1, 2, 5, 8, 1000])
def test_batches_cover_every_row_once_within_the_budget(budget: int):
    lengths = np.sort(np.random.default_rng(budget).integers(1, 9, 40)).astype(np.int32)
    spans = list(batches(lengths, budget))
    assert np.concatenate([np.arange(s.start, s.stop) for s in spans]).tolist() == list(range(40))
    for span in spans:
        rows = span.stop - span.start
        assert rows == 1 or rows * lengths[span.stop - 1] <= budget
        # A batch ends because the next row would not have fitted.
        assert span.stop == 40 or (rows + 1) * lengths[span.stop] > budget


def test_batches_start_where_they_are_told():
    assert list(batches(np.array([1, 1, 2, 2], np.int32), 2, start=1)) == [
        slice(1, 2),
        slice(2, 3),
        slice(3, 4),
    ]
    assert list(batches(np.array([1, 1], np.int32), 2, start=2)) == []
