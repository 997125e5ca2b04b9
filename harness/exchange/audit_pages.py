"""The pages of a bundle for an audit: what is in it, and what the columns of its tables mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from assay.harness.exchange.audit_sums import SUMS
from assay.results.columns import Column, columns
from assay.results.columns_page import TABLES, column_table

COLUMNS_PAGE = "columns.md"
README = f"""# A bundle for an audit

Made by `assay audit` of the experiment {{name}}.

- [decisions](decisions/): what the model decided on every explained text, with its probabilities. A CSV
  file for each task, model and seed.
- [explanations](explanations/README.md): why, a score per token (Parquet; that page has the columns).
- [cards](cards/): an explainer card for every explainer: one page first, the evidence behind.
- [evidence](evidence/): [the report](evidence/report.html) and its tables,
  [the recommendation](evidence/recommendation.txt), [the checks of the metrics](evidence/metric_checks.csv).
- [{COLUMNS_PAGE}]({COLUMNS_PAGE}): what each column of each CSV file means.
- [audit.json](audit.json): who made this, when, with which command and which versions.
- [hashes.json](hashes.json), [code.sha256](code.sha256): SHA-256 of the models' weights, of the texts and of
  the program's files. Weights are not in the bundle; a model has these weights if its hash is the same.
- [settings.json](settings.json): every setting of every trial. Places of the machine are left out: `<tos>`
  is a path.
- [{SUMS}]({SUMS}): the SHA-256 of every other file here.

To verify it without Assay: `sha256sum -c {SUMS}` in this folder names a changed or missing file; then
compare `sha256sum {SUMS}` with the root hash that was filed elsewhere.
`assay audit FOLDER --verify --root HASH` does both, and names what was added.
"""
_DECISIONS = (
    Column("id", str, "the explained text, as the task names it"),
    Column("text_1", str, "the text; of a pair the first"),
    Column("text_2", str, "the second text of a pair; only there for pairs"),
    Column("gold", str, "the right labels, as the task gives them, separated by semicolons"),
    Column("decided", str, "the labels that the model gives, separated by semicolons"),
    Column("p(LABEL)", float, "the probability that the model gives the label; a column per label"),
)
_CHECKS = (
    Column("metric", str, "the metric"),
    Column("auc", float, "how often exact explanations have the better value than random ones"),
    Column("monotonicity", float, "Spearman correlation of less noise and a better value"),
    Column("false_alarms", float, "how often two random explainers are called different at 5 %"),
    Column("removal_range", float, "how far the AUC of the noisiest differs between removal operators"),
    Column("length_range", float, "how far it differs between the shorter and the longer texts"),
    Column("verdict", str, "`tells` if it tells good explanations from bad ones, `fails`, or `unchecked`"),
    Column("note", str, "where it failed, and with which number, or why it was not checked"),
)


def column_page(files: Iterable[str]) -> str:
    """What the columns of every CSV file mean, in Markdown.

    Args:
        files: paths inside the bundle.

    Raises:
        KeyError: a table that no page describes.
    """
    tables = [path for path in map(PurePosixPath, sorted(files)) if path.suffix == ".csv"]
    sections: list[str] = ["# The columns of every table", ""]
    if any(path.parts[0] == "decisions" for path in tables):
        sections += _section("decisions/*.csv", "one explained text", _DECISIONS)
    for path in tables:
        if path.name == "metric_checks.csv":
            about = "one metric, checked on explanations of known quality"
            sections += _section(path.as_posix(), about, _CHECKS)
        elif path.parts[0] != "decisions":
            row = TABLES[path.name]
            about = (row.__doc__ or "").split(": a row of")[0]
            sections += _section(path.as_posix(), f"{about[0].lower()}{about[1:]}", columns(row))
    return "\n".join(sections).rstrip() + "\n"


def _section(name: str, about: str, described: Sequence[Column]) -> list[str]:
    return [f"## `{name}`", "", f"One row: {about}.", "", *column_table(described), ""]
