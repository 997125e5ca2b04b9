"""Every setting of the schema is checked before anything is computed: one sentence, nothing written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from assay.harness.cli import main
from assay.harness.config.compose import configuration, readable, sweep
from assay.harness.config.keys import plain

SMALL = ("task=planted_presence", "explainer=[random]", "metric=[compute_time]", "limits.default.train=20")
OUT_OF_RANGE = {
    "seed=-1": "seed is -1; expected a whole number, 0 to 4294967295",
    "seed=99999999999": "seed is 99999999999; expected a whole number, 0 to",
    "shard=0": "shard is 0; expected a whole number, at least 1",
    "shards_per_job=0": "shards_per_job is 0; expected",
    "engine.threads=0": "engine.threads is 0; expected a whole number, 1 to 1024",
    "engine.threads=100000": "engine.threads is 100000; expected",
    "engine.budget=0": "engine.budget is 0; expected",
    "report.bootstrap=0": "report.bootstrap is 0; expected a whole number, at least 20",
    "report.bootstrap=-5": "report.bootstrap is -5; expected",
    "report.texts=-1": "report.texts is -1; expected",
    "limits.default.test=0": "limits.default.test is 0; expected",
    "limits.default.test=-3": "limits.default.test is -3; expected",
    "limits.default.test=true": "limits.default.test is True; expected",
    "limits.default.test=some": "limits.default.test is some; expected",
    "limits.default.train=auto": "limits.default.train",
    "explainer_seeds=[]": "explainer_seeds is empty",
    "explainer_seeds=[0,0]": "expected different seeds",
    "explainer_seeds=[-1]": "explainer_seeds is -1; expected",
    "controls=[rando]": "controls names the explainer 'rando'; did you mean 'random'?",
    "explainer=[]": "no explainer is chosen; choose some, as in explainer=",
    "metric=[]": "no metric is chosen",
    "store=''": "store is '', which is empty",
    "store=${nope}": "Interpolation key 'nope' not found",
    "name=''": "name is '', which is empty",
    f"name={'a' * 300}": "which is longer than 100 bytes",
    "seed=1.5": "seed",
    "targets=foo": "targets",
    "engine.device=tpu7": "engine.device is 'tpu7'; expected cpu, cuda",
    "explainer=[lime] explainer.lime.rows=0": "explainer.lime.rows",
    "explainer=[occlusion_window] explainer.occlusion_window.window=1.5": "window is 1.5; expected",
    "explainer=[lime] explainer.lime.rows=many": "rows is 'many'; expected a whole number",
    "+foo=1": "there is no setting 'foo'",
}


def refused(overrides: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence by which `assay run` refuses overrides, before it writes anything."""
    store = [] if "store=" in overrides else [f"store={folder / 'store'}"]
    assert main(["run", *SMALL, *store, *overrides.split(" ")]) == 1
    out = capsys.readouterr()
    assert out.out == "" and out.err.startswith("assay: error: ") and out.err.count("\n") == 1, out.err
    assert not list(folder.rglob("*.parquet"))
    return out.err


