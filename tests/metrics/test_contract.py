"""What every metric promises, checked for each configuration file."""

from __future__ import annotations

import importlib
import subprocess
import sys
import time
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from metrics_world import World, keyword_examples, oracle
from reexplained_world import reexplained

from assay.harness.config.schema import Run
from assay.metrics.cell_data import CellMetric, Metric
from assay.metrics.info import UNIT, MetricBase, MetricInfo, as_coded
from assay.metrics.long_table import COLUMNS, wide
from assay.metrics.model_pairs import ModelPairMetric

CONF = Path(__file__).parents[2] / "conf" / "metric"
NAMES = sorted(path.stem for path in CONF.glob("*.yaml"))


def build(name: str) -> Any:
    text = (CONF / f"{name}.yaml").read_text()
    config = yaml.safe_load(text.replace("${annotators}", Run.annotators))
    assert list(config) == [name], "the file nests under its own name"
    arguments = dict(config[name])
    module, _, kind = arguments.pop("_target_").rpartition(".")
    return getattr(importlib.import_module(module), kind)(**arguments)


@pytest.mark.parametrize("name", NAMES)
def test_configuration_builds_the_metric_of_its_name_with_the_defaults(name: str) -> None:
    metric = build(name)
    assert metric.name == name
    assert metric == type(metric)(), "the file states the defaults"
    assert hash(metric) == hash(type(metric)())
    assert isinstance(metric, Metric) and isinstance(metric, CellMetric) != isinstance(
        metric, ModelPairMetric
    )
    assert metric.direction in ("higher", "lower")
    assert metric.bounds[0] < metric.bounds[1]
    of_the_task = {"rationales", "grades", "ground_truth", "labels", "all_targets"}
    of_the_model = {"activations", "embeddings", "embedding_table", "mask_token"}
    of_explaining = {"removal", "explaining", "changed_tokens", "changed_model"}
    assert metric.needs <= of_the_task | of_the_model | of_explaining
    assert metric.version >= 1 and metric.title and metric.property and metric.random_level


@pytest.mark.parametrize("name", NAMES)
def test_attributes_are_those_of_the_metrics_info_and_no_metric_inherits_from_another(name: str) -> None:
    metric = build(name)
    assert {field.name: getattr(metric, field.name) for field in fields(metric.info)} == asdict(metric.info)
    assert type(metric).__mro__[1:] == (MetricBase, object)


def test_an_info_is_read_on_the_class_and_an_attribute_of_a_subclass_stays() -> None:
    class Length(MetricBase):
        info = MetricInfo("length", "Length", "lower", UNIT, "0.5", "complexity", part="tokens")

    class Shortness(Length):
        direction = "higher"

    assert (Length.name, Length.direction, Length.version, Length.pooled) == ("length", "lower", 1, "no")
    assert (Shortness.name, Shortness.direction) == ("length", "higher")
    parts = {"tokens": np.array([[1.0], [3.0]]), "other": np.array([[9.0], [9.0]])}
    assert Length().summarise(parts, np.array([[0, 1], [1, 1]])).tolist() == [2.0, 3.0]
    assert Shortness().summarise({}, np.array([[0, 1]])).tolist() == pytest.approx([np.nan], nan_ok=True)


def test_the_variant_as_coded_keeps_what_the_metric_declares() -> None:
    info = MetricInfo("length", "Length", "lower", UNIT, "0.5", "complexity", part="tokens", version=3)
    coded = as_coded(info, random_level="0.4")
    assert (coded.name, coded.title, coded.version) == ("length_as_coded", "Length, as coded", 1)
    assert (coded.random_level, coded.bounds, coded.part) == ("0.4", UNIT, "tokens")


def test_the_six_properties_are_measured() -> None:
    assert {build(name).property for name in NAMES} == {
        "human agreement",
        "faithfulness",
        "confidence indication",
        "rationale consistency",
        "dataset consistency",
        "compute time",
        "numerical quality",
        "complexity",
        "robustness",
        "sanity",
        "ground truth",
    }


def table_of(metric: Any, world: World) -> Any:
    if "explaining" in metric.needs:
        return metric.score(reexplained(world.examples))
    if not isinstance(metric, ModelPairMetric):
        return metric.score(world.subject(oracle))
    # A stand-in for activations: the metric asks for nothing but a number per example.
    distances = {item.id: float(len(item.texts[0])) for item in world.examples}
    other = World(world.examples, type(world.model)(world.model.weights * 2, world.model.bias))
    return metric.score_pair(world.shards(oracle), other.shards(oracle), distances)


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_long_tables_and_summaries_within_bounds(name: str) -> None:
    metric = build(name)
    table = table_of(metric, World(keyword_examples(30)))
    assert tuple(table.columns) == COLUMNS
    assert not table.duplicated(["unit", "target", "part"]).any()
    units, _, parts = wide(table)
    index = np.random.default_rng(0).integers(len(units), size=(5, len(units)))
    values = metric.summarise(parts, index)
    assert values.shape == (5,)
    assert ((metric.bounds[0] <= values) & (values <= metric.bounds[1])).all()
    one_by_one = [metric.summarise(parts, sample[None])[0] for sample in index]
    np.testing.assert_array_equal(values, one_by_one)


@pytest.mark.parametrize("name", NAMES)
def test_a_thousand_resamples_of_500_units_take_under_a_second(name: str) -> None:
    metric = build(name)
    units, _, parts = wide(table_of(metric, World(keyword_examples(500))))
    index = np.random.default_rng(0).integers(len(units), size=(1000, len(units)))
    began = time.process_time()
    metric.summarise(parts, index)
    # Dataset consistency has eight times as many units, pairs.
    assert time.process_time() - began < 1.0 * max(1, len(units) / 500)


def test_metrics_do_not_import_torch() -> None:
    root = CONF.parents[1]
    files = (path.relative_to(root).with_suffix("") for path in (root / "metrics").rglob("[a-z]*.py"))
    modules = ", ".join(f"assay.{'.'.join(file.parts)}" for file in files)
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
