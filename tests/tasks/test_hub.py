"""Hub data sets, with the library's loader replaced by data sets in memory."""

from __future__ import annotations

from typing import Any

import datasets
import pytest
from datasets.exceptions import DatasetNotFoundError

from assay.tasks.errors import InputError
from assay.tasks.example import Rationale, Span
from assay.tasks.grouping import clusters
from assay.tasks.hub import hub

REVISION = "0123456789abcdef0123456789abcdef01234567"


def _dataset(count: int, label: Any = None, many: bool = False) -> datasets.Dataset:
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "label": label or datasets.ClassLabel(names=["minus", "plus"]),
            "why": datasets.Sequence(datasets.Sequence(datasets.Value("int32"))),
            "unused": datasets.Value("int32"),
            "kind": datasets.Value("string"),
        }
    )
    return datasets.Dataset.from_dict(
        {
            "text": [f"text {n}" for n in range(count)],
            "label": [[n % 2] if many else n % 2 for n in range(count)],
            "why": [[[0, 4]]] * count,
            "unused": [0] * count,
            "kind": [f"kind {n % 3}" for n in range(count)],
        },
        features=features,
    )


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Every call of the loader; it gives 20 training, 4 validation and 6 test rows."""
    made: list[tuple[Any, ...]] = []
    sizes = {"train": 20, "validation": 4, "test": 6}

    def load_dataset(path: str, config: str | None = None, *, revision: str, split: str) -> datasets.Dataset:
        made.append((path, config, revision, split))
        if split not in sizes:
            raise ValueError(f'Unknown split "{split}". Should be one of {list(sizes)}.')
        if config == "many":
            return _dataset(sizes[split], datasets.Sequence(datasets.ClassLabel(names=["u", "v"])), many=True)
        label = None if config is None else datasets.ClassLabel(names=config.split())
        return _dataset(sizes[split], label)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return made


def test_a_column_says_what_hangs_together(calls: list[tuple[Any, ...]]) -> None:
    task = hub(path="owner/set", revision=REVISION, group="unused")
    assert {example.group for example in task.test} == {"0"} and len(clusters(task.test)) == 6
    assert calls


def test_columns_hold_answers_to_further_questions(calls: list[tuple[Any, ...]]) -> None:
    task = hub(path="owner/set", revision=REVISION, auxiliary=["unused", "kind"])
    assert [question.name for question in task.auxiliary] == ["unused", "kind"]
    assert task.auxiliary[0].labels == ("0",)
    (number, place) = task.train[3].auxiliary
    assert number == 0 and place is not None and task.auxiliary[1].labels[place] == "kind 0"
    assert hub(path="owner/set", revision=REVISION).auxiliary == ()
    with pytest.raises(
        InputError, match=r"task\.auxiliary is 'unused'; expected a list of different columns"
    ):
        hub(path="owner/set", revision=REVISION, auxiliary="unused")
    assert calls


def test_splits_labels_and_rationales(calls: list[tuple[Any, ...]]) -> None:
    task = hub(path="owner/set", revision=REVISION, rationale="why")
    assert calls == [("owner/set", None, REVISION, split) for split in ("train", "validation", "test")]
    assert task.labels == ("minus", "plus")
    assert (len(task.train), len(task.dev), len(task.test)) == (20, 4, 6)
    assert (task.test[1].id, task.test[1].labels) == ("test-1", (1,))
    assert task.test[1].rationales == (Rationale((Span(0, 4),)),)


def test_dev_is_held_out_of_train_where_there_is_none(calls: list[tuple[Any, ...]]) -> None:
    task = hub(path="owner/set", revision=REVISION, dev=None, dev_share=0.25)
    assert (len(task.train), len(task.dev)) == (15, 5)
    assert len(calls) == 2


def test_several_labels_take_their_declared_names(calls: list[tuple[Any, ...]]) -> None:
    task = hub(path="owner/set", config="many", revision=REVISION, multi_label=True)
    assert task.labels == ("u", "v")
    assert task.multi_label


def test_given_label_names_win(calls: list[tuple[Any, ...]]) -> None:
    assert hub(path="owner/set", revision=REVISION, labels=["0", "1"]).labels == ("0", "1")


@pytest.mark.parametrize(
    ("declared", "labels", "expected"),
    [
        ("minus plus", ["plus", "minus"], "minus"),
        ("minus plus", ["bad", "good"], "bad"),
        ("1 2", None, "1"),
        ("1 2", [2, 1], "1"),
        ("1 0", None, "1"),
        ("False True", [True, False], "False"),
    ],
)
def test_a_number_is_the_declared_name_at_its_place(
    calls: list[tuple[Any, ...]], declared: str, labels: list[Any] | None, expected: str
) -> None:
    """The first test text has the number 0, the first of the declared names."""
    task = hub(path="owner/set", config=declared, revision=REVISION, labels=labels)
    assert [task.labels[example.labels[0]] for example in task.test[::2]] == [expected] * 3
    assert expected not in [task.labels[example.labels[0]] for example in task.test[1::2]]


def test_given_names_that_are_the_declared_ones_in_another_case_are_refused(
    calls: list[tuple[Any, ...]],
) -> None:
    with pytest.raises(InputError, match="unknown label 'minus'"):
        hub(path="owner/set", revision=REVISION, labels=["Plus", "Minus"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": None}, r"set task\.path"),
        ({"revision": None}, "full 40-digit commit"),
        ({"revision": "main"}, "full 40-digit commit"),
        ({"test": "tset"}, 'Unknown split "tset"'),
        ({"label": "lable"}, "no column 'lable'; did you mean 'label'"),
        ({"labels": ["only", "these", "three"], "id": "nope"}, "no column 'nope'"),
    ],
)
def test_mistakes_are_named(calls: list[tuple[Any, ...]], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        hub(**{"path": "owner/set", "revision": REVISION, **settings})


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConnectionError("Couldn't reach 'owner/set' on the Hub"), "the hub cannot be reached for owner/set"),
        (RuntimeError("Dataset scripts are no longer supported, but found set.py"), "scripts are no longer"),
        (DatasetNotFoundError("Dataset 'owner/set' doesn't exist"), "doesn't exist"),
    ],
)
def test_an_unreachable_hub_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def load_dataset(*args: Any, **settings: Any) -> None:
        raise error

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(InputError, match=message):
        hub(path="owner/set", revision=REVISION)


def test_the_test_split_alone_is_enough_for_a_finished_model(calls: list[tuple[Any, ...]]) -> None:
    task = hub(path="owner/set", revision=REVISION, train=None)
    assert calls == [("owner/set", None, REVISION, "test")]
    assert (len(task.train), len(task.dev), len(task.test)) == (0, 0, 6)
