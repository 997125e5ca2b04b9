"""assay.compare says what `assay compare` says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import assay
from assay.harness.cli import main


def test_the_function_returns_the_rows_of_the_command(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sides = "tiny@seed=0", "tiny@seed=1"
    conditions = ["faithfulness worse", "agreement < 1"]
    found = assay.compare(*sides, store=str(finished), fail_if=conditions, these_models=True)
    words = [word for condition in conditions for word in ("--fail-if", condition)]
    main(["compare", *sides, "--store", str(finished), "--these-models", *words, "--json"])
    said = json.loads(capsys.readouterr().out)
    assert found.changes["difference"].tolist() == [row["difference"] for row in said["changes"]]
    assert found.changes["verdict"].tolist() == [row["verdict"] for row in said["changes"]]
    assert found.agreement["agreement"].tolist() == [row["agreement"] for row in said["agreement"]]
    assert [one.holds for one in found.conditions] == [row["holds"] for row in said["conditions"]]
    main(["compare", *sides, "--store", str(finished), "--these-models", *words])
    assert capsys.readouterr().out.strip() == str(found).strip()


def test_what_cannot_be_read_is_an_input_error(finished: Path) -> None:
    with pytest.raises(assay.InputError, match="did you mean 'tiny'"):
        assay.compare("tinny", "tiny", store=str(finished))
    with pytest.raises(assay.InputError, match="faithfulnes"):
        assay.compare("tiny", "tiny", store=str(finished), fail_if=["faithfulnes worse"])
    with pytest.raises(assay.InputError, match="fail_if"):
        assay.compare("tiny", "tiny", store=str(finished), fail_if="faithfulness worse")  # type: ignore[arg-type]
