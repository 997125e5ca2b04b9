"""Files of scores from elsewhere: what each layout means, and one sentence for everything that is wrong."""

from __future__ import annotations

import base64
import gzip
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from assay.explainers.score_file import Scores, open_scores
from assay.harness.cli import main
from assay.harness.command_line.exchange import AXES, FORMATS
from assay.harness.exchange.importers.base import TaskLookup, json_lines, number
from assay.harness.exchange.importing import READERS, Order, Tally, checked, import_scores
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task

TEXTS = {
    "a": ("The plot is wonderful", "good"),
    "b": ("A film, unbelievably dull!", "bad"),
    "c": ("Café noir", "good"),
}
LABELS = ("bad", "good")
Write = Callable[..., Path]


EXAMPLES = tuple(Example(id, (text,), (LABELS.index(label),)) for id, (text, label) in TEXTS.items())
KNOWN = TaskLookup(Task("three", LABELS, EXAMPLES, EXAMPLES, EXAMPLES))


@pytest.fixture
def overrides(tmp_path: Path) -> list[str]:
    """The same task for the command line."""
    folder = tmp_path / "data"
    folder.mkdir()
    for split in ("train", "dev", "test"):
        rows = [{"id": id, "text": text, "label": label} for id, (text, label) in TEXTS.items()]
        (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    names = [f"task.{split}={split}.jsonl" for split in ("train", "dev", "test")]
    return ["task=local", f"task.path={folder}", *names, "task.labels=[bad,good]", "task.id=id"]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write(row, ...)`: a JSONL file of these rows."""

    def made(*rows: Any) -> Path:
        path = tmp_path / "scores.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return made


def order(path: Path, form: str, **other: Any) -> Order:
    return Order(path, form, **{"name": "elsewhere", "folder": path.parent / "imported", **other})


def read(path: Path, form: str) -> dict[tuple[str, int], Scores]:
    """What a file says."""
    found = list(checked(READERS[form](path, KNOWN), Tally()))
    return {(one.example_id, one.target): one for one in found}


def stretches(scores: Scores) -> list[tuple[str, float]]:
    """Scores with what they are about."""
    text = TEXTS[scores.example_id][0]
    places = zip(scores.starts, scores.ends, scores.scores, strict=True)
    return [(text[start:end], round(float(score), 6)) for start, end, score in places]


def every(**row: Any) -> list[dict[str, Any]]:
    """A row for every text and class, the given one first, which stands for text a, class 1."""
    first = {"id": "a", "target": "good", **row}
    others = [(id, target) for id in TEXTS for target in (0, 1) if (id, target) != ("a", 1)]
    return [first, *({"id": id, "target": target, "spans": [[0, 1, 1.0]]} for id, target in others)]


def test_the_command_offers_what_there_is() -> None:
    assert set(FORMATS) == set(READERS)
    assert set(AXES) == {"task", "model", "seed"}


@pytest.mark.parametrize(
    "row",
    [
        {"spans": [[0, 3, 0.5], [9, 11, -1]]},
        {"tokens": ["the", "plot", "is"], "scores": [0.5, 0, -1]},
        {"words": ["The", "plot", "is"], "scores": [0.5, 0, -1], "text": TEXTS["a"][0]},
        {
            "tokens": ["[CLS]", "?", "??", "[SEP]"],
            "scores": [9, 0.5, -1, 9],
            "offsets": [[0, 0], [0, 3], [9, 11], [0, 0]],
            "texts": [TEXTS["a"][0]],
        },
    ],
    ids=["spans", "tokens", "words", "offsets"],
)
def test_plain_lines(write: Write, row: dict[str, Any]) -> None:
    found = read(write(*every(**row)), "jsonl")
    assert [pair for pair in stretches(found["a", 1]) if pair[1]] == [("The", 0.5), ("is", -1)]
    assert stretches(found["b", 0]) == [("A", 1)]


def test_plain_lines_may_tell_costs_and_values(write: Write) -> None:
    about = {
        "forward_rows": 7,
        "backward_rows": 2,
        "tokens_read": 80,
        "value_input": 1.5,
        "output_space": "logit",
    }
    found = read(write(*every(spans=[], **about)), "jsonl")["a", 1]
    assert (found.cost.forward_rows, found.cost.backward_rows, found.cost.tokens) == (7, 2, 80)
    assert (found.value_input, found.output_space) == (1.5, "logit")
    assert np.isnan(found.value_baseline)


def test_gzipped_lines(write: Write) -> None:
    plain = write(*every(spans=[[0, 3, 1]]))
    plain.write_bytes(gzip.compress(plain.read_bytes()))
    assert stretches(read(plain, "jsonl")["a", 1]) == [("The", 1)]


def eraser(id: str, label: str, **rationale: Any) -> dict[str, Any]:
    """A line as ERASER's benchmark reads it."""
    return {
        "annotation_id": id,
        "classification": label,
        "classification_scores": {"bad": 0.25, "good": 0.75},
        "rationales": [{"docid": id, **rationale}],
    }


def test_eraser(write: Write) -> None:
    path = write(
        eraser("a", "good", soft_rationale_predictions=[0.1, 0.2, 0.0, 0.9], hard_rationale_predictions=[]),
        eraser("b", "good", hard_rationale_predictions=[{"start_token": 1, "end_token": 3}]),
        eraser("c", "bad", hard_rationale_predictions=[]),
    )
    found = read(path, "eraser")
    assert set(found) == {("a", 1), ("b", 1), ("c", 0)}
    assert stretches(found["a", 1]) == [("The", 0.1), ("plot", 0.2), ("is", 0), ("wonderful", 0.9)]
    # White-space tokens, as in ERASER's documents.
    assert stretches(found["b", 1]) == [("A", 0), ("film,", 1), ("unbelievably", 1), ("dull!", 0)]
    assert not found["c", 0].scores.any()


def study(*tokens: str) -> dict[str, Any]:
    """A line as the study's scripts write it, token t of class k scored t + k/10."""
    return {"tokens": [{"token": token, "0": at, "1": at + 0.1} for at, token in enumerate(tokens)]}


def test_the_studys_saliency_files(write: Write) -> None:
    path = write(
        study("[CLS]", "the", "plot", "is", "wonderful", "[SEP]", "[PAD]"),
        study("[CLS]", "a", "film", ",", "un", "##bel", "##ie", "##va", "##bly", "[SEP]"),
        study("[CLS]", "cafe", "[UNK]", "[SEP]"),
    )
    found = read(path, "study")
    assert stretches(found["a", 1]) == [("The", 1.1), ("plot", 2.1), ("is", 3.1), ("wonderful", 4.1)]
    assert stretches(found["b", 0])[2:5] == [(",", 3), ("un", 4), ("bel", 5)]
    assert stretches(found["c", 0]) == [("Café", 1), ("noir", 2)]


def inseq(text: str, tokens: list[str], scores: Any, label: str, *, encoder: bool = True) -> dict[str, Any]:
    """A sequence as inseq 0.7 saves it; `encoder`: of a model with one, which does not repeat its input."""
    packed = base64.b64encode(save({"attribution": np.array(scores, dtype=np.float32)})).decode()

    def typed(name: str, attributes: dict[str, Any]) -> dict[str, Any]:
        return {"__instance_type__": ["inseq", name], "attributes": attributes}

    source = [typed("TokenWithId", {"id": at, "token": token}) for at, token in enumerate(tokens)]
    target = [typed("TokenWithId", {"id": 99, "token": f"▁{label}"})]
    attributes = {
        "source": source,
        "target": target if encoder else [*source, *target],
        "source_attributions": packed if encoder else None,
        "target_attributions": None if encoder else packed,
        "attr_pos_start": 0 if encoder else len(tokens),
        "attr_pos_end": 1 if encoder else len(tokens) + 1,
    }
    return {
        "text": text,
        "generated": label if encoder else f"{text} {label}",
        "sequence": typed("FeatureAttributionSequenceOutput", attributes),
    }


def saved(path: Path, *sequences: dict[str, Any]) -> Path:
    content = {
        "__instance_type__": ["inseq.data.attribution", "FeatureAttributionOutput"],
        "attributes": {
            "info": {
                "input_texts": [one["text"] for one in sequences],
                "generated_texts": [one["generated"] for one in sequences],
            },
            "sequence_attributions": [one["sequence"] for one in sequences],
            "step_attributions": None,
        },
    }
    path.write_text(json.dumps(content, indent=4), encoding="utf-8")
    return path


def test_inseq(tmp_path: Path) -> None:
    texts = [text for text, _ in TEXTS.values()]
    column = [[0.1], [0.2], [0], [0.5], [0.25], [9]]
    path = saved(
        tmp_path / "inseq.json",
        inseq(texts[0], ["▁The", "▁plot", "▁is", "▁wonder", "ful", "</s>"], column, "good"),
        inseq(texts[1], ["A", "Ġfilm"], [[1.0], [2.0], [float("nan")]], "bad", encoder=False),
        inseq(texts[2], ["Ca", "fé"], [[1.0], [3.0]], "bad"),
    )  # fmt: skip
    found = read(path, "inseq")
    assert set(found) == {("a", 1), ("b", 0), ("c", 0)}
    assert stretches(found["a", 1])[-2:] == [("wonder", 0.5), ("ful", 0.25)]
    assert stretches(found["b", 0]) == [("A", 1), ("film", 2)]
    assert stretches(found["c", 0]) == [("Ca", 1), ("fé", 3)]


@pytest.mark.parametrize(
    ("scores", "label", "message"),
    [
        ([[0.1, 0.2], [0.2, 0.3]], "good", r"sequence 0: 2 generated tokens are explained"),
        ([[[0.1, 0.2]], [[0.2, 0.3]]], "good", r"3 dimensions of scores.*out.aggregate\(\)"),
        ([[0.1], [0.2]], "splendid", r"sequence 0: unknown label 'splendid'"),
    ],
)
def test_what_inseq_tells_of_generation_is_refused(
    tmp_path: Path, scores: Any, label: str, message: str
) -> None:
    path = saved(tmp_path / "inseq.json", inseq(TEXTS["a"][0], ["The", "plot"], scores, label))
    with pytest.raises(InputError, match=message):
        read(path, "inseq")


@pytest.mark.parametrize("content", ["[1, 2]", "{}", "not JSON"])
def test_other_json_is_not_inseqs(tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"is not what inseq's FeatureAttributionOutput.save writes"):
        read(path, "inseq")


def test_a_prompt_is_no_text_of_the_task(tmp_path: Path) -> None:
    path = saved(tmp_path / "inseq.json", inseq("Is this good? Fine.", ["Is"], [[0.1]], "good"))
    with pytest.raises(InputError, match=r"'Is this good\? Fine.' is no test text.*without a prompt"):
        read(path, "inseq")


NAN = float("nan")


def plain(**row: Any) -> dict[str, Any]:
    """A plain line about text a and class 0, with something in it that is wrong."""
    return {"id": "a", "target": 0, "spans": [], **row}


def span(*values: Any) -> dict[str, Any]:
    return plain(spans=[list(values)])


BEYOND = {"start_token": 3, "end_token": 9}
TWO = {"rationales": [{"docid": "x"}, {"docid": "y"}]}


@pytest.mark.parametrize(
    ("form", "rows", "message"),
    [
        ("jsonl", [plain(id="z")], r"line 1: task 'three' has no test text of the id 'z'"),
        ("jsonl", [{"id": "a", "spans": []}], r"line 1 has no 'target'"),
        ("jsonl", [plain(target="goof")], r"line 1: unknown label 'goof'; did you mean 'good'"),
        ("jsonl", [plain(target=2)], r"the target 2 is out of range.*0 to 1 \(bad, good\)"),
        ("jsonl", [plain(target=True)], r"the target True is out of range"),
        ("jsonl", [{"id": "a", "target": 0}], r"line 1 has no scores; expected spans"),
        ("jsonl", [plain(spans=3)], r"the spans are no list"),
        ("jsonl", [span(0, 3, NAN)], r"the score at characters 0 to 3 is nan"),
        ("jsonl", [span(0, 3, 1e300)], r"too large for a 32-bit number"),
        ("jsonl", [span(0, 3, "1")], r"is '1'; expected a finite number"),
        ("jsonl", [span(0, 3)], r"the span \[0, 3\]; expected \[start, end, score\]"),
        ("jsonl", [span(0, 99, 1)], r"characters 0 to 99 of text 0, which has 21 characters"),
        ("jsonl", [span(3, 3, 1)], r"characters 3 to 3 of text 0"),
        ("jsonl", [span(0, 3, 1, 1)], r"of text 1, which has no characters"),
        ("jsonl", [plain(text="other")], r"the text is not that of example 'a'"),
        ("jsonl", [plain(texts=3)], r"the text is not that of example 'a'"),
        ("jsonl", [plain(forward_rows=-1)], r"forward_rows is -1"),
        ("jsonl", [plain(), plain()], r"line 2: a second explanation of example 'a' and class 0"),
        ("jsonl", [[1]], r"line 1 is a list; expected a JSON object"),
        ("eraser", [{**eraser("a", "good"), "classification": None}], r"has no 'classification'"),
        ("eraser", [eraser("a", "fine", soft_rationale_predictions=[0] * 4)], r"unknown label 'fine'"),
        ("eraser", [eraser("a", "good", soft_rationale_predictions=[0])], r"4 tokens, but 1 scores"),
        ("eraser", [eraser("a", "good", soft_rationale_predictions=[NAN] * 4)], r"score 0 is nan"),
        ("eraser", [eraser("a", "good", soft_sentence_predictions=[1])], r"sentence predictions alone"),
        (
            "eraser",
            [eraser("a", "good", hard_rationale_predictions=[BEYOND])],
            r"tokens 3 to 9.* has 4 tokens",
        ),
        ("eraser", [{**eraser("a", "good"), **TWO}], r"2 documents have a rationale \(x, y\)"),
        ("study", [study("[CLS]", "the", "film")], r"line 1: example 'a': its token 2, 'film', does not"),
        (
            "study",
            [{"tokens": [{"token": "the", "0": 1}]}],
            r"the classes 0, but the task has the classes 0, 1",
        ),
        ("study", [study("the")], r"has 1 lines, but the task 3 test texts"),
        (
            "study",
            [study("the"), study("a"), study("cafe"), study("x")],
            r"line 4: the task has 3 test texts",
        ),
    ],
)
def test_bad_input_is_one_sentence(write: Write, form: str, rows: list[Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(write(*rows), form)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"tokens": ["no"], "scores": [1]}, r"example 'a': its token 0, 'no', does not match"),
        ({"tokens": ["The"], "scores": [1, 2]}, r"1 tokens, but 2 scores"),
        ({"tokens": ["The"]}, r"1 tokens, but no scores"),
        ({"tokens": [1], "scores": [1]}, r"the tokens are no list of strings"),
        ({"words": ["The"], "scores": [1], "offsets": []}, r"1 tokens, 0 offsets and 1 segments"),
        ({"words": ["The"], "scores": [1], "offsets": [3]}, r"the span \[3, 1.0, 0\]"),
    ],
)
def test_bad_tokens_are_one_sentence(write: Write, row: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(write({"id": "a", "target": 0, **row}), "jsonl")


def test_lines_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    path.write_text(json.dumps(plain()) + '\n{"id"', encoding="utf-8")
    with pytest.raises(InputError, match=r"line 2 is not JSON"):
        read(path, "jsonl")
    path.write_bytes(json.dumps(plain()).encode() + b"\n\xff")
    with pytest.raises(InputError, match=r"not UTF-8"):
        read(path, "jsonl")
    with pytest.raises(InputError, match=r"there is no file '.*absent'"):
        read(tmp_path / "absent", "jsonl")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([plain()], r"no scores for 2 of the 3 texts that are explained, such as 'b'"),
        ([plain(id=id) for id in TEXTS], r"'a' and class 'good', but targets=all explains it"),
    ],
    ids=["texts", "classes"],
)
def test_what_is_explained_must_be_there_or_nothing_is_written(
    overrides: list[str], write: Write, tmp_path: Path, rows: list[Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        import_scores(order(write(*rows), "jsonl"), overrides)
    assert not [file for file in (tmp_path / "imported").rglob("*") if file.is_file()]


def test_targets_say_which_classes_are_needed(overrides: list[str], write: Write) -> None:
    gold = write(*({"id": id, "target": label, "spans": [[0, 1, 1]]} for id, (_, label) in TEXTS.items()))
    assert "3 explanations of 3 texts" in import_scores(order(gold, "jsonl"), [*overrides, "targets=gold"])
    other = order(write(*(plain(id=id) for id in TEXTS)), "jsonl", overwrite=True)
    with pytest.raises(InputError, match="targets=gold explains it"):
        import_scores(other, [*overrides, "targets=gold"])
    assert import_scores(other, [*overrides, "targets=predicted"])


@pytest.mark.parametrize(
    ("other", "given", "message"),
    [
        ({"name": "two words"}, [], r"--as is 'two words'"),
        ({"name": "occlusion"}, [], r"an explainer of Assay's own"),
        ({"folder": Path("${seed}")}, [], r"without \$"),
        ({"by": ("seed",)}, ["task=planted", "seed=0,1"], r"--by seed: the experiment has several \(0, 1\)"),
        ({}, ["experiment=quickstart"], r"several tasks \(planted_counting, reviews\).*task="),
        ({}, ["task=nonsense"], r"no task named 'nonsense'"),
    ],
)
def test_bad_orders(write: Write, other: dict[str, Any], given: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        import_scores(order(write(plain()), "jsonl", **other), given)


def test_an_import_is_replaced_only_when_asked(overrides: list[str], write: Write) -> None:
    path = write(*every(spans=[[0, 3, 1]]))
    import_scores(order(path, "jsonl"), overrides)
    with pytest.raises(InputError, match=r"elsewhere.parquet' exists.*--overwrite"):
        import_scores(order(path, "jsonl"), overrides)
    write(*every(spans=[[0, 3, 5]]))
    import_scores(order(path, "jsonl", overwrite=True), overrides)
    file = open_scores(path.parent / "imported" / "elsewhere.parquet")
    assert file.labels == LABELS
    assert stretches(file.find(["a"])["a", 1]) == [("The", 5)]


def test_every_seed_may_have_a_file_of_its_own(overrides: list[str], write: Write) -> None:
    path = write(*every(spans=[[0, 3, 1]]))
    for seed in (0, 1):
        mine = order(path, "jsonl", by=("model", "seed"))
        import_scores(mine, [*overrides, "model=linear", f"seed={seed}"])
    folder = path.parent / "imported"
    names = {file.name for file in folder.glob("*.parquet")}
    assert names == {"elsewhere-linear-0.parquet", "elsewhere-linear-1.parquet"}
    choice = (folder / "explainer" / "elsewhere.yaml").read_text(encoding="utf-8")
    assert "elsewhere-${model.name}-${seed}.parquet" in choice


def test_the_printed_command_scores_them(
    overrides: list[str], write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(*every(tokens=["the", "plot"], scores=[1, 2]))
    small = ["model=linear", "model.training.epochs=1", "name=small", f"store={tmp_path / 'store'}"]
    small += ["metric=[sparsity,randomisation]", "report.bootstrap=20"]
    small += ["explainer=[random]"]
    arguments = [str(path), "--format", "jsonl", "--as", "elsewhere", "--to", str(tmp_path / "imported")]
    assert main(["import", *arguments, *overrides, *small]) == 0
    said = capsys.readouterr().out
    assert said.startswith("6 explanations of 3 texts: ")
    assert "compute time will show 0" in said
    command = shlex.split(said.splitlines()[-1])
    assert command[:2] == ["assay", "run"]
    assert command[-1] == "explainer=[random,elsewhere]"
    assert main(command[1:]) == 0
    table = (tmp_path / "store" / "experiments" / "small" / "comparison.md").read_text(encoding="utf-8")
    assert "elsewhere" in table
    assert "these scores were computed elsewhere" in table


def test_what_does_not_fit_is_one_line_on_stderr(
    overrides: list[str], write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(plain(id="z"))
    assert main(["import", str(path), *overrides, "--format", "jsonl", "--as", "elsewhere"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_files_that_are_torn_or_explode_are_refused_in_one_sentence(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"id": "x"}\n' * 100_000)
    (tmp_path / "torn.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"torn\.gz, after line \d+: the file cannot be read"):
        list(json_lines(tmp_path / "torn.gz", ["id"]))
    (tmp_path / "large.gz").write_bytes(gzip.compress(b'{"id": "' + b"a" * 80_000_000))
    with pytest.raises(InputError, match=r"large\.gz, line 1 has more than 67,108,864 characters"):
        list(json_lines(tmp_path / "large.gz", ["id"]))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": ' + "[" * 100_000 + "]" * 100_000 + "}", "line 1 is not JSON .*too deep"),
        ('{"id": ' + "1" * 5000 + "}", "line 1 is not JSON .*too many digits"),
        ('{"id": "\\ud83d"}', "line 1 is not JSON .*surrogate"),
    ],
)
def test_a_line_that_no_file_should_hold_is_refused(line: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "scores.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match=message):
        list(json_lines(tmp_path / "scores.jsonl", ["id"]))


def test_a_score_beyond_every_float_is_refused() -> None:
    with pytest.raises(InputError, match=r"here: score 0 is 1000.*; expected a finite number"):
        number(10**400, "score 0", "here")
