"""Several annotators from a file to the tables: one setting, the ceiling, groups, and their agreement."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.harness.cli import main
from assay.harness.config.choice import choose
from assay.harness.config.compose import configuration
from assay.harness.config.keys import key, named, plain
from assay.harness.interface.settings import shipped
from assay.tasks.errors import InputError

METRICS = ["human_agreement", "token_f1", "iou_f1", "auprc_steps", "top_k_agreement"]
PEOPLE = "another annotator"
WHO = {"ann": "expert", "ben": "expert", "cem": "crowd"}


def _write(path: Path, count: int = 120) -> None:
    """Texts with a word that is the label's; experts mark it, the crowd a word in a row too many."""
    rng, lines = np.random.default_rng(0), []
    for at in range(count):
        words = rng.choice(["the", "film", "was", "seen", "by", "people"], size=6).tolist()
        place = int(rng.integers(0, 6))
        words[place] = ("awful", "great")[at % 2]
        marks = {who: [int(word == place) for word in range(6)] for who in WHO}
        marks["cem"] = [int(word in (place, (place + 1) % 6)) for word in range(6)]
        cells = [{"annotator": who, "group": WHO[who], "words": marks[who]} for who in WHO]
        # Some texts were shown to one person only.
        shown = cells[:1] if at % 5 == 0 else cells
        lines.append({"text": " ".join(words), "label": ("neg", "pos")[at % 2], "why": shown})
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")


def _run(folder: Path, *overrides: str) -> Path:
    _write(folder / "marked.jsonl")
    arguments = [
        *("run", "name=people", "task=local", f"task.path={folder / 'marked.jsonl'}", "task.rationale=why"),
        *("model=maxpool", "model.training.epochs=2", "seed=0,1", "explainer=[random,occlusion,gold]"),
        *(f"metric=[{','.join([*METRICS, 'compute_time'])}]", "report.bootstrap=30", "shard=8"),
    ]
    assert main([*arguments, f"store={folder / 'store'}", *overrides]) == 0
    return folder / "store" / "experiments" / "people"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _run(tmp_path_factory.mktemp("people"), "annotators=each")


def _rows(path: Path, **where: str) -> list[dict[str, Any]]:
    """The rows of a table with these values, empty cells as ""."""
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return [row for row in rows if all(row[name] == value for name, value in where.items())]


def test_the_ceiling_is_a_row_of_all_tables_and_says_that_marks_tie(report: Path) -> None:
    table = report / "comparison.csv"
    people = {row["metric"]: row for row in _rows(table, explainer=PEOPLE)}
    assert set(people) == {*METRICS, "compute_time"}
    assert all(0.2 < float(people[name]["value"]) < 1 for name in METRICS)
    assert {(row["control"], row["best"], row["p"]) for row in people.values()} == {("True", "False", "")}
    assert "annotators mark words" in people["compute_time"]["reason"]
    # Ann and Ben agree. Of Cem's two words, which tie, one is theirs; by theirs one of his is first, and the
    # other in any of the five places behind it.
    of_theirs = (1 + sum(2 / rank for rank in range(2, 7)) / 5) / 2
    expected = (1.0 + (1 + 1 / 2) / 2 + of_theirs) / 3
    assert float(people["human_agreement"]["value"]) == pytest.approx(expected, abs=1e-9)
    # Texts that one person saw have no ceiling.
    (occlusion,) = _rows(table, explainer="occlusion", metric="token_f1")
    assert int(people["token_f1"]["n_units"]) < int(occlusion["n_units"])
    for name in ("comparison.md", "comparison.txt", "report.html", "comparison.tex"):
        text = " ".join((report / name).read_text(encoding="utf-8").split())
        assert PEOPLE in text and "so they tie where scores rank" in text
    assert PEOPLE.encode() in (report / "figures" / "overview.svg").read_bytes()


def test_no_other_row_moves_by_the_ceiling(report: Path, tmp_path: Path) -> None:
    for name in ("overall", "ranks", "slices"):
        assert not _rows(report / f"{name}.csv", explainer=PEOPLE)
    union = _run(tmp_path)
    explainers = [{row["explainer"] for row in _rows(at / "comparison.csv")} for at in (report, union)]
    assert explainers[0] - explainers[1] == {PEOPLE}
    cost = {"metric": "compute_time", "explainer": "occlusion"}
    assert _rows(report / "comparison.csv", **cost) == _rows(union / "comparison.csv", **cost)


