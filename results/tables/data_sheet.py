"""The facts of the tasks' texts as rows, a fact each: what `data_sheet.csv` holds and the layout shows."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

import pandas as pd

from assay.results.columns import SheetRow, to_table
from assay.results.records import TRAINED, Group, TaskSize, TextsRead
from assay.tasks.data_sheet import DataSheet, SplitSheet
from assay.tasks.example import UNNAMED

TEXTS, WORDS, DUPLICATES, GROUPS = "texts", "words", "duplicates", "groups"
LABELS, RATIONALES, ANNOTATORS, MODELS = "labels", "rationales", "annotators", "models"
SHARE = "share"
SPLITS = ("train", "dev", "test")
QUARTILES = ("shortest", "lower quartile", "median", "upper quartile", "longest")
MARKED, MARKED_WORDS = "texts with a rationale", "words marked in these"
CUT, LOST = "texts cut", "tokens cut off"
PARTLY, WHOLLY = "texts that lose a part of their marked words", "texts that lose all marked words"
OF_MARKED = "share of those with a rationale"

UNSEEN = "the texts were not looked at"
NO_LABELS = "the texts have no labels"
NO_RATIONALES = "the texts come without rationales"
NO_GROUPS = "the texts come without groups"
NO_NAMES = "the rationales name no annotators, or always the same"
NOT_READ = "nothing is explained with this model yet"
NOT_COUNTED = "the model was not asked yet, or by an earlier version that did not count this"


class _Fact(NamedTuple):
    """A row without its task."""

    section: str
    split: str
    item: str
    measure: str
    value: float
    unit: str
    reason: str = ""


def model_title(group: Group) -> str:
    """A group's model without its task."""
    return group.model if group.kind == TRAINED else f"{group.model}, {group.kind}"


def sheet_rows(task: TaskSize, read: Sequence[TextsRead]) -> list[SheetRow]:
    """The data sheet of one task.

    Args:
        task: with its sheet, if that is known.
        read: of every group; those of other tasks and models are left out.
    """
    own = [each for each in read if each.group.task == task.name and each.group.model in task.models]
    return [SheetRow(task.name, ", ".join(task.models), *fact) for fact in _facts(task, own)]


def sheet_table(tasks: Iterable[TaskSize], read: Sequence[TextsRead] = ()) -> pd.DataFrame:
    """The data sheets of all tasks, below one another."""
    return to_table(SheetRow, (row for task in tasks for row in sheet_rows(task, read)))


def _facts(task: TaskSize, read: Sequence[TextsRead]) -> Iterator[_Fact]:
    for split, texts in zip(SPLITS, (task.train, task.dev, task.test), strict=True):
        yield _Fact(TEXTS, split, "", "texts", texts, "texts")
    yield _Fact(TEXTS, "test", "", "explained", task.explained, "texts")
    if task.sheet is None:
        yield _Fact(WORDS, "", "", "words, labels and marks", math.nan, "texts", UNSEEN)
    else:
        splits = {
            name: split
            for name, split in zip(SPLITS, (task.sheet.train, task.sheet.dev, task.sheet.test), strict=True)
            if split.texts
        }
        for name, split in splits.items():
            assert split.words is not None
            for measure, value in zip(QUARTILES, split.words, strict=True):
                yield _Fact(WORDS, name, "", measure, value, "words")
        yield from _duplicates(task.sheet, splits)
        for name, split in splits.items():
            yield from _groups(name, split, known=any(each.groups for each in splits.values()))
        yield from _seen_groups(task.sheet, splits)
        for name, split in splits.items():
            yield from _labels(name, split, task.sheet)
        marked = any(each.annotators for each in splits.values())
        for name, split in splits.items():
            yield from _rationales(name, split, task.sheet, known=marked)
        named = {annotator for each in splits.values() for annotator, _ in each.annotators}
        reason = NO_RATIONALES if not marked else NO_NAMES if named == {UNNAMED} else ""
        for name, split in splits.items():
            yield from _annotators(name, split, reason)
    for each in read:
        yield from _models(each)


def _duplicates(sheet: DataSheet, splits: dict[str, SplitSheet]) -> Iterator[_Fact]:
    overlap = sheet.overlap
    for split, repeated in zip(SPLITS, overlap.repeated_within, strict=True):
        if split in splits:
            yield _Fact(DUPLICATES, split, "", "texts that repeat another of their split", repeated, "texts")
    for split, seen in (("dev", overlap.dev_seen), ("test", overlap.test_seen)):
        if split in splits and _after_others(split, splits):
            yield _Fact(DUPLICATES, split, "", "texts that an earlier split has, too", seen, "texts")
    if sheet.labelled:
        differ = "texts that occur with different labels"
        yield _Fact(DUPLICATES, "", "", differ, overlap.contradictory, "texts")


