"""`assay claims`, and the claims in the report: what they write, and their exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from assay.harness.cli import main
from assay.results.claims.records import ClaimRow
from assay.results.claims.study import STUDY
from assay.results.columns import columns

Said = pytest.CaptureFixture[str]
HEAD = "task,model,explainer,metric,value,source\n"


@pytest.fixture
def numbers(finished: Path, tmp_path: Path) -> Path:
    """A published number of the first measured row."""
    table = pd.read_csv(finished / "experiments" / "tiny" / "comparison.csv")
    row = table[table["value"].notna()].iloc[0]
    path = tmp_path / "numbers.csv"
    names = ",".join(row[["task", "model", "explainer", "metric"]])
    path.write_text(f"{HEAD}{names},{row['value'] + 0.5},table 1\n", encoding="utf-8")
    return path


def test_claims_are_printed_written_and_given_as_json(finished: Path, tmp_path: Path, capsys: Said) -> None:
    out = tmp_path / "claims.csv"
    command = ["claims", "tiny", f"store={finished}", "--csv", str(out)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert all(claim.sentence in said for claim in STUDY)
    table = pd.read_csv(out)
    assert list(table) == [column.name for column in columns(ClaimRow)]
    assert main(command) == 2  # exists
    assert main([*command, "--overwrite", "--json"]) == 0
    content = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert len(content["claims"]) == len(table) and content["published"] == []


def test_published_numbers_stand_beside_in_terminal_and_report(
    finished: Path, numbers: Path, tmp_path: Path, capsys: Said
) -> None:
    assert main(["claims", "tiny", f"store={finished}", "--published", str(numbers), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["published"]
    assert row["difference"] == pytest.approx(-0.5) and row["source"] == "table 1"
    folder = tmp_path / "report"
    words = ["report", "tiny", f"store={finished}", "--to", str(folder)]
    assert main([*words, "--published", str(numbers)]) == 0
    assert len(pd.read_csv(folder / "published.csv")) == 1 and (folder / "claims.md").is_file()
    assert "Published numbers" in (folder / "report.html").read_text(encoding="utf-8")
    assert main(words) == 0
    assert not (folder / "claims.csv").exists() and not (folder / "published.csv").exists()
    assert main([*words, "report.claims=true"]) == 0
    assert (folder / "claims.csv").is_file() and not (folder / "published.csv").exists()


def test_what_cannot_be_read_is_one_sentence_and_status_2(
    finished: Path, numbers: Path, capsys: Said
) -> None:
    text = numbers.read_text(encoding="utf-8")
    numbers.write_text(text + text.splitlines()[1].replace(",", ",x", 1) + "\n", encoding="utf-8")
    assert main(["claims", "tiny", f"store={finished}", "--published", str(numbers)]) == 2
    error = capsys.readouterr().err
    assert "line 3: unknown model" in error and "did you mean" in error
    for value in ("9_5", "nan", "inf", "1,2", "٣"):
        row = text.splitlines()[1].split(",")
        row[text.splitlines()[0].split(",").index("value")] = f'"{value}"'
        numbers.write_text(f"{text.splitlines()[0]}\n{','.join(row)}\n", encoding="utf-8")
        assert main(["claims", "tiny", f"store={finished}", "--published", str(numbers)]) == 2
        assert f"the value '{value}' is no number" in capsys.readouterr().err
    assert main(["claims", "experiment=quickstart", f"store={numbers.parent / 'none'}"]) == 2
    assert "is scored yet" in capsys.readouterr().err