def test_groups_have_slices_and_annotators_a_table(report: Path) -> None:
    of_groups = _rows(report / "slices.csv", dimension="annotators")
    assert {row["slice"] for row in of_groups} == {"crowd", "expert"}
    assert {row["metric"] for row in of_groups} == set(METRICS)
    gold = {
        row["slice"]: row for row in of_groups if (row["explainer"], row["metric"]) == ("gold", "token_f1")
    }
    # The control ranks what anybody marked: of its two words, which tie, the experts marked one.
    assert float(gold["crowd"]["value"]) == pytest.approx(1)
    assert 0.5 <= float(gold["expert"]["value"]) < 0.7
    assert int(gold["crowd"]["n_units"]) < int(gold["expert"]["n_units"])
    (everybody,) = _rows(report / "annotators.csv", group="", label="")
    assert everybody["annotators"] == "3"
    assert float(everybody["f1"]) == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)
    (expert,) = _rows(report / "annotators.csv", group="expert", label="")
    assert (expert["annotators"], float(expert["alpha"]), float(expert["f1"])) == ("2", 1, 1)
    every = _rows(report / "annotators.csv")
    assert {row["label"] for row in every} == {"", "neg", "pos"}
    assert {row["group"] for row in every} == {"", "crowd", "expert"}
    page = (report / "report.html").read_text(encoding="utf-8")
    assert "Do the annotators agree?" in page and "Against the marks of one group of annotators" in page


def test_one_setting_is_that_of_all_metrics_unless_one_says_otherwise() -> None:
    asked = [f"metric=[{','.join(METRICS)}]", "annotators=majority", "metric.iou_f1.annotators=each"]
    config = configuration(asked)
    built: dict[str, Any] = {chosen.metric.name: chosen.metric for chosen in choose(config).metrics}
    assert {name: metric.annotators for name, metric in built.items()} == {
        name: "each" if name == "iou_f1" else "majority" for name in METRICS
    }


def test_another_setting_is_refused_in_a_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for override in ("annotators=majorty", "metric.token_f1.annotators=majorty"):
        assert main(["plan", "metric=[token_f1]", override, f"store={tmp_path}"]) == 1
        said = capsys.readouterr().err
        assert "annotators is 'majorty'" in said and "majority" in said and "Traceback" not in said


@pytest.mark.parametrize("name", ["token_f1", "top_k_agreement", "auprc_steps"])
def test_keys_are_those_from_before_there_was_a_choice(name: str) -> None:
    def key_of(*overrides: str) -> str:
        (chosen,) = choose(configuration([f"metric=[{name}]", *overrides])).metrics
        return chosen.key

    config = configuration([f"metric=[{name}]"])
    (chosen,) = choose(config).metrics
    entry = plain(config.metric[name])
    before = {option: value for option, value in entry.items() if option not in ("annotators", "evidence")}
    assert len(before) == len(entry) - 2
    assert chosen.key == f"{name}-{key('metric', before, named(chosen.metric, entry))}"
    others = {key_of(), key_of("annotators=each"), key_of("annotators=majority")}
    assert len(others) == 3
    if name != "auprc_steps":
        assert key_of(f"metric.{name}.evidence=best") not in others
    # The Python interface names them alike.
    assert shipped("metric", name) == entry


def test_an_annotator_of_two_groups_is_refused(tmp_path: Path) -> None:
    mark = {"annotator": "ann", "words": [1, 0]}
    rows = [
        {"text": f"good {at}", "label": at % 2, "why": [{**mark, "group": ("expert", "crowd")[at > 3]}]}
        for at in range(40)
    ]
    (tmp_path / "two.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    from assay.tasks.local import local

    with pytest.raises(InputError, match=r"annotator 'ann' is in the group .* expected the same 'group'"):
        local(path=str(tmp_path / "two.jsonl"), rationale="why")
