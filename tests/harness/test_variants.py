"""Every swept setting is part of a name: trials that differ never merge in tables, exports or pairs."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from hydra import compose, initialize_config_module

from assay.harness.cli import main
from assay.harness.config.compose import configurations, sweep
from assay.harness.config.composed import CONFIG
from assay.harness.exchange.importing import Order, import_scores
from assay.harness.exchange.tracking import runs
from assay.harness.reporting.missing import group_of
from assay.harness.storage.store import Store
from assay.harness.trials.census import outlooks
from assay.harness.trials.experiment import Experiment, load_trials, open_experiment
from assay.harness.trials.loading import limits_of
from assay.harness.trials.pairs import pairs
from assay.harness.trials.titles import title
from assay.tasks.errors import InputError

TINY = [
    "name=tiny",
    "task=planted",
    "task.train=40",
    "task.dev=10",
    "task.test=12",
    "model=linear",
    "model.training.epochs=1",
    "explainer=[random,lime,occlusion]",
    "explainer.lime.rows=30",
    "metric=[sparsity,self_agreement]",
    "limits.default.test=6",
    "report.bootstrap=20",
]
KEYS = ["task", "model", "kind", "model_seed", "explainer", "baseline", "explainer_seed", "metric", "removal"]
KEYS += ["part", "unit", "target"]


def _names(overrides: list[str]) -> list[str]:
    return [title(config) for config in configurations(sweep(overrides))]


def _tiny(axis: str, store: Path, *more: str) -> list[str]:
    """The small experiment swept over one axis."""
    key = axis.partition("=")[0]
    return [*(text for text in TINY if not text.startswith(f"{key}=")), axis, *more, f"store={store}"]


def _files(folder: Path) -> None:
    """Two files of texts, `a.csv` and `b.csv`."""
    for name in "ab":
        rows = [
            f"{name} {word} film {at},{label}"
            for at in range(12)
            for word, label in (("good", 1), ("bad", 0))
        ]
        (folder / f"{name}.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")


@pytest.mark.parametrize(
    ("axis", "groups"),
    [
        (
            "model.training.epochs=1,2",
            {"planted / linear[training.epochs=1]", "planted / linear[training.epochs=2]"},
        ),
        ("model.name=a,b", {"planted / a", "planted / b"}),
        ("task.length=[8,9],[9,9]", {"planted[length=[8,9]] / linear", "planted[length=[9,9]] / linear"}),
        ("limits.default.test=4,6", {f"planted[limits.default.test={n}] / linear" for n in (4, 6)}),
        (
            "limits.default={test:4},{test:6}",
            {f"planted[limits.default={{dev:null,test:{n},train:null}}] / linear" for n in (4, 6)},
        ),
        ("targets=gold,predicted", {"planted[targets=gold] / linear", "planted[targets=predicted] / linear"}),
        ("shard=4,256", {"planted[shard=4] / linear", "planted[shard=256] / linear"}),
        ("explainer.lime.rows=20,30", {f"planted[explainer.lime.rows={n}] / linear" for n in (20, 30)}),
        (
            "+sweep={targets: [gold, all]}",
            {"planted[targets=gold] / linear", "planted[targets=all] / linear"},
        ),
    ],
)
def test_no_two_trials_share_a_row(
    tmp_path: Path, axis: str, groups: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = _tiny(axis, tmp_path)
    assert main(["run", *command]) == 0
    folder = tmp_path / "experiments" / "tiny"
    table = pd.read_csv(folder / "comparison.csv", keep_default_na=False)
    found = set(table["task"] + " / " + table["model"])
    assert found == groups
    assert not table.duplicated(["task", "model", "kind", "explainer", "baseline", "metric"]).any()
    assert set(table["n_seeds"].astype(int)) <= {0, 1}, "trials of one seed are not averaged"
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert all(name in page for name in found)
    out = tmp_path / "scores.parquet"
    assert main(["export", *command, "--to", str(out), "--explanations", str(tmp_path / "data")]) == 0
    scores = pd.read_parquet(out)
    assert set(scores["task"] + " / " + scores["model"]) == found
    assert not scores.duplicated(KEYS).any()
    parts = [pd.read_parquet(file) for file in (tmp_path / "data" / "data").glob("*.parquet")]
    explained = pd.concat(parts)
    assert set(explained["task"] + " / " + explained["model"]) == found
    columns = [
        "task",
        "model",
        "kind",
        "model_seed",
        "explainer",
        "baseline",
        "explainer_seed",
        "id",
        "target",
    ]
    assert not explained.duplicated(columns).any()
    capsys.readouterr()
    for what in ("status", "plan"):
        assert main([what, *command]) == 0
        said = capsys.readouterr().out
        assert all(f"{name} / seed 0" in said for name in found)


def test_a_task_of_two_files_is_two_tasks(tmp_path: Path) -> None:
    _files(tmp_path)
    command = ["name=tiny", "task=local", f"task.path={tmp_path}/a.csv,{tmp_path}/b.csv", "model=linear"]
    command += [
        "model.training.epochs=1",
        "explainer=[random]",
        "metric=[sparsity]",
        f"store={tmp_path / 's'}",
    ]
    assert main(["run", *command]) == 0
    table = pd.read_csv(tmp_path / "s" / "experiments" / "tiny" / "comparison.csv")
    assert set(table["task"]) == {"local[path=a.csv]", "local[path=b.csv]"}


def test_two_checkpoints_are_two_models() -> None:
    found = _names(["model=transformer", "model.path=v1,v2", "seed=0,1"])
    assert found == [f"planted / transformer[path=v{n}] / seed {seed}" for n in (1, 2) for seed in (0, 1)]


def test_axes_are_named_in_their_order_and_by_their_side() -> None:
    found = _names(["model.path=v1,v2", "model=transformer", "targets=all,gold", "model.training.epochs=1,2"])
    assert found[0] == "planted[targets=all] / transformer[path=v1, training.epochs=1] / seed 0"
    assert found[-1] == "planted[targets=gold] / transformer[path=v2, training.epochs=2] / seed 0"


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ("v1,v2", ["v1", "v2"]),
        ("org/small,org/large", ["org/small", "org/large"]),
        ("/data/checkpoints/2024/run/first,/data/checkpoints/2024/run/second/", ["first", "second"]),
        ("/data/checkpoints/2024/run/a/best,/data/checkpoints/2024/run/b/best", ["a/best", "b/best"]),
        ("'/data/checkpoints/the first run/a',/b", ["a", "b"]),
        ("null,/data/checkpoints/2024/run/first", ["null", "first"]),
        ("a-name-that-is-very-long-but-no-path,b", ["a-name-that-is-very-long-but-no-path", "b"]),
    ],
)
def test_long_paths_are_shortened_where_that_is_unique(values: str, shown: list[str]) -> None:
    found = _names(["model=transformer", f"model.path={values}"])
    assert found == [f"planted / transformer[path={name}] / seed 0" for name in shown]


@pytest.mark.parametrize(
    "overrides",
    [
        ["model=transformer", "model.path=v1"],
        ["experiment=quickstart"],
        ["experiment=diagnostic_study"],
        ["model=linear,cnn", "model.init_only=false,true", "seed=0,1"],
        ["+sweep={model.path: [v1]}", "model=transformer"],
    ],
    ids=lambda overrides: overrides[0],
)
def test_names_without_a_swept_setting_stay_as_they_were(overrides: list[str]) -> None:
    crossed = sweep(overrides)
    assert not any("axes" in text for text in crossed.fixed)
    for config in configurations(crossed):
        untrained = " untrained" if config.model.init_only else ""
        assert title(config) == f"{config.task.name} / {config.model.name}{untrained} / seed {config.seed}"


@pytest.mark.parametrize(
    "overrides",
    [
        [
            "model=transformer",
            "model.path='/data/a b/v,1',/data/v2,null",
            "limits.default={test: 4},{test: 5}",
        ],
        ["explainer=[lime]", "baseline=[random]", "baseline.random.draws=1,2", "explainer.lime.rows=9,10"],
        ["baseline@removal=[mean]", "removal.mean.sample=9,10", "+model.some-thing=1,2"],
    ],
    ids=lambda overrides: overrides[0],
)
def test_a_job_knows_its_name_by_its_own_overrides(overrides: list[str]) -> None:
    crossed = sweep(overrides)
    names = [title(config) for config in configurations(crossed)]
    assert len(set(names)) == len(names) > 1
    for trial, name in zip(crossed.trials(), names, strict=True):
        with initialize_config_module("assay.conf", version_base="1.3"):
            assert title(compose(CONFIG, overrides=trial)) == name


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            ["explainer=[lime],[occlusion]"],
            r"axis 'explainer' has 2 values.* give one list, as in explainer=",
        ),
        (["baseline@removal=[mask],[delete]"], r"axis 'baseline@removal' has 2 values.* give one list"),
        (["explainer_seeds=[0],[1]"], r"axis 'explainer_seeds' has 2 values.* explainer_seeds=\[...\]"),
        (
            ["metric=[faithfulness]", "metric.faithfulness.target=gold,predicted"],
            r"'metric.faithfulness.target'.*name=",
        ),
        (
            ["engine.device=cpu,cuda"],
            r"axis 'engine.device' has 2 values, but an experiment and its tables have one",
        ),
        (["shards_per_job=1,2"], r"axis 'shards_per_job' has 2 values"),
        (["name=a,b"], r"axis 'name' has 2 values"),
        (["store=a,b"], r"axis 'store' has 2 values"),
        (["+sweep={report.bootstrap: [1, 2]}"], r"axis 'report.bootstrap' has 2 values"),
        (["seed=0,0"], r"2 trials .* called 'planted / cnn / seed 0'; give each value of an axis once"),
        (["task=planted,reviews", "task.name=mine"], r"2 trials .* called 'mine / cnn / seed 0'"),
    ],
)
def test_what_the_tables_could_not_tell_apart_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overrides: list[str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=sentence) as caught:
        open_experiment(overrides)
    assert "\n" not in str(caught.value)


def test_records_are_those_of_a_run_of_one_trial(tmp_path: Path) -> None:
    def records(store: Path, name: str) -> list[str]:
        return sorted(path.parent.name for path in store.glob(f"*/*/{name}.json"))

    swept, alone = tmp_path / "swept", tmp_path / "alone"
    assert main(["run", *_tiny("model.training.epochs=1,2", swept)]) == 0
    for epochs in (1, 2):
        assert main(["run", *_tiny(f"model.training.epochs={epochs}", alone)]) == 0
    for name in ("cell", "trial", "card"):
        assert records(swept, name) == records(alone, name) != []
    for path in swept.glob("trials/*/trial.json"):
        assert path.read_bytes() == (alone / path.relative_to(swept)).read_bytes()
        assert json.loads(path.read_text())["model"] == "linear"
    for path in swept.glob("cells/*/cell.json"):
        mine, other = (json.loads((store / path.relative_to(swept)).read_text()) for store in (swept, alone))
        assert mine["model"] == "linear" and "axes" not in other["config"]
        mine["config"]["store"] = other["config"]["store"]
        # The checksum is of the whole record, the folder of the store included.
        assert mine | {"checksum": ""} == other | {"checksum": ""}
    assert main(["verify", f"store={swept}"]) == 0


def test_limits_find_a_model_by_its_plain_name() -> None:
    found = configurations(
        sweep([*TINY, "model.path=a,b", "model=transformer", "+limits={transformer: {test: 3}}"])
    )
    assert [limits_of(config)["test"] for config in found] == [3, 3]


def _seeds_of(experiment: Experiment) -> Counter[tuple[str, str]]:
    found = pairs(load_trials(experiment), Store(experiment.store.root))
    for pair in found:
        assert group_of(pair.first)[:2] == group_of(pair.second)[:2]
    return Counter((group_of(pair.first).title, pair.seeds) for pair in found)


@pytest.mark.parametrize(
    "axis", ["model.training.epochs=1,2", "targets=all,gold", "limits.default.train=20,30"]
)
def test_only_models_that_differ_in_their_seed_are_compared(tmp_path: Path, axis: str) -> None:
    consistent = ["metric=[rationale_consistency,self_agreement]", "seed=0,1"]
    command = _tiny(axis, tmp_path, *consistent)
    main(["run", *command])
    experiment = open_experiment(command)
    names = {group_of(trial).title for trial in load_trials(experiment)}
    assert len(names) == 2
    assert _seeds_of(experiment) == {(name, "0-1"): 1 for name in names}
    assert main(["export", *command, "--to", str(tmp_path / "scores.parquet")]) in (0, 1)
    scores = pd.read_parquet(tmp_path / "scores.parquet")
    assert not scores.duplicated(KEYS).any()


def test_a_plan_compares_no_models_that_differ_in_a_swept_setting(tmp_path: Path) -> None:
    from assay.harness.costs.estimate import _architecture

    command = _tiny("limits.default.train=20,30", tmp_path, "seed=0,1")
    found, _ = outlooks(open_experiment(command).configs, Store(tmp_path))
    assert sorted(Counter(_architecture(outlook.trial) for outlook in found).values()) == [2, 2]


def test_a_tracker_gets_a_run_of_each(tmp_path: Path) -> None:
    command = _tiny("explainer.lime.rows=20,30", tmp_path)
    assert main(["run", *command]) == 0
    experiment = open_experiment(command)
    found = runs(experiment, load_trials(experiment))
    assert len({run.id for run in found}) == len({run.title for run in found}) == len(found) == 6


def test_a_failed_trial_is_called_the_same_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _files(tmp_path)
    command = ["name=tiny", "task=local", f"task.path={tmp_path}/a.csv,{tmp_path}/none.csv", "model=linear"]
    command += [
        "model.training.epochs=1",
        "explainer=[random]",
        "metric=[sparsity]",
        f"store={tmp_path / 's'}",
    ]
    name = "local[path=none.csv] / linear"
    assert main(["run", *command]) == 1
    assert f"{name} / trained / seed 0" in capsys.readouterr().err
    for what in ("status", "retry"):
        assert main([what, *command]) == 1
        assert f"{name} / seed 0" in capsys.readouterr().out
    (tmp_path / "none.csv").write_bytes((tmp_path / "b.csv").read_bytes())
    assert main(["retry", *command]) == 0
    table = pd.read_csv(tmp_path / "s" / "experiments" / "tiny" / "comparison.csv")
    assert set(table["task"]) == {"local[path=a.csv]", "local[path=none.csv]"}


def test_an_import_has_a_file_for_each_value_of_a_swept_setting(tmp_path: Path) -> None:
    source = tmp_path / "scores.jsonl"
    trials = load_trials(open_experiment(_tiny("seed=0", tmp_path / "store")))
    rows = [
        {"id": example.id, "target": target, "spans": [[0, 1, 1.0]]}
        for example in trials[0].task.test
        for target in range(len(trials[0].task.labels))
    ]
    source.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    swept = _tiny("model.training.epochs=1,2", tmp_path / "store")

    def order(*by: str) -> Order:
        return Order(source, "jsonl", "elsewhere", tmp_path / "imported", by)

    with pytest.raises(
        InputError, match=r"several model.training.epochs.*--by model,seed,model.training.epochs"
    ):
        import_scores(order("model", "seed"), swept)
    with pytest.raises(InputError, match=r"several \(1, 2\); choose .* with model.training.epochs="):
        import_scores(order("model", "model.training.epochs"), swept)
    with pytest.raises(InputError, match=r"--by model.path: 'None' cannot be part"):
        import_scores(order("model.path"), ["model=transformer", *TINY[:5]])
    for epochs in (1, 2):
        alone = _tiny(f"model.training.epochs={epochs}", tmp_path / "store")
        import_scores(order("model", "model.training.epochs"), alone)
    assert {file.name for file in (tmp_path / "imported").glob("*.parquet")} == {
        "elsewhere-linear-1.parquet",
        "elsewhere-linear-2.parquet",
    }
    chosen = [text for text in swept if not text.startswith("explainer")]
    run = ["run", "--config-dir", str(tmp_path / "imported"), *chosen, "explainer=[random,elsewhere]"]
    assert main(run) == 0
    table = pd.read_csv(tmp_path / "store" / "experiments" / "tiny" / "comparison.csv")
    assert set(table.loc[table["explainer"] == "elsewhere", "model"]) == set(table["model"])
    assert len(set(table["model"])) == 2
