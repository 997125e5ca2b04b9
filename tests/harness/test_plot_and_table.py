"""`assay plot` and `assay table` on a small planted experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import assay
from assay.harness.cli import main
from assay.harness.reporting.figure_files import check_name
from assay.models.engine import Engine
from assay.results.figures.names import KINDS
from assay.tasks.errors import InputError

NAME = "planted_small"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished experiment on a linear model with two seeds."""
    folder = tmp_path_factory.mktemp("plot") / "store"
    overrides = [
        *(f"name={NAME}", "task=planted", "task.train=200", "task.dev=40", "task.test=60"),
        *("model=linear", "model.training.epochs=6", "seed=0,1", "report.bootstrap=30"),
        *("explainer=[gold,random,saliency_l2,occlusion,integrated_gradients]", "baseline=[mask,zero]"),
        *("metric=[human_agreement,faithfulness,compute_time]", f"store={folder}"),
    ]
    assert main(["run", *overrides]) == 0
    return folder


def shown(store: Path, *words: str) -> int:
    return main([*words, NAME, f"store={store}"])


BEGINNINGS = {"svg": b"<?xml", "pdf": b"%PDF", "png": b"\x89PNG"}


@pytest.mark.parametrize("suffix", BEGINNINGS)
def test_a_figure_is_written_in_each_format_and_asks_no_model(
    suffix: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: object, **__: object) -> None:
        raise AssertionError("a model was asked")

    monkeypatch.setattr(Engine, "__init__", asked)
    out = tmp_path / f"costs.{suffix}"
    assert shown(store, "plot", "cost", "--out", str(out)) == 0
    first = out.read_bytes()
    assert first.startswith(BEGINNINGS[suffix])
    if suffix != "pdf":
        assert first == (store / "experiments" / NAME / "figures" / f"cost.{suffix}").read_bytes()
    assert shown(store, "plot", "cost", "--out", str(out)) == 2  # exists
    assert shown(store, "plot", "cost", "--out", str(out), "--overwrite") == 0
    assert out.read_bytes() == first