def _groups(name: str, split: SplitSheet, *, known: bool) -> Iterator[_Fact]:
    if not known:
        yield _Fact(GROUPS, name, "", "groups", math.nan, "groups", NO_GROUPS)
        return
    yield _Fact(GROUPS, name, "", "groups", split.groups, "groups")
    yield _Fact(GROUPS, name, "", "texts that have a group", split.grouped, "texts")
    yield _Fact(GROUPS, name, "", "texts of the largest group", split.largest_group, "texts")


def _seen_groups(sheet: DataSheet, splits: dict[str, SplitSheet]) -> Iterator[_Fact]:
    grouped = any(each.groups for each in splits.values())
    measure = "other texts of a group that an earlier split has, too"
    for split, seen in (("dev", sheet.overlap.dev_group_seen), ("test", sheet.overlap.test_group_seen)):
        if grouped and split in splits and _after_others(split, splits):
            yield _Fact(GROUPS, split, "", measure, seen, "texts")


def _after_others(split: str, splits: Collection[str]) -> bool:
    """Whether there are texts in a split before this one."""
    return any(earlier in splits for earlier in SPLITS[: SPLITS.index(split)])


def _labels(name: str, split: SplitSheet, sheet: DataSheet) -> Iterator[_Fact]:
    if name == "test" and not sheet.labelled:
        yield _Fact(LABELS, name, "", "texts without a label", math.nan, "texts", NO_LABELS)
        for label in sheet.labels:
            yield _Fact(LABELS, name, label, "texts", math.nan, "texts", NO_LABELS)
            yield _Fact(LABELS, name, label, SHARE, math.nan, SHARE, NO_LABELS)
        return
    if sheet.multi_label:
        mean = sum(label.texts for label in split.labels) / split.texts
        yield _Fact(LABELS, name, "", "texts without a label", split.unlabelled, "texts")
        yield _Fact(LABELS, name, "", "labels per text: mean", mean, "labels")
        yield _Fact(LABELS, name, "", "labels per text: most", split.most_labels, "labels")
    for label, of_label in zip(sheet.labels, split.labels, strict=True):
        yield _Fact(LABELS, name, label, "texts", of_label.texts, "texts")
        yield _Fact(LABELS, name, label, SHARE, of_label.texts / split.texts, SHARE)


def _rationales(name: str, split: SplitSheet, sheet: DataSheet, *, known: bool) -> Iterator[_Fact]:
    if not known:
        yield _Fact(RATIONALES, name, "", MARKED, math.nan, "texts", NO_RATIONALES)
        return
    yield _Fact(RATIONALES, name, "", MARKED, split.marked, "texts")
    yield _Fact(RATIONALES, name, "", f"{MARKED}, share", split.marked / split.texts, SHARE)
    for label, of_label in zip(sheet.labels, split.labels, strict=True):
        if of_label.texts:
            yield _Fact(RATIONALES, name, label, MARKED, of_label.marked, "texts")
            yield _Fact(RATIONALES, name, label, f"{MARKED}, share", of_label.marked / of_label.texts, SHARE)
        if of_label.marked_share is not None:
            yield _Fact(RATIONALES, name, label, MARKED_WORDS, of_label.marked_share, SHARE)


def _annotators(name: str, split: SplitSheet, reason: str) -> Iterator[_Fact]:
    if reason:
        yield _Fact(ANNOTATORS, name, "", "annotators", math.nan, "annotators", reason)
        return
    yield _Fact(ANNOTATORS, name, "", "annotators", len(split.annotators), "annotators")
    yield _Fact(ANNOTATORS, name, "", "texts of two or more annotators", split.several, "texts")
    for annotator, texts in split.annotators:
        yield _Fact(ANNOTATORS, name, annotator, "texts", texts, "texts")
        yield _Fact(ANNOTATORS, name, annotator, SHARE, texts / split.texts, SHARE)


def _models(read: TextsRead) -> Iterator[_Fact]:
    item = model_title(read.group)
    for measure, value in zip(QUARTILES, read.tokens or [math.nan] * len(QUARTILES), strict=True):
        reason = "" if read.tokens else NOT_READ
        yield _Fact(MODELS, "test", item, f"tokens, {measure}", value, "tokens", reason)
    cut = read.cut
    for measure, unit, value in (
        (CUT, "texts", cut.texts if cut else math.nan),
        (f"{CUT}, share", SHARE, cut.texts / read.explained if cut else math.nan),
        (LOST, "tokens", cut.tokens if cut else math.nan),
    ):
        yield _Fact(MODELS, "test", item, measure, value, unit, "" if cut else NOT_COUNTED)
    for measure, lost in ((PARTLY, cut and cut.partly), (WHOLLY, cut and cut.wholly)):
        if lost is None or cut is None or not cut.marked:
            reason = NO_RATIONALES if cut else NOT_COUNTED
            yield _Fact(MODELS, "test", item, measure, math.nan, "texts", reason)
        else:
            yield _Fact(MODELS, "test", item, measure, lost, "texts")
            yield _Fact(MODELS, "test", item, f"{measure}, {OF_MARKED}", lost / cut.marked, SHARE)
