"""The references of explainers and metrics."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import unicodedata
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
    ),
}


def shipped(group: str) -> set[str]:
    """The names of the classes that YAML files of a group name."""
    return {target.rpartition(".")[2] for target in targets(group)}


def targets(group: str) -> set[str]:
    """The classes that YAML files of a group name."""
    folder = files("assay.conf").joinpath(group)
    texts = [path.read_text("utf-8") for path in folder.iterdir() if path.name.endswith(".yaml")]
    tops = [one for text in texts for one in yaml.safe_load(text).values()]
    return {one["_target_"] for one in tops if isinstance(one, dict)}


@pytest.mark.parametrize("group", ["explainer", "metric"])
def test_everything_that_is_shipped_has_a_reference_or_needs_none(group: str) -> None:
    known = {name for _, of in references().values() for name in of}
    assert shipped(group) - known - WITHOUT == set()
    assert not WITHOUT & known


def test_every_reference_is_of_something_that_is_shipped() -> None:
    every = shipped("explainer") | shipped("metric") | shipped("baseline") | {"FaithfulnessMicro"}
    assert {name for _, of in references().values() for name in of} <= every


REQUIRED = {
    "article": {"author", "title", "journal", "year"},
    "inproceedings": {"author", "title", "booktitle", "year"},
    "incollection": {"author", "title", "booktitle", "publisher", "year"},
    "misc": {"author", "title", "year", "eprint|url"},
}
OPTIONAL = {"archiveprefix", "editor", "eprint", "url"}


def parsed(entry: str) -> tuple[str, str, dict[str, str]]:
    """The type of an entry, its key and its fields; fails on anything that is no field."""
    head, *lines, last = entry.rstrip().split("\n")
    kind = re.fullmatch(r"@([a-z]+)\{([a-z0-9]+),", head)
    assert kind is not None and last == "}", entry
    fields: dict[str, str] = {}
    for line in lines:
        field = re.fullmatch(r"  ([a-z]+) = \{(.+)\},", line)
        assert field is not None and field[1] not in fields, line
        depth = 0
        for character in field[2]:
            depth += (character == "{") - (character == "}")
            assert depth >= 0, line
        assert depth == 0 and field[2] == field[2].strip(), line
        fields[field[1]] = field[2]
    return kind[1], kind[2], fields


def first_author(fields: dict[str, str]) -> str:
    """The family name of the first author, without marks of LaTeX and accents."""
    return plain(fields["author"].split(" and ")[0].split(",")[0])


def plain(name: str) -> str:
    """A name in ASCII: an accent of LaTeX or Unicode is taken away."""
    bare = re.sub(r"\\v\b|\\.|[{}]", "", name)
    return unicodedata.normalize("NFD", bare).encode("ascii", "ignore").decode().strip()


def test_entries_are_sorted_unique_and_whole() -> None:
    keys = list(references())
    assert keys == sorted(set(keys)) and len(keys) > 50
    for key, (entry, _) in references().items():
        kind, named, fields = parsed(entry)
        assert entry.isascii() and named == key
        for one in REQUIRED[kind]:
            assert set(one.split("|")) & fields.keys(), (key, one)
        every = {name for one in REQUIRED[kind] for name in one.split("|")}
        assert fields.keys() <= every | OPTIONAL, "nothing that was not checked"
        assert key.startswith(re.sub(r"[^a-z]", "", first_author(fields).lower())), key
        assert re.fullmatch(r"\d{4}", fields["year"]) and fields["year"] in key, key
        assert fields.get("archiveprefix", "arXiv") == "arXiv" and ("eprint" in fields) == (
            "archiveprefix" in fields
        )
        assert re.fullmatch(r"\d{4}\.\d{4,5}", fields.get("eprint", "1234.5678")), key
        # A straight quotation mark sets two closing ones; in an accent it is a command.
        assert not re.search(r'(?<!\\)"', entry), key


# "Lundberg & Lee, NeurIPS 2017", "Li et al. (2016)", "Strumbelj and Kononenko, 2010".
NAME = r"(?:De )?[A-Z\u0160][\w'-]+"
CITED = re.compile(
    rf"(?P<first>{NAME})(?:(?:,? (?:&|and) {NAME}|, {NAME})*| et al\.?)"
    r"(?:,? \(?|, (?:IEEE Trans\. Inf\. Theory|PLOS ONE|[A-Z][A-Za-z]+) )(?P<year>(?:19|20)\d\d)"
)


def cited(doc: str) -> set[tuple[str, str]]:
    """The first authors and years of the papers that a text names."""
    return {(plain(one["first"]), one["year"]) for one in CITED.finditer(" ".join(doc.split()))}


def test_papers_are_found_in_docstrings() -> None:
    text = """Source: Lundberg & Lee, NeurIPS 2017, De Cao et al., EMNLP 2020; Jansen 1999 (O'Hagan 1991). As
    Kekäläinen & Järvelin, TOIS 2002; Ngai and Rudzicz 2022. Hurley & Rickard, IEEE Trans. Inf. Theory 2009;
    Talukdar, Murphy and Mitchell, COLING 2012. Since then, 2013, nothing."""
    assert cited(text) == {
        ("Lundberg", "2017"),
        ("De Cao", "2020"),
        ("Jansen", "1999"),
        ("O'Hagan", "1991"),
        ("Kekalainen", "2002"),
        ("Ngai", "2022"),
        ("Hurley", "2009"),
        ("Talukdar", "2012"),
    }


@pytest.mark.parametrize("group", ["explainer", "metric"])
def test_every_paper_that_a_docstring_names_is_among_the_references_of_its_class(group: str) -> None:
    counted = 0
    for target in sorted(targets(group)):
        module, _, name = target.rpartition(".")
        doc = getattr(importlib.import_module(module), name).__doc__ or ""
        entries = [parsed(entry)[2] for entry, of in references().values() if name in of]
        known = {(first_author(fields), fields["year"]) for fields in entries}
        assert cited(doc) <= known, (name, cited(doc) - known)
        # A year in a source is one of a paper that was found.
        source = " ".join(doc.partition("Source:")[2].split())
        assert set(re.findall(r"(?<!arXiv:)\b(?:19|20)\d\d\b", source)) <= {
            year for _, year in cited(source)
        }, name
        counted += len(cited(doc))
    assert counted > 25


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
