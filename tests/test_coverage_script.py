"""scripts/coverage.py simulates every kind of metric, goes on where it was killed, and says what fails."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from assay.harness.config.build import build
from assay.harness.interface.settings import shipped
from assay.metrics.cell_data import Metric
from assay.metrics.faithfulness import FaithfulnessMicro
from assay.metrics.human_agreement import HumanAgreement
from assay.metrics.long_table import Parts
from assay.results.records import CellScores, Group, Method, Results
from assay.results.statistics.comparison import estimate, method_rows
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.verdicts import is_extreme
from assay.tasks.arrays import Floats, Ints
from assay.tasks.errors import InputError

ROOT = Path(__file__).parents[1]
CONF = sorted((ROOT / "conf" / "metric").glob("*.yaml"))


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch):
    """Imports a module of scripts/ by name."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))

    def load(name: str) -> Any:
        return importlib.import_module(name)

    return load


def metric_of(path: Path) -> Metric:
    return cast(Metric, build(shipped("metric", path.stem)))


@pytest.mark.parametrize("path", CONF, ids=lambda path: path.stem)
def test_a_metric_is_of_one_kind(path: Path, scripts):
    assert len(scripts("coverage_kinds").kinds_of(metric_of(path))) == 1


def test_a_kind_is_recognised_by_what_makes_the_value(scripts):
    class Median(HumanAgreement):
        def summarise(self, parts: Parts, index: Ints) -> Floats:
            return np.median(parts["ap"][:, 0][index], axis=1)

    kinds_of = scripts("coverage_kinds").kinds_of
    assert kinds_of(FaithfulnessMicro()) == ["area under an F1 curve"]
    assert kinds_of(HumanAgreement()) == ["mean over texts"]
    assert kinds_of(Median()) == []


def test_every_kind_that_has_intervals_is_simulated_by_a_metric_of_its_own(scripts):
    kinds, settings = scripts("coverage_kinds"), list(scripts("coverage_settings").settings())
    for kind in kinds.KINDS:
        for name, world in kind.worlds.items():
            assert kinds.kinds_of(world.metric) == [kind.name]
            of_world = [setting for setting in settings if setting.world == name]
            for table in ("coverage", "family"):
                grid = {(each.shape, each.n) for each in of_world if each.table == table}
                assert grid == {(shape, n) for shape in world.shapes for n in (20, 50, 200)}
            assert {each.models for each in of_world if each.table == "coverage"} | {1} == {1, 2, 5}
    assert {world.shapes for kind in kinds.KINDS for world in list(kind.worlds.values())[:1]} == {
        ("even", "skewed", "clustered")
    }
    forms = {name for each in settings for name in scripts("coverage_settings").names(each)}
    assert {"overall: min_max", "overall: mean_rank", "overall: anchored"} < forms


@pytest.mark.parametrize("path", CONF, ids=lambda path: path.stem)
def test_a_metric_without_simulation_has_no_interval_and_no_test(path: Path, scripts):
    metric, kinds = metric_of(path), scripts("coverage_kinds")
    (kind,) = (kind for kind in kinds.KINDS if kind.holds(metric))
    assert is_extreme(metric) == (not kind.worlds)
    if kind.worlds:
        return
    rng, units = np.random.default_rng(0), tuple(f"{text:03d}" for text in range(60))
    fold = np.arange(60.0)[:, None] % 10
    group, cells = Group("made up", "known"), []
    for name in ("one", "other"):
        parts = {part: rng.random((60, 1)) for part in ("confidence", "f_max", "f_mean", "f_min", "error@0")}
        cells.append(CellScores(group, Method(name), metric.name, "0", units, parts | {"fold": fold}))
    found = estimate(cells, metric, Bootstrap(n=50))
    for row in method_rows(
        group, sorted(found), metric, found, Results("", [metric], cells), Bootstrap(n=50)
    ):
        assert np.isfinite(row.value)
        assert not row.interval and np.isnan([row.low, row.high, row.p]).all() and not row.best


def test_the_best_is_the_one_with_the_least_where_less_is_better(scripts):
    settings, texts = scripts("coverage_settings"), scripts("coverage_texts")
    truths = scripts("coverage_truths")
    setting = settings.Setting("family", "F1 area", "even", 200, 1, 6)
    world = settings.WORLDS["F1 area"]
    assert world.metric.direction == "lower"
    better = -1.5 * (np.arange(12) >= 6)[:, None]
    of = truths.cells(world, np.random.default_rng(3), texts.Texts("even", 200), better)
    p = [row.p for row in settings.compared(setting, of, Bootstrap(n=1))]
    assert p.index(1) < 6 and max(p[6:]) < 0.05


