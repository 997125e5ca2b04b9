"""Whatever is passed to the Python interface is read right, or refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, cast, get_type_hints

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import assay
from assay.explainers.perturbation.lime import Lime
from assay.harness.interface import trials
from assay.harness.interface.arguments import PANDAS
from assay.tasks.example import Example

HALF = "\ud83d"  # of an emoji
LABELS = ("bad", "good")
ROWS = [{"text": f"a {word} film {n}", "label": word, "id": f"row-{n}"} for n in range(20) for word in LABELS]
for number, row in enumerate(ROWS):
    row["id"] = f"row-{number}"

# Made anew for every use: a generator is empty after the first.
ODD: list[Callable[[], Any]] = [
    *(lambda value=value: value for value in (None, 0, -1, 1.5, True, 10**30, float("nan"), float("inf"))),
    *(lambda value=value: value for value in ("", " ", "x", HALF, "e\u0301", "\x00", "a\nb", "x" * 5000)),
    *(lambda value=value: value for value in (b"ab", complex(1, 2), Decimal("1.5"), object(), len, Example)),
    *(lambda value=value: value for value in (np.int64(3), np.float64(1.5), np.str_("x"), np.bool_(True))),
    *(lambda value=value: value for value in (np.array([]), np.array("a"), np.array([["a", "b"]]))),
    *(lambda value=value: value for value in (pd.NA, pd.NaT, pd.DataFrame(ROWS), pd.Series([pd.NA, "a"]))),
    *(lambda value=value: value for value in ([], {}, set(), (), [[]], ["a", None], ["a", ("b", "c")])),
    *(lambda value=value: value for value in ({"a", "b"}, {"a": 1}, [HALF], ("a", HALF), range(3), Lime())),
    *(lambda value=value: value for value in ([("a", "b", "c")], ["a", "a"], [Lime, "lime"], Path("x"))),
    lambda: (text for text in ("a", 3)),
    lambda: iter([]),
]
odd = st.one_of(
    st.sampled_from(ODD).map(lambda make: make()),
    st.text(max_size=5),
    st.lists(st.text(max_size=3), max_size=3),
)


def answers(texts: list[str]) -> np.ndarray:
    good = np.array([0.9 if "good" in text else 0.2 for text in texts])
    return np.stack([1 - good, good], axis=1)


class Pipeline:
    """As scikit-learn has them."""

    def predict_proba(self, texts: list[str]) -> np.ndarray:
        return answers(texts)


def _frame(**cell: Any) -> list[dict[str, Any]]:
    """A table in one cell of which stands something odd."""
    return [{**row, **(cell if place == 3 else {})} for place, row in enumerate(ROWS)]


TASK = assay.texts(ROWS)
WRAPPED = assay.wrap(answers, labels=LABELS)
FOUND = assay.explain(WRAPPED, TASK.test, ["occlusion", "random"])
SCORES = assay.score(FOUND, "comprehensiveness")
FRAME = pd.DataFrame(ROWS)
USES: dict[str, Callable[[Any], Any]] = {
    "texts": lambda value: assay.texts(value),
    **{
        f"texts, {option}": lambda value, option=option: assay.texts(FRAME, **{option: value})
        for option in ("text", "label", "text_pair", "rationale", "id", "labels", "multi_label", "separator")
    },
    **{
        f"texts, {option}": lambda value, option=option: assay.texts(FRAME, **{option: value})
        for option in ("split", "fractions", "seed", "name")
    },
    **{
        f"cell {column}": lambda value, column=column: assay.texts(
            _frame(**{column: value}), id="id", text=column if column == "text" else "text"
        )
        for column in ("text", "label", "id")
    },
    "task": lambda value: assay.task(value),
    "task, option": lambda value: assay.task("planted", train=20, dev=5, test=5, seed=value),
    "fit": lambda value: assay.fit(value, TASK),
    "fit, task": lambda value: assay.fit("linear", value),
    "fit, training": lambda value: assay.fit("linear", TASK, training=value),
    "fit, device": lambda value: assay.fit("linear", TASK, device=value, training={"epochs": 1}),
    "wrap, labels": lambda value: assay.wrap(answers, labels=value),
    **{
        f"wrap, {option}": lambda value, option=option: assay.wrap(
            answers, **{"labels": LABELS, option: value}
        )
        for option in ("multi_label", "name", "max_tokens", "over_limit", "fingerprint", "pattern", "device")
    },
    "explain": lambda value: assay.explain(WRAPPED, value, "occlusion"),
    "explain, classifier": lambda value: assay.explain(value, "a"),
    "explain, one of": lambda value: assay.explain(WRAPPED, ["a good film", value], "occlusion"),
    **{
        f"explain, {option}": lambda value, option=option: assay.explain(
            WRAPPED, "a good film", **{"explainers": "occlusion", option: value}
        )
        for option in ("explainers", "baseline", "targets", "seed", "task")
    },
    "predict_proba": lambda value: WRAPPED.predict_proba(value),
    "score": lambda value: assay.score(value, "comprehensiveness"),
    "score, metrics": lambda value: assay.score(FOUND, value),
    "score, removal": lambda value: assay.score(FOUND, "comprehensiveness", removal=value),
    "compare, seed": lambda value: SCORES.compare(resamples=20, seed=value),
    "compare, full": lambda value: SCORES.compare(resamples=20, full=value),
    "method": lambda value: FOUND[value],
    "text": lambda value: FOUND["occlusion"][value],
    "class": lambda value: FOUND["occlusion"][0, value],
    "load": lambda value: assay.load(value, "x"),
    "load, name": lambda value: assay.load("nowhere", value),
}


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(use=st.sampled_from(sorted(USES)), value=odd)
def test_anything_is_read_or_refused_in_a_sentence(use: str, value: Any) -> None:
    try:
        found = USES[use](value)
    except assay.InputError as error:
        assert "\n" not in str(error), error
    else:
        assert found is not None


@pytest.mark.parametrize(
    "function", [assay.texts, assay.task, assay.fit, assay.wrap, assay.explain, assay.score, assay.load]
)
def test_the_types_of_all_arguments_can_be_checked(function: Any) -> None:
    # A name that cannot be resolved would leave every argument of the function unchecked.
    assert get_type_hints(function.__wrapped__, localns={"pd": PANDAS})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: FOUND["occlusion"][99], "there is no text 99; 4 texts were explained, 0 to 3"),
        (lambda: FOUND["occlusion"][-5], "there is no text -5"),
        (lambda: FOUND["occlusion"][99, "good"], "there is no text 99"),
        (lambda: FOUND["occlusion"][True], "by text number"),
        (lambda: FOUND[["occlusion", "random"]], "methods are found by name"),
        (lambda: assay.explain(WRAPPED, HALF), "half of a surrogate pair"),
        (lambda: assay.texts(_frame(text=f"a {HALF}")), "row 3: example 'texts-3'.*half of a surrogate pair"),
        (lambda: assay.texts(_frame(label=b"good")), "row 3: column 'label' holds b'good'"),
        (lambda: assay.texts(_frame(label=object())), "row 3: column 'label' holds <object"),
        (lambda: assay.texts(_frame(label="g\u00fct") + _frame(label="gu\u0308t")), "look the same"),
        (lambda: assay.texts(ROWS, name=HALF), "name is .*half of a surrogate pair"),
        (lambda: assay.texts(ROWS, text=0), "row 0 has no column '0'"),
        (lambda: assay.texts(ROWS, seed=cast(Any, "")), "seed is ''; expected a whole number"),
        (lambda: assay.texts(ROWS, seed=-1), "seed is -1; expected 0 to 4294967295"),
        (lambda: assay.texts(ROWS, labels=cast(Any, {"good", "bad"})), "labels is .*expected a list"),
        (lambda: assay.wrap(answers, labels={"bad", "good"}), "labels is .*in the order of the outputs"),
        (lambda: assay.wrap(answers, labels={"bad": 0, "good": 1}), "in the order of the outputs"),
        (lambda: assay.wrap(answers, labels=b"ab"), "in the order of the outputs"),
        (lambda: assay.wrap(answers, labels=LABELS, pattern="("), "expected a regular expression"),
        (lambda: assay.wrap(answers, labels=LABELS, pattern=b"a"), "expected a regular expression"),
        (lambda: assay.task("local", path="x" * 5000), "does not exist"),
        (lambda: assay.explain(WRAPPED, FRAME), "a DataFrame cannot be explained"),
        (lambda: assay.explain(WRAPPED, ("a good film", "a bad film")), "give texts as a list"),
        (lambda: assay.explain(WRAPPED, ["a", ("b", "c")]), "the model reads single texts"),
        (lambda: assay.explain(WRAPPED, "a", task=cast(Any, ROWS)), "what assay.task or assay.texts returns"),
        (lambda: assay.explain(WRAPPED, "a", {1: "lime", "1": "occlusion"}), "equal as texts"),
        (lambda: assay.explain(WRAPPED, "a", Lime(rows=cast(Any, 20.5))), "rows is 20.5; expected a whole"),
    ],
)
def test_what_is_wrong_is_said(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(assay.InputError, match=message) as error:
        call()
    assert "\n" not in str(error.value)


def test_an_index_beyond_the_texts_ends_a_loop_of_python() -> None:
    with pytest.raises(IndexError):
        FOUND["occlusion"][99]
    assert next(reversed(FOUND["occlusion"])).texts == FOUND["occlusion"][-1].texts


@pytest.mark.parametrize(
    "table",
    [
        FRAME.set_index("id", drop=False)[::-1][::-1],
        FRAME.convert_dtypes(),
        FRAME.astype({"label": "category", "text": "string"}),
        FRAME.astype(object).to_dict("records"),
        tuple(ROWS),
        (row for row in ROWS),
        [{name: np.str_(value) for name, value in row.items()} for row in ROWS],
        FRAME.assign(other=[object()] * len(FRAME)),
    ],
    ids=["index", "nullable", "categorical", "mappings", "tuple", "generator", "numpy", "other column"],
)
def test_all_tables_of_the_same_rows_are_the_same_task(table: Any) -> None:
    assert assay.texts(table) == TASK


def test_nullable_numbers_and_unnamed_columns_are_read() -> None:
    numbers = FRAME.assign(label=pd.array([row["label"] == "good" for row in ROWS], dtype="Int64"))
    unnamed = numbers.set_axis(range(3), axis=1)
    task = assay.texts(unnamed, text=0, label=1)
    assert task.labels == ("0", "1")
    for example in (*task.train, *task.dev, *task.test):
        assert task.labels[example.labels[0]] == str(int("good" in example.texts[0]))


def test_labels_keep_the_order_of_the_outputs() -> None:
    for labels in (list(LABELS), np.array(LABELS), pd.Series(LABELS, index=[1, 0]), iter(LABELS)):
        assert assay.wrap(answers, labels=labels).labels == LABELS
    assert assay.texts(FRAME, labels=cast(Any, np.array(["good", "bad"]))).labels == ("good", "bad")


def test_numbers_of_numpy_are_settings_like_any() -> None:
    one, other = (
        assay.explain(WRAPPED, "a good film", Lime(rows=rows)) for rows in (cast(Any, np.int64(20)), 20)
    )
    np.testing.assert_array_equal(one.scores, other.scores)
    settings = {"epochs": cast(Any, np.int64(1))}
    assert assay.fit("linear", TASK, training=settings, seed=cast(Any, np.int64(3))).seed == 3


def test_a_store_may_be_a_path(tmp_path: Path) -> None:
    wrapped = assay.wrap(answers, labels=LABELS, fingerprint="1")
    assay.explain(wrapped, TASK.test, "occlusion", store=tmp_path / "store")
    assert (tmp_path / "store" / "store.json").exists()


def test_objects_are_shown_in_a_line() -> None:
    assert repr(TASK) == "Task 'texts': 32 texts to train, 4 dev and 4 test; 2 labels (bad, good)"
    assert repr(FOUND).startswith("Explanations of 4 texts by 2 methods\n  occlusion (delete): 4 texts, 8 ")
    one = assay.explain(WRAPPED, ["a good film"], ["occlusion"], targets="predicted")
    assert repr(one) == "Explanations of 1 text by 1 method\n  occlusion (delete): 1 text, 1 explanation"
    assert repr(assay.score(one, "comprehensiveness")).startswith("Scores of 1 method by 1 metric;")


def test_a_bound_method_is_called_as_what_it_belongs_to() -> None:
    assert assay.wrap(Pipeline().predict_proba, labels=LABELS).name == "Pipeline"
    assert assay.wrap(answers, labels=LABELS).name == "function"


def test_what_one_call_composed_serves_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    model = assay.fit("linear", TASK, training={"epochs": 1})
    first = assay.explain(model, "a good film", Lime(rows=20), seed=1)
    read: list[int] = []

    def fingerprint(examples: Any, **options: Any) -> str:
        read.append(len(examples))
        return original(examples, **options)

    original = trials.fingerprint
    monkeypatch.setattr(trials, "fingerprint", fingerprint)
    before = trials._composed.cache_info()
    again = assay.explain(model, "a good film", Lime(rows=20), seed=1)
    assert trials._composed.cache_info().misses == before.misses
    assert read == [1]  # the text, and none of those of training
    np.testing.assert_array_equal(first.scores, again.scores)
    # Another choice is another configuration.
    other = assay.explain(model, "a good film", Lime(rows=20), seed=2)
    assert not np.array_equal(first.scores, other.scores)
    one = assay.explain(model, ["a good film"], Lime(rows=20), seed=1, targets="predicted")
    assert len(one["lime"].records[0]) == 1 and len(again.record.scores) == 3


def test_a_configuration_that_calls_share_cannot_be_changed() -> None:
    config = FOUND.loaded.trial.config
    with pytest.raises(Exception, match="read-only"):
        config.seed = 3
