from __future__ import annotations

import numpy as np
import pytest
from explainer_models import MASK, PAD, HandModel, encoding, smooth, values

from explainers.baselines import Delete, Mask, Pad, Zero
from models.engine import Engine
from models.rows import Rows
from tasks.errors import InputError

TEXT = encoding((2, 4, 9, 5, 3), specials=(0, 4))
KEEP = np.array([[1, 1, 1, 1, 1], [1, 0, 1, 0, 1], [1, 0, 0, 0, 1]], dtype=bool)


def _texts(rows: Rows) -> list[list[int]]:
    return [rows.ids[row, : rows.lengths[row]].tolist() for row in range(len(rows))]


def test_absent_tokens_become_the_padding_or_the_mask_token_in_their_place():
    for baseline, token in ((Pad(), PAD), (Mask(), MASK)):
        rows = baseline.rows(smooth(), TEXT, KEEP)
        assert _texts(rows) == [[2, 4, 9, 5, 3], [2, token, 9, token, 3], [2, token, token, token, 3]]
        assert rows.absent is None


def test_zeroed_tokens_keep_their_place_and_are_marked():
    rows = Zero().rows(smooth(), TEXT, KEEP)
    assert rows.absent is not None and rows.filler is not None
    np.testing.assert_array_equal(rows.absent, ~KEEP)
    assert not rows.filler.any()
    assert rows.lengths.tolist() == [5, 5, 5]


def test_deleted_tokens_are_gone_and_the_rest_closes_up_in_order():
    assert _texts(Delete().rows(smooth(), TEXT, KEEP)) == [[2, 4, 9, 5, 3], [2, 9, 3], [2, 3]]


def test_deleting_moves_segments_along():
    pair = encoding((4, 3, 9, 5), specials=(1,))
    pair.segments[2:] = 1
    rows = Delete().rows(smooth(), pair, np.array([[False, True, False, True]]))
    assert _texts(rows) == [[3, 5]]
    assert rows.segments[0, :2].tolist() == [0, 1]


def test_a_text_without_any_token_left_is_one_padding_token():
    text = encoding((4, 9))
    rows = Delete().rows(smooth(), text, np.array([[False, False], [False, True]]))
    assert _texts(rows) == [[PAD], [9]]


@pytest.mark.parametrize("baseline", [Pad(), Mask(), Zero(), Delete()], ids=lambda b: b.name)
def test_rows_say_to_the_model_what_putting_tokens_in_by_hand_says(baseline):
    (found,) = Engine(smooth(), budget=9).logits([baseline.rows(smooth(), TEXT, KEEP)])
    expected = [values(smooth(), baseline, TEXT, keep) for keep in KEEP]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_masking_without_a_mask_token_is_refused():
    model = HandModel(lambda e, a: (e * a).sum(dim=1), 4, mask=False)
    with pytest.raises(InputError, match="the model has no mask token; choose pad, zero or delete"):
        Mask().rows(model, TEXT, KEEP)


def test_baselines_leave_the_encoding_as_it_was():
    before = TEXT.ids.copy(), TEXT.segments.copy()
    for baseline in (Pad(), Mask(), Zero(), Delete()):
        baseline.rows(smooth(), TEXT, KEEP)
    np.testing.assert_array_equal(before, (TEXT.ids, TEXT.segments))
