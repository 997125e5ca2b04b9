"""The references of explainers and metrics."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from assay.results.tables.bibliography import bibliography, references

# What Assay does itself, or rules and files that no paper describes.
WITHOUT = {
    *("Gold", "Inverted", "Random", "FirstWords", "RareWords", "Lexicon", "Imported"),
    *(
        "SelfAgreement",
        "SeedStability",
        "GradedSpearman",
        "GroundTruthAgreement",
        "FeatureAttributionDropping",
    ),
}


def shipped(group: str) -> set[str]:
    """The classes that YAML files of a group name."""
    folder = files("assay.conf").joinpath(group)
    texts = [path.read_text("utf-8") for path in folder.iterdir() if path.name.endswith(".yaml")]
    tops = [one for text in texts for one in yaml.safe_load(text).values()]
    return {one["_target_"].rpartition(".")[2] for one in tops if isinstance(one, dict)}


@pytest.mark.parametrize("group", ["explainer", "metric"])
def test_everything_that_is_shipped_has_a_reference_or_needs_none(group: str) -> None:
    known = {name for _, of in references().values() for name in of}
    assert shipped(group) - known - WITHOUT == set()
    assert not WITHOUT & known


def test_every_reference_is_of_something_that_is_shipped() -> None:
    every = shipped("explainer") | shipped("metric") | shipped("baseline") | {"FaithfulnessMicro"}
    assert {name for _, of in references().values() for name in of} <= every


def test_entries_are_sorted_unique_and_whole() -> None:
    keys = list(references())
    assert keys == sorted(set(keys)) and len(keys) > 40
    for key, (entry, _) in references().items():
        assert entry.isascii() and entry.count("{") == entry.count("}"), key
        for field in ("author", "title", "year"):
            assert re.search(rf"^  {field} = \{{.+\}},$", entry, re.MULTILINE), (key, field)
        year = re.search(r"year = \{(\d{4})\}", entry)
        assert year is not None and year[1] in key, key
        assert not re.search(r"^  (pages|doi|url) =", entry, re.MULTILINE), "nothing that was not checked"


def test_only_what_is_used_is_listed_once() -> None:
    found = bibliography(["Lime", "LimeText", "KernelShap", "MyOwn", ""])
    assert found.count("@") == 3 and "ribeiro2016why" in found and "assay =" not in found
    assert bibliography([]) == ""


@pytest.mark.latex
def test_bibtex_reads_all_of_it(tmp_path: Path) -> None:
    if shutil.which("bibtex") is None or shutil.which("pdflatex") is None:
        pytest.skip("bibtex is not installed")
    every = {name for _, of in references().values() for name in of}
    (tmp_path / "references.bib").write_text(bibliography(every))
    (tmp_path / "t.tex").write_text(
        r"\documentclass{article}\begin{document}x\nocite{*}\bibliographystyle{plain}"
        r"\bibliography{references}\end{document}"
    )
    for command in ("pdflatex", "bibtex", "pdflatex"):
        options = ["-interaction=nonstopmode", "-halt-on-error"] if command == "pdflatex" else []
        ran = subprocess.run(
            [command, *options, "t"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout[-2000:]
    assert (tmp_path / "t.bbl").read_text().count(r"\bibitem") == len(references())
