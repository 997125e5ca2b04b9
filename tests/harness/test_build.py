"""Objects come from trusted code only, and errors are one sentence."""

from __future__ import annotations

import pytest

from assay.explainers.perturbation.occlusion import Occlusion
from assay.harness.config.build import build
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
        # Reached through a trusted module's own imports:
        "assay.models.saving.shutil.rmtree",
        "assay.models.saving.os.system",
        "assay.models.training.deepcopy",
    ],
)
def test_refuses_untrusted_targets(target: str) -> None:
    with pytest.raises(InputError, match="not in a trusted package"):
        build({"_target_": target})


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
    with pytest.raises(InputError, match="does not exist"):
        build({"_target_": "assay.explainers.perturbation.occlusion.Oclusion"})


def test_input_errors_pass_through_unwrapped() -> None:
    with pytest.raises(InputError, match=r"^explainer\.lime\.rows is 1"):
        build({"_target_": "assay.explainers.perturbation.lime.Lime", "rows": 1})