def test_every_figure_of_the_report_can_be_asked_for(store: Path, tmp_path: Path) -> None:
    made = {path.stem for path in (store / "experiments" / NAME / "figures").glob("*.svg")}
    assert {"overview", "pareto", "critical_difference", "seeds", "labels-faithfulness", "agreement"} <= made
    for name in made:
        check_name(name)
    for name in ("labels-faithfulness", "baseline_sensitivity"):
        out = tmp_path / f"{name}.svg"
        assert shown(store, "plot", name, "--out", str(out)) == 0
        assert out.read_bytes() == (store / "experiments" / NAME / "figures" / out.name).read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("paretto",), "there is no figure 'paretto'; did you mean 'pareto'? available: agreement"),
        (("metric-faithfulnes",), "did you mean 'metric-faithfulness'"),
        (("cost", "--out", "cost.gif"), "expected a name that ends in .svg, .pdf or .png"),
        (("layers",), "has nothing to show as 'layers'"),
    ],
)
def test_what_there_is_not_is_refused_in_a_sentence(
    words: tuple[str, ...], message: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(store, "plot", *words) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_the_figure_of_baselines_shows_the_numbers_of_the_report(store: Path, tmp_path: Path) -> None:
    folder = store / "experiments" / NAME
    out = tmp_path / "baselines.svg"
    assert shown(store, "plot", "baseline_sensitivity", "--out", str(out)) == 0
    said = out.read_bytes()
    assert said == (folder / "figures" / "baseline_sensitivity.svg").read_bytes()
    table: Any = pd.read_csv(folder / "baseline_sensitivity.csv", keep_default_na=False, na_values=[""])
    alone = table[(table["explainer"] == "occlusion") & table["label"].isna()]
    assert f">{alone['agreement'].iloc[0]:.2f}<".encode() in said.replace(b"\xe2\x88\x92", b"-").replace(
        b" ", b""
    )
    assert b"occlusion" in said and b"integrated_gradients" in said and b"saliency_l2" not in said


def test_names_stand_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["plot", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert all(name in said for name in KINDS)
    with pytest.raises(InputError, match="did you mean 'seeds'"):
        check_name("seed")


def test_latex_with_chosen_metrics_and_its_references(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.tex"
    words = ("table", "--out", str(out), "--metrics", "compute_time,faithfulness")
    assert shown(store, *words) == 0
    text = out.read_text()
    assert text.index("passes") < text.index("Faithfulness") and "Human" not in text
    assert text.count(r"\begin{table}") == 1
    known = (tmp_path / "references.bib").read_text()
    keys = {
        "simonyan2014deep",
        "zeiler2014visualizing",
        "sundararajan2017axiomatic",
        "atanasova2020diagnostic",
    }
    assert all(f"{{{key}," in known for key in keys)
    assert "ribeiro2016why" not in known and "assay =" not in known
    out.unlink()
    assert shown(store, *words) == 2 and not out.exists()  # references.bib is there: nothing is written
    assert shown(store, *words, "--overwrite", "--transpose") == 0
    assert "metric & " in out.read_text()
    page = tmp_path / "table.md"
    assert shown(store, "table", "--out", str(page), "--metrics", "faithfulness", "--transpose") == 0
    assert "| metric | " in page.read_text() and page.read_text().count("| Faithfulness") == 1


def test_other_formats_hold_the_same_numbers(store: Path, tmp_path: Path) -> None:
    for suffix in ("csv", "parquet", "md", "html"):
        assert shown(store, "table", "--out", str(tmp_path / f"t.{suffix}"), "--metrics", "faithfulness") == 0
    one: Any = pd.read_csv(tmp_path / "t.csv", keep_default_na=False, na_values=[""])
    two: Any = pd.read_parquet(tmp_path / "t.parquet")
    assert set(one["metric"]) == {"faithfulness"} and list(one) == list(two) and len(one) == len(two)
    pd.testing.assert_series_equal(one["value"], two["value"])
    report: Any = pd.read_csv(store / "experiments" / NAME / "comparison.csv")
    of_metric = report[report["metric"] == "faithfulness"]["value"].reset_index(drop=True)
    pd.testing.assert_series_equal(of_metric, one["value"])
    assert (
        "<table>" in (tmp_path / "t.html").read_text()
        and "| occlusion | mask |" in (tmp_path / "t.md").read_text()
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--out", "t.xlsx"), "a table ends in .tex, .md, .csv, .html, .parquet, not in .xlsx"),
        (("--out", "t.csv", "--transpose"), "a table as .csv cannot be transposed"),
        (("--out", "t.md", "--metrics", "faithfullness"), "did you mean 'faithfulness'"),
    ],
)
def test_a_table_that_cannot_be_is_refused(
    words: tuple[str, ...], message: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(store, "table", *words) == 2
    assert message in capsys.readouterr().err


def words_by_hand(store: Path, explainer: str) -> pd.DataFrame:
    """Each word of each exported explanation: text, seed, label, word and the sum of its tokens' scores."""
    rows = []
    explained: Any = assay.load(store, NAME).explanations
    for one in explained[
        (explained["explainer"] == explainer) & (explained["baseline"] == "mask")
    ].itertuples():
        for word in sorted({at for at in one.word_ids if at >= 0}):
            places = [place for place, at in enumerate(one.word_ids) if at == word]
            spans = [one.offsets[place] for place in places]
            text = one.texts[one.segments[places[0]]]
            written = text[min(s[0] for s in spans) : max(s[1] for s in spans)].lower()
            total = sum(float(one.scores[place]) for place in places)
            rows.append((one.id, one.model_seed, one.target_label, written, total))
    return pd.DataFrame(rows, columns=["id", "seed", "label", "word", "score"])


def test_words_of_classes_are_those_of_the_exported_explanations(store: Path) -> None:
    found = assay.global_words(assay.load(store, NAME), fewest=3, listed=1000)
    table: Any = found.words
    assert not set(table["explainer"]) & {"random", "gold"}
    mine = table[(table["explainer"] == "occlusion") & (table["baseline"] == "mask")]
    by_hand: Any = words_by_hand(store, "occlusion")
    by_text = by_hand.groupby(["label", "word", "seed", "id"])["score"].mean()
    per_seed = by_text.groupby(["label", "word", "seed"]).agg(["mean", "count"])
    enough = per_seed[per_seed["count"] >= 3]
    expected = enough["mean"].groupby(["label", "word"]).mean()
    known = mine.set_index(["label", "word"])["value"]
    assert len(known) > 20 and set(known.index) == set(expected.index)
    pd.testing.assert_series_equal(
        known.sort_index(), expected.sort_index(), check_names=False, rtol=1e-5, atol=1e-6
    )
    assert {"model seeds", "explainers"} <= set(found.stability["over"])
    (drawing,) = found.figures()
    assert drawing.svg.startswith(b"<?xml") and "Words of classes" in repr(found)


def test_the_report_has_the_words_as_csv_and_parquet_and_a_figure(store: Path) -> None:
    folder = store / "experiments" / NAME
    one: Any = pd.read_csv(folder / "global_words.csv", keep_default_na=False, na_values=[""])
    two = pd.read_parquet(folder / "global_words.parquet")
    assert len(one) == len(two) > 0 and (one["n_texts"] >= 10).all()
    whole = assay.global_words(assay.load(store, NAME)).words
    pd.testing.assert_frame_equal(two, whole)
    assert (folder / "global_words_stability.csv").exists() and (
        folder / "figures" / "global_words.svg"
    ).exists()


def test_words_of_explanations_in_memory_are_the_same() -> None:
    task = assay.task("planted", train=200, dev=40, test=40)
    model = assay.fit("linear", task)
    found = assay.explain(model, task.test, ["occlusion", "saliency_l2"], baseline="mask")
    table: Any = assay.global_words(found, fewest=2, listed=5).words
    for label in set(table["label"]):
        of_method = found["occlusion"]
        explained = [
            of_method[place, record.target]
            for place, records in enumerate(of_method.records)
            for record in records
        ]
        scores: dict[str, list[float]] = {}
        for one in explained:
            if one.label == label:
                by_word: dict[str, list[float]] = {}
                for word, score in one.words():
                    by_word.setdefault(word.lower(), []).append(score)
                for word, some in by_word.items():
                    scores.setdefault(word, []).append(sum(some) / len(some))
        means = {word: sum(some) / len(some) for word, some in scores.items() if len(some) >= 2}
        best = sorted(means, key=lambda word: (-abs(means[word]), word))[:5]
        mine = table[(table["explainer"] == "occlusion") & (table["label"] == label)]
        assert list(mine["word"]) == best
        assert mine["value"].tolist() == pytest.approx([means[word] for word in best], rel=1e-5)
    with pytest.raises(InputError, match="global_words takes what explain or load returns"):
        assay.global_words([1, 2])
