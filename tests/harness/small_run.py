"""A run of two small models that several files of tests start, stop and compare."""

from __future__ import annotations

SMALL = [
    "name=small",
    "task=planted_counting",
    "task.train=200",
    "task.dev=40",
    "task.test=24",
    "model=maxpool",
    "model.training.epochs=2",
    "seed=0,1",
    "explainer=[random,occlusion,lime]",
    "explainer.lime.rows=20",
    "baseline=[mask]",
    "metric=[human_agreement,faithfulness,rationale_consistency]",
    "limits.default.test=24",
    "shard=8",
    "report.bootstrap=20",
    "engine.threads=1",
]