@pytest.mark.parametrize(("overrides", "sentence"), OUT_OF_RANGE.items())
def test_a_bad_setting_is_refused_in_one_sentence(
    overrides: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sentence in refused(overrides, tmp_path, capsys)


def test_a_name_may_not_hold_a_control_character(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "control character" in refused("name='a\x1bb'", tmp_path, capsys)


def test_a_control_character_of_an_override_is_not_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "name=a\\x1bb" in refused("name=a\x1bb", tmp_path, capsys)


ODD = st.one_of(
    st.sampled_from(
        [
            *(
                "null",
                "",
                "''",
                "-1",
                "0",
                "1",
                "1.5",
                "nan",
                "inf",
                "-inf",
                "1e400",
                "true",
                "abc",
                "[]",
                "[1,2]",
            ),
            *(
                "[a,b]",
                "[null]",
                "[[a]]",
                "{}",
                "{a: 1}",
                "1,2",
                "a=b",
                "мой файл",
                "a b",
                "${nope}",
                "x" * 5000,
            ),
            *("99999999999999999999", "a\x1bb", "(", "'", "choice(", "???"),
        ]
    ),
    st.integers(-(2**70), 2**70).map(str),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
)


def leaves(node: Mapping[str, Any], where: str = "") -> list[str]:
    """The keys of a configuration, those of groups and of what is inside them."""
    keys = []
    for name, value in node.items():
        if name != "_target_":
            keys.append(f"{where}{name}")
            keys += leaves(value, f"{where}{name}.") if isinstance(value, dict) else []
    return keys


METHODS = ("metric=[aopc,faithfulness]", "model=linear", "explainer=[lime]")
# Not the sizes of the task, which the test keeps small.
SETTINGS = [
    key
    for key in leaves(cast(dict[str, Any], plain(configuration([*SMALL, *METHODS]))))
    if key not in {"task.train", "task.dev", "task.test"}
]


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@example(chosen=[("explainer.lime", "null")])
@given(chosen=st.lists(st.tuples(st.sampled_from(SETTINGS), ODD), min_size=1, max_size=3))
def test_any_settings_are_planned_or_refused(
    chosen: list[tuple[str, str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A drawn store may be a relative path.
    monkeypatch.chdir(tmp_path)
    few = (
        "metric=[aopc,faithfulness]",
        "model=linear",
        "explainer=[lime]",
        "task.train=20",
        "task.dev=10",
        "task.test=10",
    )
    written = [f"{key}={value}" for key, value in chosen]
    status = main(["plan", *SMALL, *few, f"store={tmp_path / 'store'}", *written])
    out = capsys.readouterr()
    assert "Traceback" not in out.out + out.err
    if status == 0:
        assert re.search(r"^Experiment .*: [1-9]\d* trials?, \d+ cells?$", out.out, re.MULTILINE), out.out
        assert "\nTo do: " in out.out and "Cannot be read" not in out.out
    elif out.out:
        # A trial whose texts cannot be made: a line for each below the others' plan.
        assert status == 1 and re.search(r"\nCannot be read:\n(  \S.*\n)+", out.out), out.out
    else:
        assert status == 1 and out.err.count("\n") == 1 and out.err.startswith("assay: error: "), out.err


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    {
        "model=null": "'model=null' chooses nothing; expected a name, or a list of names",
        "task=null": "'task=null' chooses nothing",
        "hydra=null": "'hydra=null' chooses nothing",
        "explainer=[null]": "'explainer=[null]' chooses nothing",
        "task.test=1e400": "test is inf; expected a whole number",
        "++task.train=abc": "train is 'abc'; expected a whole number",
        "task.name=5": "task.name is 5; expected a plain name",
        f"task.name={'x' * 5000}": "task.name is 'xxx",
        "model.name=null": "model.name is None; expected a plain name",
        "model.name=5": "model.name is 5; expected a plain name",
        "model.name=[a,b]": "model.name is ['a', 'b']; expected a plain name",
        f"model.name={'x' * 5000}": "which is longer than 100 bytes",
        "explainer.random=null": "explainer.random is None; expected its settings, as a mapping",
        "removal.mask=5": "removal.mask is 5; expected its settings, as a mapping",
        "model.training=null": "training is None; expected settings of Training",
        "model.training.epochs=-1": "training.epochs is -1; expected at least 0",
        "model.training.epochs=1.5": "epochs is 1.5; expected a whole number",
        "model.training.epochs=true": "epochs is True; expected a whole number",
        "model.training.batch_size=0": "training.batch_size is 0; expected at least 1",
        "model.training.learning_rate=nan": "training.learning_rate is nan; expected a finite number",
        "model.training.weight_decay=-1": "training.weight_decay is -1; expected at least 0",
        "model.max_words=0": "model.max_words is 0; expected at least 1",
        "model.min_count=-1": "model.min_count is -1; expected at least 1",
        "model=cnn model.channels=0": "model.channels is 0; expected at least 1",
        "model=cnn model.widths=[3,0]": "model.widths is 0; expected at least 1",
        "model=cnn model.dropout=1.5": "model.dropout is 1.5; expected 0 <= dropout < 1",
        "model.over_limit=cut": "model.over_limit is 'cut'",
    }.items(),
)
def test_settings_of_tasks_and_models_are_refused_before_anything_runs(
    overrides: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sentence in refused(f"model=linear {overrides}", tmp_path, capsys)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("value", ["мой файл.csv", "a=1.csv", "тексты/a (1).csv", "файл.csv", "my file.csv"])
def test_a_path_that_the_grammar_of_overrides_has_no_place_for_is_read(value: str) -> None:
    assert configuration(["task=local", f"task.path={value}"]).task.path == value
    assert sweep(["task=local", f"task.path={value}"]).trials() == [
        ["task=local", readable(f"task.path={value}")]
    ]


@pytest.mark.parametrize(
    "text", ["seed=0,1", "explainer=[lime,owen]", "task.path=${store}", "+a={b: 1}", "seed=range(1,3)"]
)
def test_a_sweep_a_list_and_a_reference_are_not_quoted(text: str) -> None:
    assert readable(text) == text


def test_an_override_that_cannot_be_read_is_told_how_to_quote(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "task=local", "task.path=ф,a.csv"]) == 1
    assert capsys.readouterr().err == (
        "assay: error: the override 'task.path=ф,a.csv' could not be read; expected key=value; if the value "
        "is one text, write \"task.path='ф,a.csv'\"\n"
    )