def test_texts_of_a_group_share_half_of_their_variance(scripts):
    texts = scripts("coverage_texts").Texts("clustered", 40_000)
    normal = texts.latent(np.random.default_rng(0), 2, 2)
    assert np.allclose(normal.std(axis=2), 1, atol=0.03)
    of_group = normal.reshape(2, 2, -1, 4)
    assert np.isclose(np.mean(of_group[..., 0] * of_group[..., 3]), 0.5, atol=0.03)
    assert np.isclose(np.mean(of_group[..., 3][..., :-1] * of_group[..., 0][..., 1:]), 0, atol=0.03)
    few = scripts("coverage_texts").Texts("clustered", 20)
    assert few.clusters["000004"] == few.clusters["000007"] != few.clusters["000008"]
    first, second, _ = few.pairs()
    assert (first // 4 != second // 4).all()


def test_a_run_begins_with_what_most_experiments_have(scripts):
    wanted = [each for each in scripts("coverage_settings").settings() if each.title.startswith("mean, even")]
    work = list(scripts("coverage_simulation").pieces(wanted, 150, []))
    assert {setting for setting, first, _ in work if first == 0} == set(wanted)
    usual = [each for each in wanted if each.n >= 50 and each.models <= 2]
    for first in (0, 100):
        of_round = [setting for setting, begin, _ in work if begin == first]
        assert set(of_round[: len(usual)]) == set(usual) and len(of_round) == len(wanted)


def test_code_is_what_simulations_import(scripts):
    """So that results are kept while other code changes, and only then."""
    file = scripts("coverage_file")
    found = {path.relative_to(file.ROOT).as_posix() for path in file.simulated()}
    assert {"scripts/coverage_texts.py", "metrics/as_coded/faithfulness.py"} <= found
    assert {"results/statistics/permutation.py", "results/statistics/intervals.py"} <= found
    # These draw and describe what is known already.
    assert not found & {"results/statistics/word_totals.py", "results/statistics/global_words.py"}
    # What a process has really imported, of the folders that count, is no more than that.
    command = "import sys; sys.path.insert(0, 'scripts'); import coverage_settings; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", command], cwd=file.ROOT, capture_output=True, check=True)
    counted = tuple(f"assay.{folder.replace('/', '.')}." for folder in file.DECIDING)
    imported = [name for name in printed.stdout.decode().split() if name.startswith(counted)]
    paths = {f"{name.removeprefix('assay.').replace('.', '/')}.py" for name in imported}
    assert {path for path in paths if (file.ROOT / path).exists()} <= found and len(paths) > 10


def test_a_run_goes_on_where_it_was_killed(scripts, tmp_path: Path):
    simulation, file = scripts("coverage_simulation"), scripts("coverage_file")
    one = next(iter(scripts("coverage_settings").settings()))
    other = one._replace(n=50)

    def ran(pieces) -> list[Any]:
        return [chunk for piece in pieces for chunk in simulation.run(*piece, 5, 40, file.code())]

    whole = ran(simulation.pieces([one, other], 150, []))
    # What has enough texts comes first.
    assert [(each.setting.n, each.first, each.sims) for each in whole] == [
        *((50, 0, 100), (20, 0, 100)),
        *((50, 100, 50), (20, 100, 50)),
    ]
    path = tmp_path / "coverage.csv"
    file.write(path, whole[:3])
    with path.open("a", encoding="utf-8") as torn:
        torn.write(file.lines(whole[3:])[:20])
    known = simulation.known(path, 5, 40)
    assert known == file.read(path) == file.merged(whole[:3])
    file.append(path, ran(simulation.pieces([one, other], 150, known)))
    assert file.merged(file.read(path)) == file.merged(whole)
    with pytest.raises(InputError, match="after 150 simulations comes number 100"):
        file.merged([*whole, whole[3]])
    assert not list(simulation.pieces([one, other], 150, whole))
    assert simulation.summed(whole)[one, "mean"][0] == 150
    with pytest.raises(InputError, match=r"seed 5, 40 resamples; expected .* 6, 40; name"):
        simulation.known(path, 6, 40)
    path.write_text(path.read_text(encoding="utf-8").replace("mean,even", "mean even", 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"line 2: .* is not table,world,.*; mend it"):
        file.read(path)


@pytest.mark.parametrize(
    ("table", "n", "counts", "why"),
    [
        ("coverage", 50, (2000, 0, 1900), ""),
        # The exact interval of 90.0 % of 2,000 ends at 92.1 %, that of 89.5 % at 91.6 %.
        ("coverage", 50, (2000, 0, 1800), ""),
        ("coverage", 50, (2000, 0, 1790), "too low"),
        ("coverage", 20, (2000, 0, 2000), "too high"),
        ("coverage", 50, (20, 0, 20), ""),
        ("coverage", 50, (2000, 1, 1900), "refused"),
        ("coverage", 20, (2000, 2000, 0), ""),
        ("family", 200, (2000, 0, 150), ""),
        ("family", 200, (2000, 0, 165), "too high"),
        ("family", 50, (2000, 2000, 0), "refused"),
    ],
)
def test_a_setting_fails_where_the_exact_interval_is_wholly_outside(
    table: str, n: int, counts: tuple[int, int, int], why: str, scripts
):
    setting = scripts("coverage_settings").Setting(table, "mean", "even", n, 1)
    assert scripts("coverage_simulation").why_failed(setting, *counts) == why


def test_what_was_not_run_is_not_passed(scripts, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    monkeypatch.setattr("sys.argv", ["coverage.py", "--only", "mean, even, 1 model", "--minutes", "0"])
    with pytest.raises(SystemExit) as left:
        scripts("coverage_simulation").main()
    printed = capsys.readouterr().out
    assert left.value.code == 1
    assert "| mean, even, 1 model | not run | not run | not run |" in printed
    assert printed.splitlines()[-1].startswith("bar: missed; 0 of ")
