"""e-SNLI: pairs of sentences, whether one follows from the other, and the words that annotators marked."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from assay.tasks.errors import InputError, check_choice
from assay.tasks.example import Example, Rationale, Span, Task
from assay.tasks.files import Row, csv_rows, given_path
from assay.tasks.labels import label_index

_LABELS = ("contradiction", "neutral", "entailment")
_SOURCE = "https://github.com/OanaMariaCamburu/e-SNLI, folder dataset"
# Of train, dev and test.
_FILES = (("esnli_train_1.csv", "esnli_train_2.csv"), ("esnli_dev.csv",), ("esnli_test.csv",))

logger = logging.getLogger(__name__)


def esnli(
    *, name: str = "esnli", path: str | None = None, bad_rows: Literal["error", "skip"] = "error"
) -> Task:
    """The official CSV files in the folder `path`; texts are (premise, hypothesis).

    Each annotator who marked a word gives one rationale ("1"; in dev and test also "2" and "3"), a span per
    `*marked*` word, punctuation included. The pairs of one premise are a group. bad_rows: "skip" leaves out
    rows that cannot be read for sure, and logs how many. Raises InputError naming the pairID on marks that do
    not fit the sentence, an empty sentence, an unknown label, or a pairID that occurs twice.
    Source: Camburu et al. (2018), "e-SNLI: Natural Language Inference with Natural Language Explanations".
    """
    check_choice("task.bad_rows", bad_rows, ("error", "skip"))
    folder = given_path(path, option="task.path", what="the folder with esnli_dev.csv", source=_SOURCE)
    train, dev, test = (tuple(_examples(folder, files, bad_rows)) for files in _FILES)
    return Task(name, _LABELS, train, dev, test)


def _examples(folder: Path, files: tuple[str, ...], bad_rows: str) -> Iterator[Example]:
    wanted = ("pairID", "gold_label", "Sentence1", "Sentence2", "Sentence1_marked_1", "Sentence2_marked_1")
    seen: set[str] = set()
    for file in files:
        skipped = 0
        for row in csv_rows(folder / file, wanted=wanted):
            try:
                example = _example(row)
                if example.id in seen:
                    raise InputError("the pairID occurs twice")
            except InputError as error:
                if bad_rows == "error":
                    raise InputError(
                        f"{row.where}, pairID {row.values['pairID']!r}: {error}; mend the row, or set "
                        "task.bad_rows=skip to leave out such rows"
                    ) from error
                skipped += 1
                continue
            seen.add(example.id)
            yield example
        if skipped:
            logger.warning("%s: %d row(s) left out that cannot be read for sure", folder / file, skipped)


def _example(row: Row) -> Example:
    values = row.values
    label = label_index(values["gold_label"], _LABELS, "gold_label")
    texts = (values["Sentence1"], values["Sentence2"])
    rationales: list[Rationale] = []
    for annotator in ("1", "2", "3"):
        marked = [values.get(f"Sentence{side}_marked_{annotator}", "") for side in (1, 2)]
        if not any(text.strip() for text in marked):
            continue
        spans = [
            span for segment in (0, 1) for span in _marked_words(texts[segment], marked[segment], segment)
        ]
        if spans:
            rationales.append(Rationale(tuple(spans), annotator))
    return Example(values["pairID"], texts, (label,), tuple(rationales), group=texts[0].strip())


def _marked_words(sentence: str, marked: str, segment: int) -> list[Span]:
    """The spans of the words that stand between stars in the marked copy of a sentence.

    The copies have other spaces than the sentence, and single for double quotes; nothing else may differ.
    Comparing word by word tells a mark from a star that belongs to the sentence.
    """
    # of equal length, so that characters keep their places
    words = list(re.finditer(r"\S+", sentence.replace('"', "'")))
    copies = marked.replace('"', "'").split()
    if len(words) != len(copies):
        raise InputError(f"the marked copy {marked!r} has {len(copies)} words; expected {len(words)}")
    spans: list[Span] = []
    for word, copy in zip(words, copies, strict=True):
        plain = word.group()
        if copy == f"*{plain}*":
            spans.append(Span(word.start(), word.end(), segment))
        elif copy != plain:
            raise InputError(f"the marked copy has {copy!r} where the sentence has {plain!r}")
    return spans
