"""Scores computed elsewhere land on the model's tokens, sums kept, and on nothing they were not made for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assay.explainers.controls.controls import Inverted
from assay.explainers.explanation import Cost
from assay.explainers.imported import Imported, spread
from assay.explainers.protocol import Request
from assay.explainers.score_file import Scores, open_scores, text_print, write_scores
from assay.harness.config.keys import key, versions
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.limit import Limit
from assay.models.transformer_model import TransformerModel
from assay.models.vocabulary import SPECIALS, Vocabulary
from assay.models.word_model import WordModel
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task


def scores(example: Example, target: int, spans: list[tuple[int, int, float]], segment: int = 0) -> Scores:
    starts, ends, values = zip(*spans, strict=True)
    columns = ([segment] * len(spans), starts, ends)
    return Scores(
        example.id,
        target,
        text_print(example.texts),
        *(np.array(column, dtype=np.int32) for column in columns),
        scores=np.array(values, dtype=np.float32),
        output_space="logit",
        value_input=1.5,
        value_baseline=0.5,
        cost=Cost(3, 2, 40),
    )


def words(example: Example, target: int) -> Scores:
    """Each word of the first text gets its place, counted from 1, as its score."""
    spans, at = [], 0
    for number, word in enumerate(example.texts[0].split(), start=1):
        spans.append((at, at + len(word), float(number)))
        at += len(word) + 1
    return scores(example, target, spans)


@pytest.fixture
def file(tmp_path: Path, toy_task: Task) -> Path:
    path = tmp_path / "scores.parquet"
    made = (words(example, target) for example in toy_task.test for target in (2, 0))
    write_scores(path, toy_task.labels, made)
    return path


def request(model: WordModel | TransformerModel, example: Example, *targets: int) -> Request:
    return Request(example, model.encode([example.texts])[0], np.array(targets, dtype=np.intp))


def test_a_words_score_is_shared_out_among_its_pieces(tiny_bert: TransformerModel) -> None:
    example = Example("one", ("the wonderful film",), (2,))
    encoding = tiny_bert.encode([example.texts])[0]
    assert encoding.tokens == ("[CLS]", "the", "wond", "##erful", "film", "[SEP]")
    found = spread(words(example, 0), encoding, example.texts)
    assert found.tolist() == [0, 1, 1, 1, 3, 0]


def test_pieces_of_another_tokenizer_add_up_to_a_word(word_model: Callable[..., WordModel]) -> None:
    example = Example("one", ("the wonderful film",), (2,))
    encoding = word_model("linear").encode([example.texts])[0]
    pieces = scores(example, 0, [(4, 8, 0.5), (8, 13, 0.25), (10, 18, 4.0)])
    assert spread(pieces, encoding, example.texts).tolist() == [0, 2.75, 2]


def test_texts_of_a_pair_are_told_apart(word_model: Callable[..., WordModel]) -> None:
    example = Example("pair", ("the film", "the plot"), (0,))
    encoding = word_model("linear").encode([example.texts])[0]
    found = spread(scores(example, 0, [(0, 3, 7.0)], segment=1), encoding, example.texts)
    assert found.tolist() == [0, 0, 0, 7, 0]


def _encoding(text: str, *, truncated: int) -> Encoding:
    """The first word of a text, special tokens around it, the others cut off."""
    end = text.index(" ")
    offsets = np.array([[0, 0], [0, end], [0, 0]], dtype=np.int32)
    zeros = np.zeros(3, dtype=np.int32)
    return Encoding(("[CLS]", text[:end], "[SEP]"), zeros, zeros, offsets, zeros - [1, 0, 1], truncated)


def test_a_score_that_meets_no_token_is_refused_unless_it_was_cut_off() -> None:
    example = Example("long", ("good film",), (0,))
    lost = scores(example, 0, [(0, 4, 1.0), (5, 9, 2.0)])
    assert spread(lost, _encoding("good film", truncated=1), example.texts).tolist() == [0, 1, 0]
    with pytest.raises(InputError, match=r"'long'.*characters 5 to 9 of text 0 \('film'\)"):
        spread(lost, _encoding("good film", truncated=0), example.texts)
    nothing = scores(example, 0, [(0, 4, 1.0), (5, 9, 0.0)])
    assert spread(nothing, _encoding("good film", truncated=0), example.texts).tolist() == [0, 1, 0]


def test_a_score_before_a_cut_from_the_left_is_left_out() -> None:
    example = Example("long", ("good film",), (0,))
    (whole,) = Vocabulary([*SPECIALS, "good", "film"]).encode([example.texts], Limit(9))
    cut = Limit(1, "truncate", truncate_side="left").apply(whole, example.texts)
    assert cut.tokens == ("film",)
    lost = scores(example, 0, [(0, 4, 1.0), (5, 9, 2.0)])
    assert spread(lost, cut, example.texts).tolist() == [2]


def test_scores_are_looked_up_by_example_and_class(
    file: Path, toy_task: Task, word_model: Callable[..., WordModel]
) -> None:
    model = word_model("linear")
    asked = [request(model, toy_task.test[at], 0, 2) for at in (5, 3)]
    found = Imported(str(file)).explain(Engine(model), asked, None)
    for of_one, example in zip(found, (toy_task.test[5], toy_task.test[3]), strict=True):
        assert [(one.example_id, one.target) for one in of_one] == [(example.id, 0), (example.id, 2)]
        assert of_one[0].scores.tolist() == list(range(1, len(example.texts[0].split()) + 1))
        assert (of_one[0].output_space, of_one[0].value_input, of_one[0].value_baseline) == (
            "logit",
            1.5,
            0.5,
        )
        assert of_one[0].cost == Cost(3, 2, 40)


def test_a_scattered_file_is_read_as_well(
    tmp_path: Path, toy_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.explainers.score_file._GROUP", 5)
    path = tmp_path / "scattered.parquet"
    write_scores(path, toy_task.labels, (words(e, t) for t in (1, 0) for e in reversed(toy_task.test)))
    file = open_scores(path)
    first, last = toy_task.test[0].id, toy_task.test[-1].id
    assert len(file.groups[first]) == 2
    found = file.find([first, last])
    assert {(first, 0), (first, 1), (last, 0), (last, 1)} <= set(found)
    assert found[first, 0].scores.tolist() == words(toy_task.test[0], 0).scores.tolist()


@pytest.mark.parametrize(
    ("example", "target", "message"),
    [
        (Example("unknown", ("the film",), (0,)), 0, r"no scores for example 'unknown'"),
        (None, 1, r"scores of other classes only for example 'test-0', of which class 'neutral'.*targets="),
        (Example("test-0", ("another text",), (0,)), 0, r"another text of the id 'test-0'"),
    ],
    ids=["example", "class", "text"],
)
def test_what_the_file_lacks_is_one_sentence(
    file: Path,
    toy_task: Task,
    word_model: Callable[..., WordModel],
    example: Example | None,
    target: int,
    message: str,
) -> None:
    model = word_model("linear")
    with pytest.raises(InputError, match=message):
        asked = [request(model, example or toy_task.test[0], target)]
        Imported(str(file)).explain(Engine(model), asked, None)


def test_scores_of_other_classes_are_refused(
    file: Path, toy_task: Task, word_model: Callable[..., WordModel]
) -> None:
    other = replace(toy_task, name="other", labels=("bad", "neutral", "good"))
    model = word_model("linear", task=other)
    with pytest.raises(InputError, match="scores the classes negative, neutral, positive, but the model has"):
        Imported(str(file)).explain(Engine(model), [request(model, toy_task.test[0], 0)], None)


def test_results_are_named_by_the_files_content(file: Path, tmp_path: Path, toy_task: Task) -> None:
    same = tmp_path / "same.parquet"
    same.write_bytes(file.read_bytes())
    other = tmp_path / "other.parquet"
    write_scores(other, toy_task.labels, (words(example, 0) for example in toy_task.test))
    names = [key(versions(Inverted(Imported(str(path))))) for path in (file, same, other)]
    assert names[0] == names[1] != names[2]


def test_a_file_that_changes_under_a_run_is_refused(
    file: Path, toy_task: Task, word_model: Callable[..., WordModel]
) -> None:
    imported, model = Imported(str(file)), word_model("linear")
    assert imported.fingerprint
    write_scores(file, toy_task.labels, (words(example, 0) for example in toy_task.test))
    with pytest.raises(InputError, match="changed while it was read"):
        imported.explain(Engine(model), [request(model, toy_task.test[0], 0)], None)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"path is not set"):
        versions(Imported())
    with pytest.raises(
        InputError, match=r"no file of scores '.*absent.parquet'; make it with `assay import`"
    ):
        versions(Imported(str(tmp_path / "absent.parquet")))
    text = tmp_path / "text.parquet"
    text.write_text("no parquet")
    with pytest.raises(InputError, match="cannot be read"):
        open_scores(text)
