"""Labels as votes: read from objects and from columns, the most votes win, and ties are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import assay
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task, fingerprint
from assay.tasks.local import local

VOTES = [{"pos": 3, "neg": 2}, {"neg": 5}, {"pos": 0.25, "neg": 0.15, "odd": 0.1}]
SHARES = {"votes-0": (0.4, 0, 0.6), "votes-1": (1, 0, 0), "votes-2": (0.3, 0.2, 0.5)}


def _write(path: Path, cells: list[Any], column: str = "label") -> Path:
    rows = [{"text": f"text {at}", column: cell} for at, cell in enumerate(cells)]
    if path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    elif path.suffix == ".csv":
        pd.DataFrame([{**row, column: json.dumps(row[column])} for row in rows]).to_csv(path, index=False)
    else:
        pd.DataFrame(rows).to_parquet(path)
    return path


def _read(path: Path, **options: Any) -> Task:
    return local(path=str(path), fractions=[0, 0, 1], **options)


def _by_id(task: Task) -> dict[str, Example]:
    return {example.id: example for example in task.test}


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_objects_of_votes_are_shares_and_the_most_votes_are_the_label(suffix: str, tmp_path: Path) -> None:
    task = _read(_write(tmp_path / f"votes.{suffix}", VOTES))
    assert task.labels == ("neg", "odd", "pos")
    found = _by_id(task)
    assert {name: one.labels for name, one in found.items()} == {
        "votes-0": (2,),
        "votes-1": (0,),
        "votes-2": (2,),
    }
    for name, shares in SHARES.items():
        assert found[name].shares == pytest.approx(shares)


def test_columns_of_shares_are_the_same(tmp_path: Path) -> None:
    frame = pd.DataFrame(SHARES.values(), columns=["neg", "odd", "pos"])
    frame.insert(0, "text", ["a", "b", "c"])
    frame.to_csv(tmp_path / "votes.csv", index=False)
    task = _read(tmp_path / "votes.csv", label=["neg", "odd", "pos"])
    for name, shares in SHARES.items():
        assert _by_id(task)[name].shares == pytest.approx(shares)
    table = assay.texts(frame, label=["neg", "odd", "pos"], fractions=(0, 0, 1))
    assert sorted(one.shares for one in table.test) == sorted(one.shares for one in task.test)


def test_columns_of_zeros_and_ones_are_no_votes(tmp_path: Path) -> None:
    rows = pd.DataFrame({"text": ["a", "b"], "neg": [0, 1], "pos": [1, 0]})
    rows.to_csv(tmp_path / "hot.csv", index=False)
    assert {one.shares for one in _read(tmp_path / "hot.csv", label=["neg", "pos"]).test} == {()}


@pytest.mark.parametrize("cells", [(1, 2), (0, 99), (-0.5, 1.5), (0.5, 0.4), ("nan", 1)])
def test_columns_of_counts_or_codes_are_refused(cells: tuple[Any, Any], tmp_path: Path) -> None:
    rows = pd.DataFrame({"text": ["a", "b"], "neg": [0.2, cells[0]], "pos": [0.8, cells[1]]})
    rows.to_csv(tmp_path / "codes.csv", index=False)
    with pytest.raises(
        InputError, match=r"line 3: column '(neg|pos)' holds .* shares of the votes, of sum 1"
    ):
        _read(tmp_path / "codes.csv", label=["neg", "pos"])


def test_a_row_that_names_its_label_is_unanimous(tmp_path: Path) -> None:
    found = _by_id(_read(_write(tmp_path / "votes.jsonl", [{"pos": 1, "neg": 3}, "pos"])))
    assert (found["votes-0"].shares, found["votes-1"].shares) == ((0.75, 0.25), (0, 1))


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ({"pos": 2, "neg": 2}, r"line 3: the labels 'pos' and 'neg' have as many votes \(2\)"),
        ({"pos": 1 / 3, "neg": 0.3333333333}, "have as many votes"),
        ({"pos": -1, "neg": 2}, "holds -1 for the label 'pos'; expected"),
        ({"pos": "many", "neg": 2}, "holds 'many' for the label 'pos'; expected"),
        ({"pos": True, "neg": 2}, "holds True for the label 'pos'; expected"),
        ({"pos": 0, "neg": 0}, "holds no vote for any label"),
        ({}, "holds no vote for any label"),
        ({"": 2}, "for the label ''; expected"),
    ],
)
def test_what_is_no_vote_is_refused_with_its_line(cell: Any, said: str, tmp_path: Path) -> None:
    path = _write(tmp_path / "votes.jsonl", [{"pos": 1}, {"neg": 2}, cell])
    with pytest.raises(InputError, match=said) as error:
        _read(path)
    assert "line 3" in str(error.value)


def _csv_of(path: Path, cells: list[str]) -> Path:
    pd.DataFrame({"text": [f"text {at}" for at in range(len(cells))], "label": cells}).to_csv(
        path, index=False
    )
    return path


def test_objects_that_pandas_wrote_are_the_same_votes(tmp_path: Path) -> None:
    frame = pd.DataFrame({"text": [f"text {at}" for at in range(len(VOTES))], "label": VOTES})
    frame.to_csv(tmp_path / "votes.csv", index=False)
    assert "{'pos': 3, 'neg': 2}" in (tmp_path / "votes.csv").read_text(encoding="utf-8")
    task = _read(tmp_path / "votes.csv")
    assert task.labels == ("neg", "odd", "pos")
    for name, shares in SHARES.items():
        assert _by_id(task)[name].shares == pytest.approx(shares)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ('{"pos": 9, "neg": 3, "pos": 1}', "an object has the name 'pos' twice"),
        ("{'pos': 9, 'neg': 3, 'pos': 1}", "an object has the name 'pos' twice"),
        ('{"pos": 9, " pos ": 1}', "holds the label 'pos' twice"),
        ('{"pos": 4, "neg": 1', "cannot be read"),
        ('{"pos": 4 "neg": 1}', "cannot be read"),
        ("{pos: 4}", "cannot be read"),
        ("{'pos': nan, 'neg': 1}", "cannot be read"),
        ("{'pos' 'neg': 1}", "cannot be read"),
        ('{"pos": NaN, "neg": 1}', "holds nan for the label 'pos'"),
        (f'{{"pos": {10**400}, "neg": 1}}', "votes of a sum above 1.8e"),
        ('{"pos": 1e308, "neg": 1.5e308}', "votes of a sum above 1.8e"),
        ('{"pos": ' + "9" * 5000 + "}", "cannot be read"),
        ("[" * 9 + "]" * 9, "holds a list; expected one label"),
        ("['pos', 'neg']", "holds a list; expected one label"),
        ("{'pos', 'neg'}", "holds a list; expected one label"),
    ],
)
def test_a_cell_that_cannot_be_read_is_no_class(cell: str, said: str, tmp_path: Path) -> None:
    path = _csv_of(tmp_path / "votes.csv", ['{"pos": 1}', '{"neg": 2}', cell])
    with pytest.raises(InputError, match=said) as error:
        _read(path)
    assert f"{path}, line 4: column 'label'" in str(error.value)
    assert len(str(error.value)) < 600


def test_names_in_brackets_and_sets_of_several_labels_stay_labels(tmp_path: Path) -> None:
    assert _read(_csv_of(tmp_path / "a.csv", ["(none)", "[mask]", "(1)"])).labels == (
        "(1)",
        "(none)",
        "[mask]",
    )
    several = _read(_csv_of(tmp_path / "b.csv", ["{'a', 'b'}", "['b']", "a"]), multi_label=True)
    assert [one.labels for one in map(_by_id(several).get, ("b-0", "b-1", "b-2")) if one] == [
        (0, 1),
        (1,),
        (0,),
    ]


@pytest.mark.parametrize("empty", [float("nan"), np.float32("nan"), np.float64("nan")])
def test_a_vote_of_nan_is_refused_in_a_data_frame_and_one_of_none_is_no_vote(empty: float) -> None:
    rows = [{"text": "a", "label": {"pos": 3, "neg": empty}}, {"text": "b", "label": {"neg": np.int64(2)}}]
    with pytest.raises(InputError, match=r"row 0: column 'label' holds .*nan.* for the label 'neg'"):
        assay.texts(pd.DataFrame(rows), fractions=(0, 0, 1))
    rows[0]["label"] = {"pos": 3, "neg": None}
    found = {one.id: one.shares for one in assay.texts(pd.DataFrame(rows), fractions=(0, 0, 1)).test}
    assert found == {"texts-0": (0, 1), "texts-1": (1, 0)}


def test_votes_that_no_file_could_hold_and_names_that_are_one_are_refused() -> None:
    for votes, said in (({"pos": 10**5000}, "sum above"), ({1: 2, "1": 3}, "holds the label '1' twice")):
        with pytest.raises(InputError, match=f"row 0: column 'label' .*{said}"):
            assay.texts([{"text": "a", "label": votes}, {"text": "b", "label": "x"}])


@pytest.mark.parametrize(
    ("neg", "pos", "have"), [(0.6, 0.38, "0.98"), (0.59, 0.39, "0.98"), (0.6, 0.42, "1.02")]
)
def test_shares_of_another_sum_are_refused_with_it(neg: float, pos: float, have: str, tmp_path: Path) -> None:
    pd.DataFrame({"text": ["a", "b"], "neg": [0.2, neg], "pos": [0.8, pos]}).to_csv(tmp_path / "s.csv")
    with pytest.raises(InputError, match=f"of sum 1, less than 0.02 away from it; these have {have}$"):
        _read(tmp_path / "s.csv", label=["neg", "pos"])


def test_shares_that_were_rounded_are_read(tmp_path: Path) -> None:
    pd.DataFrame({"text": ["a", "b"], "neg": [0.6, 0.33], "pos": [0.39, 0.66]}).to_csv(tmp_path / "s.csv")
    found = _by_id(_read(tmp_path / "s.csv", label=["neg", "pos"]))
    assert found["s-0"].shares == pytest.approx((0.6 / 0.99, 0.39 / 0.99))


def test_votes_for_a_label_that_is_not_given_and_for_several_labels_are_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "votes.jsonl", VOTES)
    with pytest.raises(InputError, match="line 3: unknown label 'odd'"):
        _read(path, labels=["neg", "pos"])
    with pytest.raises(InputError, match="holds votes, which are read where a text has one label"):
        _read(path, multi_label=True)
    rows = pd.DataFrame({"text": ["a", "b"], "neg": [0.2, 1], "pos": [1, 0]})
    rows.to_csv(tmp_path / "hot.csv", index=False)
    with pytest.raises(InputError, match="expected 0 or 1"):
        _read(tmp_path / "hot.csv", label=["neg", "pos"], multi_label=True)


def test_other_shares_are_other_data_and_shares_that_fit_no_label_are_refused() -> None:
    one = Example("x", ("a",), (0,), shares=(0.6, 0.4))
    other = replace(one, shares=(0.7, 0.3))
    assert fingerprint([one], explained=True) != fingerprint([other], explained=True)
    # Training reads the label alone.
    assert fingerprint([one]) == fingerprint([other])
    with pytest.raises(InputError, match="sum 1"):
        replace(one, shares=(0.6, 0.6))
    with pytest.raises(InputError, match="shares of 2 labels; expected"):
        Task("t", ("a", "b", "c"), (), (), (one,), partial=True)
