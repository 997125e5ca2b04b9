"""`assay card` on a small planted experiment: what a card says, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

import assay
from assay.harness.cli import main
from assay.harness.config.places import command_without_places, plain_without_places, without_places
from assay.harness.reporting.cards import require_placeless_names
from assay.harness.storage.layout import StoredExperiment
from assay.models.engine import Engine

Out = pytest.CaptureFixture[str]


def run(capsys: Out, *words: str) -> tuple[int, str, str]:
    """The exit status, and what was printed to either stream."""
    capsys.readouterr()
    status = main(list(words))
    out, err = capsys.readouterr()
    return status, out, err


def test_a_card_says_what_the_tables_say_and_asks_no_model(
    finished: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: object, **__: object) -> None:
        raise AssertionError("a model was asked")

    monkeypatch.setattr(Engine, "__init__", asked)
    given = ["card", "tiny", f"store={finished}", "--explainer", "occlusion", "--baseline", "mask"]
    status, out, _ = run(capsys, *given, "--json", "--by", "Ann")
    (card,) = json.loads(out)
    assert status == 0 and card["method"] == {"explainer": "occlusion", "baseline": "mask"}
    stored = StoredExperiment(finished / "experiments" / "tiny")
    table = pd.read_csv(stored.comparison_table).query("explainer == 'occlusion' and baseline == 'mask'")
    values = {row["metric"]: (row["value"], row["low"]) for row in table.to_dict(orient="records")}
    shown = {one["row"]["metric"]: (one["row"]["value"], one["row"]["low"]) for one in card["evidence"]}
    for name, (value, low) in shown.items():
        assert value == pytest.approx(values[name][0], nan_ok=True) and low == pytest.approx(values[name][1])
    assert set(shown) == set(values)
    trials = [json.loads(path.read_text()) for path in finished.glob("trials/*/trial.json")]
    assert card["about"]["weights"] == {str(one["seed"]): one["weights"] for one in trials}
    assert card["about"]["data"]["explained texts"] == trials[0]["explained"]
    assert card["about"]["by"] == "Ann" and card["about"]["command"].startswith("assay run name=tiny ")
    assert {one["check"]["verdict"] for one in card["evidence"]} <= {"tells", "fails", "not checked"}
    status, out, _ = run(capsys, *given)
    assert status == 0 and out.startswith("# Explainer card: occlusion (mask), ")
    assert "| card made by |  |" in out and "## Known limits" in out and out.index("\n---\n") > 1000


def test_cards_of_all_candidates_are_written_in_three_forms(
    finished: Path, tmp_path: Path, capsys: Out
) -> None:
    given = ["card", "tiny", f"store={finished}", "--to", str(tmp_path / "cards")]
    assert run(capsys, *given)[0] == 0
    names = {path.name for path in (tmp_path / "cards").iterdir()}
    methods = {"saliency_l2", "occlusion-mask", "occlusion-delete"}
    endings = ("md", "json", "html")
    assert names == {f"planted_counting-maxpool-{m}.{ending}" for m in methods for ending in endings}
    status, _, err = run(capsys, *given)
    assert status == 1 and "exists; give another folder, or --overwrite" in err
    assert run(capsys, *given, "--overwrite")[0] == 0
    file = tmp_path / "a file"
    file.write_text("")
    assert "expected a folder for the cards" in run(capsys, *given[:3], "--to", str(file))[2]


def test_python_makes_the_same_cards(finished: Path, tmp_path: Path) -> None:
    runs = assay.load(finished, "tiny")
    made = assay.card(runs, "occlusion", "mask", by="Ann")
    (one,) = made.records()
    assert one["method"] == {"explainer": "occlusion", "baseline": "mask"} and one["about"]["by"] == "Ann"
    assert str(made).startswith("# Explainer card: occlusion (mask), ")
    assert made.write(tmp_path / "cards") == ["planted_counting-maxpool-occlusion-mask"]
    with pytest.raises(assay.InputError, match=r"a dict has no cards; expected what assay\.load"):
        assay.card({})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--explainer", "oclusion"], "has no scores of the explainer 'oclusion'; did you mean 'occlusion'?"),
        (["--explainer", "occlusion", "--baseline", "pad"], "has no scores of the baseline 'pad'"),
        (["--model", "cnn"], "has no scores of the model 'cnn'"),
    ],
)
def test_what_is_not_there_is_named(finished: Path, capsys: Out, words: list[str], said: str) -> None:
    status, out, err = run(capsys, "card", "tiny", f"store={finished}", *words)
    assert (status, out) == (1, "") and said in err and err.count("\n") == 1


def test_nothing_stored_yet(tiny: list[str], tmp_path: Path, capsys: Out) -> None:
    status, _, err = run(capsys, "card", *tiny, f"store={tmp_path / 'new'}")
    assert status == 1 and "nothing of the experiment 'tiny' is stored yet" in err and err.count("\n") == 1


def test_texts_changed_since(store: Path, capsys: Out) -> None:
    status, _, err = run(capsys, "card", "tiny", f"store={store}", "task.seed=7")
    assert status == 1 and "or its texts or settings have changed since" in err and err.count("\n") == 1


def test_an_incomplete_experiment(store: Path, capsys: Out) -> None:
    shutil.rmtree(min(store.glob("cells/*")))
    status, _, err = run(capsys, "card", "tiny", f"store={store}")
    assert status == 1 and "is not complete: 1 of" in err and err.count("\n") == 1


def test_a_damaged_store(store: Path, capsys: Out) -> None:
    path = min(store.glob("cells/*/scores/*.parquet"))
    path.write_bytes(path.read_bytes()[:-7])
    status, out, err = run(capsys, "card", "tiny", f"store={store}")
    assert (status, out) == (1, "") and "is damaged" in err and "`assay run` computes it anew" in err


def test_a_model_named_by_a_place_gets_no_card() -> None:
    require_placeless_names(["reviews", "transformer[path=v1]", "transformer[path=models/v1]"])
    for name in ("transformer[path=/home/ann/v1]", "local[path=~/x.csv]"):
        with pytest.raises(assay.InputError, match="holds a place of this machine"):
            require_placeless_names(["reviews", name])


PLACES = {
    "model.path=[/a/b/m,/c/d/n]": "model.path=[<m>,<n>]",
    "'/home/ann lee/x' is no folder": "'<x>' is no folder",
    "/home/ann": "<path>",
    "file:///home/ann/x": "<x>",
    "file:/home/ann": "<path>",
    r"C:\Users\ann\x": "<x>",
    r"C:\Users\ann": "<path>",
    r"store=C:\Program Files\Ann Lee\x": "store=<x>",
    "see ~ann/data/x": "see <x>",
    "~bob/x": "<x>",
    "~bob": "<path>",
    "task.path=~bob seed=0": "task.path=<path> seed=0",
    "task.path=~bob/x": "task.path=<x>",
    "../../home/bob/x": "<x>",
    "../x and ../../bob": "<path> and <path>",
    "/home/ann/x is missing; see a/b": "<x> is missing; see a/b",
    "x/../../../home/bob/y is missing": "<y> is missing",
    r"..\..\Users\bob\x": "<x>",
    "+explainer.imported={path:/home/bob/z}": "+explainer.imported={path:<z>}",
    "{path: /home/bob lee/z, n: 1}": "{path: <z>, n: 1}",
    "a={b:[/home/ann lee/x,/home/b c],path:/home/bob lee}": "a={b:[<x>,<path>],path:<path>}",
    "[/home/ann lee/x, ~bob/y z, ../../home/c d/w]": "[<x>, <y z>, <w>]",
    "transformer[path=/home/ann lee/v1]": "transformer[path=<v1>]",
    "the folder /home/ann lee/x is missing": "the folder <x> is missing",
    "copy /home/ann lee/x to /home/bob/y, please": "copy <x> to <y>, please",
    "it is in /home/ann/x.": "it is in <x>.",
    "see /home/o'brien/x": "see <x>",
    "'task.path=/home/ann lee/x' is bad": "'task.path=<x>' is bad",
    "\"{'path': '/home/ann lee'}\"": "\"{'path': '<path>'}\"",
    "'[/home/ann lee/x,/home/b c/y]'": "'[<x>,<y>]'",
    '"no file in /home/ann lee/x: none"': '"no file in <x>: none"',
    "run `assay run task.path=/home/ann/x`": "run `assay run task.path=<x>`",
    "task.path=file:/home/bob/a.csv": "task.path=<a.csv>",
    "sqlite:////home/bob/m.db": "<m.db>",
    "sqlite:///home/bob/m.db": "<m.db>",
    r"\\host\ann\x": "<x>",
    "//home/ann/x is no file": "<x> is no file",
    "task.path=//home/ann/x": "task.path=<x>",
    "gcc -I/home/ann/x -O2": "gcc -I<x> -O2",
    "-I/home/ann/x": "-I<x>",
    "bob@host:/home/bob/x and bob@host:x": "<x> and <path>",
    "PATH=/home/bob/x:/home/bob/y": "PATH=<x>:<y>",
    "https://bob:pw@host/x": "https://host/x",
    "first\n/home/bob lee/x": "first\n<x>",
}


@pytest.mark.parametrize("text", PLACES)
def test_places_are_left_out(text: str) -> None:
    assert without_places(text) == PLACES[text]
    assert without_places(PLACES[text]) == PLACES[text]


def test_settings_are_places_to_their_end() -> None:
    given = {"/home/ann lee": "<path>", "/home/ann lee/my x": "<my x>", "~ann/x y": "<x y>", "a/b": "a/b"}
    given |= {"file:///home/ann lee": "<path>", "two words, and/or": "two words, and/or"}
    given |= {"/a/b\nc /home/d/e": "<path>\nc <e>"}
    for text, shown in given.items():
        assert plain_without_places({text: [text, {"n": 1}]}) == {without_places(text): [shown, {"n": 1}]}


ORDINARY = (
    "x and/or 1/2 https://a.org/b/c",
    "planted / linear: 40 of 500 texts",
    "planted/linear, 40 of 500 (a/b) and [CLS]/[SEP] or f(x)/2",
    "2024/12/01, 01/12/2024, 3/4 and 1.5/2",
    "https://a.org/b c/d http://localhost:5000/#/x s3://bucket/a/b hf://datasets/a/b",
    "{url:https://a.org/b,n:1} [https://a.org/b]",
    "0.5 +/- 0.1, +/-5 %, 5 €/month, 3 %/year, 40 rows/s, km/h",
    "seed=0,1 explainer=[lime,occlusion] ~explainer=lime model.path=models/v1 ./x a/b/c",
    "about ~5 texts, ~0.5 s, a ~ b",
    "it's ann's: 'x' and \"y z\", don't",
    "<b>bold</b> <br/> \\d+ .../x ... and so on ..",
    "ann@a.org: hello; 10:30, a:b, C: x",
    "he/she, w/o, n/a, I/O, TCP/IP, yes/no/maybe, a//b",
    "cells/4f/explanations/part-00000.parquet",
    "/ ~ .. ../.. ~/ //",
)


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_texts_are_left_alone(text: str) -> None:
    assert without_places(text) == text
    assert without_places(f"'{text}'" if "'" not in text else text) in (f"'{text}'", text)


def test_values_of_a_command_are_places_to_their_end() -> None:
    given = {
        "task.path=/home/ann lee/tos": "task.path=<tos>",
        "task.path=/home/ann lee": "task.path=<path>",
        "model.path=/a/b/m,/c/d e/n": "model.path=<m>,<n>",
        "task.path='/home/lee, ann/x'": "task.path='<x>'",
        "task.path=/home/lee, ann/x": "task.path=<x>",
        "task.path=~bob": "task.path=<path>",
        "+model.x={path:~bob/y z}": "+model.x={path:<y z>}",
        "~explainer.lime": "~explainer.lime",
        "seed=0": "seed=0",
        "name": "name",
    }
    assert command_without_places(tuple(given)) == list(given.values())
