"""A small task as annotators leave it: three of them, several labels, one of them rare, and texts too long.

Everything that a table counts can be counted in the files as well: words are the tokens of the models in
words, and a model with `LIMIT` tokens reads the first `LIMIT` words of a text.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, NamedTuple

LABELS = ("anger", "fear", "joy", "grief")
RARE = "grief"
ANNOTATORS = ("ann", "bob", "cid")
# The words that say each label, and words that say nothing.
CUES = {
    "anger": ("furious", "hateful", "outrage"),
    "fear": ("afraid", "terror", "scared"),
    "joy": ("happy", "delight", "glad"),
    "grief": ("mourning", "bereaved", "funeral"),
}
FILLERS = [
    "the",
    "a",
    "film",
    "it",
    "was",
    "on",
    "that",
    "day",
    "we",
    "saw",
    "people",
    "near",
    "old",
    "house",
    "river",
]
LIMIT = 12
TEXTS = {"train": 240, "dev": 40, "test": 60}
# Of the test texts: how many have the rare label, and how many of those say it behind the limit.
RARE_TESTS, RARE_CUT = 10, 3


class Annotated(NamedTuple):
    """The files of the task, and the overrides of `assay run` that read it with a model of LIMIT tokens."""

    files: dict[str, Path]
    overrides: list[str]

    def rows(self, split: str = "test") -> list[dict[str, Any]]:
        """The texts of a split as they stand in its file: id, text, label (a list) and why."""
        return [json.loads(line) for line in self.files[split].read_text(encoding="utf-8").splitlines()]


def annotated_task(folder: Path) -> Annotated:
    """Write train, dev and test into the folder; equal bytes every time.

    A text has one label, or two in one text of four. Each label's reason is one cue word. Annotator `ann`
    marks it; `bob` marks it and the word behind it; `cid` marks it in two texts of three. One text of six has
    no marks at all. In one text of five, all cue words stand behind the first LIMIT words.
    """
    draw = random.Random(0)
    files = {}
    for split, number in TEXTS.items():
        files[split] = folder / f"{split}.jsonl"
        rows = [
            _row(draw, f"{split}{place}", _labels(place, number, split), place) for place in range(number)
        ]
        files[split].write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return Annotated(
        files,
        [
            "task=local",
            "task.name=annotated",
            *(f"task.{split}={path}" for split, path in files.items()),
            "task.id=id",
            f"task.labels=[{','.join(LABELS)}]",
            "task.multi_label=true",
            "task.rationale=why",
            f"model.max_tokens={LIMIT}",
            "model.over_limit=truncate",
        ],
    )


def _labels(place: int, number: int, split: str) -> list[str]:
    rare = RARE_TESTS if split == "test" else number // 8
    first = RARE if place < rare else LABELS[place % 3]
    others = [label for label in LABELS[:3] if label != first]
    return [first, others[place % 2]] if place % 4 == 3 else [first]


def _row(draw: random.Random, name: str, labels: list[str], place: int) -> dict[str, Any]:
    cut = place < RARE_CUT or (place >= RARE_TESTS and place % 5 == 4)
    length = draw.randint(LIMIT + 6, LIMIT + 10) if cut else draw.randint(6, LIMIT + 4)
    words = [draw.choice(FILLERS) for _ in range(length)]
    # A word stands behind each cue, which one annotator marks as well.
    places = draw.sample(range(LIMIT, length - 1) if cut else range(min(length, LIMIT) - 1), len(labels))
    for label, at in zip(labels, places, strict=True):
        words[at] = draw.choice(CUES[label])
    marked = place < RARE_TESTS or place % 6 != 5
    why = [
        {"words": [int(at in spot) for at in range(length)], "annotator": annotator, "label": label}
        for label, at in zip(labels, places, strict=True)
        for annotator, spot in zip(ANNOTATORS, ((at,), (at, at + 1), (at,)), strict=True)
        if annotator != "cid" or place % 3 != 2
    ]
    return {"id": name, "text": " ".join(words), "label": labels, "why": why if marked else []}
