"""Why a metric makes no sense on a trial, or on one of its cells."""

from __future__ import annotations

from assay.harness.config.choice import ChosenMetric
from assay.harness.config.schema import Targets
from assay.harness.trials.plan import Cell, Trial
from assay.metrics.model_pairs import ModelPairMetric
from assay.tasks.example import Example


def cell_metric_incompatibility(cell: Cell, chosen: ChosenMetric) -> str | None:
    """Why a metric that makes sense in the trial does not for this cell, in one clause; None if it does."""
    traits = cell.method.explainer.traits
    if traits.fixed and "explaining" in chosen.metric.needs:
        return "it explains changed texts or models, but these scores were computed elsewhere"
    if traits.fixed and not traits.cost_known and chosen.metric.property == "compute time":
        return "what a function asks of a model is not counted"
    if traits.strings and "changed_tokens" in chosen.metric.needs:
        return "it changes tokens, but this explainer reads the text they were made from"
    if traits.from_model and "changed_model" in chosen.metric.needs:
        return "it explains changed models, for each of which this explainer would have to be trained anew"
    return None


def metric_incompatibility(chosen: ChosenMetric, trial: Trial, capabilities: frozenset[str]) -> str | None:
    """Why a metric cannot be computed on this trial, in one clause; None if it can."""
    metric, operator = chosen.metric, chosen.removal
    untaught = operator.from_texts and not trial.task.train
    has = {
        "rationales": any(example.has_rationale for example in trial.task.test),
        "grades": any(map(_graded, trial.task.test)),
        "labels": trial.task.labelled,
        "ground_truth": trial.task.ground_truth,
        "all_targets": trial.config.targets is Targets.all,
        "removal": operator.needs <= capabilities and not untaught,
        "explaining": True,
        "changed_tokens": True,
        "changed_model": True,
    }
    reasons = {
        "rationales": "the task has no rationales",
        "grades": "no rationale has grades, nor several annotators to make them of; use human_agreement",
        "labels": "it compares answers with labels, but texts have none; give them labels",
        "ground_truth": "nobody knows what causes the labels of this task; choose a planted one",
        "all_targets": "it compares all classes; set targets=all",
        "removal": (
            f"{operator.name!r} is made from training texts, and the task has none; choose another "
            "baseline@removal"
            if untaught
            else f"the model cannot remove tokens by {operator.name!r}; choose baseline@removal=[delete]"
        ),
    }
    needs = metric.needs | ({"labels"} if getattr(metric, "target", None) == "gold" else set())
    for need in sorted(needs):
        if not has.get(need, need in capabilities):
            return reasons.get(need, f"the model gives no {need.replace('_', ' ')}")
    everywhere = trial.config.targets is Targets.all or (
        trial.config.targets is Targets.gold and not trial.task.multi_label
    )
    if isinstance(metric, ModelPairMetric) and not everywhere:
        return "two models may explain different classes of a text; set targets=all"
    wanted, explained = getattr(metric, "target", None), trial.config.targets
    if wanted is not None and explained is not Targets.all and wanted != explained.name:
        return (
            f"it looks at the {wanted} class, but targets={explained.name}; set targets=all or "
            f"metric.{metric.name}.target={explained.name}"
        )
    return None


def _graded(example: Example) -> bool:
    """Whether some of the example's tokens may be more of a reason than others that are marked too."""
    annotators = {rationale.annotator for rationale in example.rationales}
    several = len(annotators) > 1 and example.has_rationale
    return several or any(rationale.graded for rationale in example.rationales)
