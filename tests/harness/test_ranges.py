"""Every setting of the schema is checked before anything is computed: one sentence, nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.harness.cli import main
from assay.harness.config.ranges import RANGES

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


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    setting=st.sampled_from(sorted(RANGES)),
    value=st.one_of(
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.booleans(),
        st.none(),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
        st.just("[1,2]"),
        st.just("{a: 1}"),
    ),
)
def test_any_value_of_a_number_is_planned_or_refused(
    setting: str, value: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = "null" if value is None else str(value)
    status = main(["plan", *SMALL, f"store={tmp_path / 'store'}", f"{setting}={written}"])
    out = capsys.readouterr()
    if status == 0:
        assert "To do: " in out.out or "trial" in out.out
    else:
        assert status == 1 and out.err.count("\n") == 1 and "Traceback" not in out.err, out.err
