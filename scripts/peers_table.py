"""Explainers of captum, shap and lime beside Assay's own on movie reviews: six properties, passes, seconds.

    python scripts/peers_table.py [--quick] [--texts N] [--store FOLDER]

Trains a cnn on movie-review sentences with two seeds (rationale consistency compares two models) and
explains the same texts by every method, one thread. Per method: the mean over both models of every metric,
model passes (forward and backward rows) per text and the median of the seconds per text, both classes
together. What a library cannot do is a line with its reason. The reviews have no rationales, so human
agreement is empty.
The bar: the library's call and Assay's own method of the same definition (captum's IntegratedGradients and
FeatureAblation) get the same faithfulness, to 0.01; and no cell fails but those of captum's LRP.
--quick: few texts for training and explanation; seconds instead of minutes. --store: keep the results there.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from bar import Table, finish, options

from assay.harness.cli import main as assay

CAPTUM = "assay.explainers.peers.captum.Captum"
# captum's classes that have no file in conf/, by the name of their line.
CLASSES: dict[str, dict[str, Any]] = {
    "captum_kernel_shap": {"method": "KernelShap", "arguments": {"n_samples": 200}},
    "captum_sampling": {"method": "ShapleyValueSampling", "arguments": {"n_samples": 10}},
    "captum_lime": {"method": "Lime", "arguments": {"n_samples": 200}},
    "captum_saliency": {"method": "Saliency"},
    "captum_deep_lift": {"method": "DeepLift"},
    "captum_lrp": {"method": "LRP"},
}
# Each beside Assay's own method that does most nearly the same.
LINES = (
    *("integrated_gradients", "captum", "occlusion", "captum_ablation", "kernel_shap", "captum_kernel_shap"),
    *("shap_kernel", "shapley_sampling", "captum_sampling", "shapley_gp", "owen", "shap_text", "lime"),
    *("captum_lime", "lime_words", "lime_text", "saliency_l1", "captum_saliency", "deep_lift"),
    *("captum_deep_lift", "lrp", "captum_lrp", "random"),
)
SAME = (("integrated_gradients", "captum"), ("occlusion", "captum_ablation"))
METRICS = {
    "faithfulness": ("faithfulness_↓", ".1f"),
    "confidence_indication": ("confidence_indication_↓", ".3f"),
    "rationale_consistency": ("rationale_consistency_↑", ".2f"),
    "dataset_consistency": ("dataset_consistency_↑", ".2f"),
    "human_agreement": ("human_agreement_↑", ".2f"),
    "compute_time": ("passes_per_text_↓", ",.0f"),
    "completeness": ("completeness_gap_↓", ".2g"),
}


def run(folder: Path, texts: int, *, quick: bool) -> Path:
    """The folder of the experiment, which is run as from a terminal."""
    explainers = folder / "conf" / "explainer"
    explainers.mkdir(parents=True, exist_ok=True)
    for name, settings in CLASSES.items():
        entry = yaml.safe_dump({name: {"_target_": CAPTUM, **settings}})
        (explainers / f"{name}.yaml").write_text(entry, encoding="utf-8")
    sizes = [300, 60] if quick else [4000, 500]
    command = [
        *("run", "--config-dir", str(folder / "conf"), "name=peers", f"store={folder / 'store'}"),
        *("task=reviews", f"task.train={sizes[0]}", f"task.dev={sizes[1]}", f"task.test={texts}"),
        *(f"limits.default.test={texts}", "model=cnn", "seed=0,1", "engine.threads=1", "baseline=[pad]"),
        *(f"explainer=[{','.join(LINES)}]", f"metric=[{','.join(METRICS)}]", "controls=[random]"),
        *(["model.training.epochs=2"] if quick else []),
    ]
    with redirect_stdout(sys.stderr):
        assay(command)
    return folder / "store" / "experiments" / "peers"


def main() -> None:
    """Run, print a line per method, and hold the bar."""
    given = options(
        __doc__, "few texts", texts=(0, "texts to explain (60; 6 with --quick)"), store=("", "a folder")
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = run(
            Path(given.store or temporary), given.texts or (6 if given.quick else 60), quick=given.quick
        )
        scores, times = pd.read_csv(folder / "comparison.csv"), pd.read_csv(folder / "timing.csv")
    values = scores.pivot_table(index="explainer", columns="metric", values="value")
    means: Any = times.groupby("explainer")["median"].mean()
    seconds: dict[str, float] = dict(means)
    failed = {
        str(name): str(reasons.iloc[0]).split(";")[0]
        for name, reasons in scores.groupby("explainer")["reason"]
        if name not in values.index
    }
    table = Table("explainer", **dict(METRICS.values()), seconds_per_text=".3f")
    for name in LINES:
        if name in failed:
            table.row(name, *[None] * len(METRICS), None)
        else:
            of_name = values.reindex(columns=list(METRICS)).loc[[name]].to_numpy()[0]
            table.row(name, *of_name.tolist(), seconds[name])
    for name, reason in failed.items():
        print(f"{name}: {reason}")
    column: Any = values["faithfulness"]
    faithfulness: dict[str, float] = dict(column)
    apart = max(abs(faithfulness[one] - faithfulness[other]) for one, other in SAME)
    finish(
        apart < 0.01 and set(failed) == {"captum_lrp"},
        f"faithfulness of equal methods differs by at most {apart:.2g} (less than 0.01); no scores from "
        f"{', '.join(failed) or 'none'}",
    )


if __name__ == "__main__":
    main()
