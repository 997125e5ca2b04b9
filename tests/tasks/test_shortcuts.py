"""Short sentences that texts of one label share."""

from __future__ import annotations

import pytest

from assay.tasks.example import Example
from assay.tasks.shortcuts import short_sentences


def _texts(written: str, labels: list[int]) -> list[Example]:
    return [Example(f"{written}-{at}", (written,), (label,)) for at, label in enumerate(labels)]


def test_a_rest_in_texts_of_one_label_is_found_first() -> None:
    texts = [
        *_texts("An employee slipped on ice. Was.", [0] * 12),
        *_texts("At 9:30 a.m., a tree fell. He fell.", [0, 1] * 20),
        *_texts("At 9:30 a.m. A tree fell. He fell.", [1] * 12),
        *_texts("Rare.", [1] * 9),
    ]
    rest, *others = short_sentences(texts, 1)
    assert (rest.form, rest.texts, rest.share) == ("was.", 12, 0.0)
    # 41 of 73 texts have the label: (32 / 73) ** 12, and the other tail has only (41 / 73) ** 12 at 12 of 12.
    assert rest.p == pytest.approx((32 / 73) ** 12, rel=1e-9)
    # Not "At 9:30 a.m.", which ends no sentence; digits do not tell forms apart.
    assert [(one.form, one.texts) for one in others] == [("he fell.", 52)]
    assert {one.form for one in short_sentences(texts, 1, least=9)} == {"was.", "he fell.", "rare."}
    assert {one.form for one in short_sentences(_texts("At 1. At 2.", [0] * 5), 1, least=5)} == {"at 0."}
