"""Objects come from trusted code only, and errors are one sentence."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hydra.utils import get_object

from assay.explainers.baselines import Mask
from assay.explainers.perturbation.occlusion import Occlusion
from assay.harness.config.build import build, choosable
from assay.harness.config.choice import Built, Choice, choose, with_removals
from assay.harness.config.compose import configuration
from assay.metrics.info import MetricBase, MetricInfo
from assay.tasks.errors import InputError


def test_builds_nested_targets() -> None:
    inverted = build(
        {
            "_target_": "assay.explainers.controls.controls.Inverted",
            "of": {"_target_": "assay.explainers.perturbation.occlusion.Occlusion", "output": "probability"},
        }
    )
    assert inverted.of == Occlusion(output="probability")


@pytest.mark.parametrize(
    "target",
    [
        "os.getpid",
        "builtins.eval",
        "subprocess.run",
    ],
)
def test_refuses_untrusted_targets(target: str) -> None:
    with pytest.raises(InputError, match="not in a trusted package"):
        build({"_target_": target})


@pytest.mark.parametrize(
    ("target", "settings"),
    [
        # Reached through a module's own imports:
        ("assay.models.saving.shutil.rmtree", {"path": "kept"}),
        ("assay.models.saving.os.system", {"command": "touch kept/touched"}),
        ("assay.models.training.deepcopy", {"x": 1}),
        # Defined there, and yet no task, model, explainer, baseline or metric:
        ("assay.models.saving.save", {"model": None, "folder": "kept"}),
        ("assay.models.saving.load", {"folder": "kept", "trusted": ["evilmod"]}),
        ("assay.explainers.score_file.write_scores", {"path": "kept/file.txt"}),
        ("assay.tasks.files.read_rows", {"path": "kept/file.txt"}),
        ("assay.explainers.protocol.Explainer", {}),
        ("assay.metrics.info.MetricInfo", {}),
    ],
)
def test_refuses_what_cannot_be_chosen(
    target: str, settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file.txt").write_text("kept")
    with pytest.raises(InputError, match="cannot be chosen"):
        build({"_target_": target, **settings})
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "file.txt"]
    assert (tmp_path / "kept" / "file.txt").read_text() == "kept"


def test_all_that_can_be_chosen_exists_and_is_of_a_kind_that_is_chosen() -> None:
    for target in choosable():
        if not target.startswith("assay.harness"):  # what Hydra starts for SLURM
            chosen = get_object(target)
            assert isinstance(chosen, type) or inspect.signature(chosen).return_annotation in ("Task",), (
                target
            )


def test_refuses_untrusted_targets_inside_trusted_ones() -> None:
    with pytest.raises(InputError, match="not in a trusted package"):
        build({"_target_": "assay.explainers.controls.controls.Inverted", "of": {"_target_": "os.getpid"}})


def test_trust_is_extended_by_the_environment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"_target_": "fractions.Fraction", "numerator": 1, "denominator": 2}
    with pytest.raises(InputError, match="ASSAY_TRUST"):
        build(config)
    monkeypatch.setenv("ASSAY_TRUST", "fractions")
    assert build(config) == 0.5


def test_unknown_option_names_it() -> None:
    with pytest.raises(InputError, match=r"Occlusion could not be built.*windw"):
        build({"_target_": "assay.explainers.perturbation.occlusion.Occlusion", "windw": 3})


def test_unknown_class_is_one_sentence() -> None:
    with pytest.raises(InputError, match="cannot be chosen; did you mean"):
        build({"_target_": "assay.explainers.perturbation.occlusion.Oclusion"})


def test_input_errors_pass_through_unwrapped() -> None:
    with pytest.raises(InputError, match=r"^explainer\.lime\.rows is 1"):
        build({"_target_": "assay.explainers.perturbation.lime.Lime", "rows": 1})


@dataclass(frozen=True, slots=True)
class HalfPair(MetricBase):
    """A metric of two models that lacks the pairs to compare."""

    info = MetricInfo("half", "Half", "higher", (-1.0, 1.0), "0", "rationale_consistency", "x")

    def score_pair(self, shards_a: object, shards_b: object, distances: object) -> None: ...


def test_a_metric_that_scores_neither_a_cell_nor_two_models_is_refused() -> None:
    with pytest.raises(InputError, match="the metric HalfPair scores nothing; expected"):
        with_removals({"half": Built({}, HalfPair())}, {"mask": Built({}, Mask())})


def test_trials_that_choose_the_same_share_what_is_built() -> None:
    known: dict[str, Choice] = {}
    chosen = ["task=planted", "explainer=[occlusion,lime]", "baseline=[mask,pad]", "metric=[human_agreement]"]
    one, again = (choose(configuration([*chosen, f"seed={seed}"]), known) for seed in (0, 1))
    other = choose(configuration([*chosen, "explainer.lime.rows=30"]), known)
    assert one is again and one is not other and len(known) == 2
