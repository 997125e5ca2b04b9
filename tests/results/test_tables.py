"""Markdown, LaTeX and plain text of a comparison."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from many_explainers import many, quick_grids
from results_synthetic import METHODS, METRICS, Group, Method, experiment

from assay.results.records import Results
from assay.results.statistics.comparison import compare
from assay.results.statistics.estimates import Bootstrap
from assay.results.tables.latex import blocks, body_of, latex
from assay.results.tables.latex_escapes import escape_latex
from assay.results.tables.layout import Column, Entry, Grid, Row, grids
from assay.results.tables.text import escape_markdown, markdown, plain

FEW = Bootstrap(n=100)
NASTY = r"a_b & 100% {x} $y$ #1 ~ ^ \ <i>|"


def tables(results: Results) -> list[Grid]:
    """The grids of a comparison with few resamples."""
    return grids(compare(results, FEW), results.metrics)


@pytest.fixture(scope="module")
def both() -> list[Grid]:
    """Two groups, the second without human agreement."""
    return tables(experiment(n=30))


def test_grid_has_the_measured_columns_and_the_methods(both: list[Grid]) -> None:
    planted, reviews = both
    assert [column.name for column in planted.columns] == [metric.name for metric in METRICS]
    assert "agreement" not in [column.name for column in reviews.columns]
    assert [row.method.explainer for row in planted.rows][-3:] == ["gold", "random", "inverted"]
    assert any("the task has no human rationales" in line for line in reviews.left_out)
    assert any("lime (zero): lime cannot use the zero baseline" in line for line in planted.left_out)
    assert planted.caption == "planted / cnn (2 model seeds)"


def test_a_seed_that_is_missing_is_said() -> None:
    known = experiment(n=12)
    cells = [
        each
        for each in known.cells
        if not (each.method == Method("saliency") and each.seed == "1" and each.metric == "agreement")
    ]
    planted = tables(replace(known, cells=cells))[0]
    assert "saliency, Human agreement: only 1 of 2 seeds" in planted.left_out


def test_missing_entries_carry_the_number_of_their_reason() -> None:
    known = experiment(n=12)
    cells = [each for each in known.cells if (each.method.explainer, each.metric) != ("lime", "agreement")]
    planted = tables(replace(known, cells=cells, absences=()))[0]
    at = [column.name for column in planted.columns].index("agreement")
    notes = {row.method.explainer: row.entries[at].note for row in planted.rows}
    assert planted.notes == ("not computed",)
    assert notes["lime"] == 1 and notes["occlusion"] == 0
    assert "–<sup>1</sup>" in markdown([planted], FEW) and "1. not computed" in markdown([planted], FEW)
    assert r"--$^{1}$" in latex([planted], FEW)
    assert "– 1)" in plain([planted], FEW)


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (5.31e-06, None, "0.00001"),
        (4.2e-09, None, "0.00000"),
        (0.12345, 2, "0.12"),
        (-0.001, 2, "0.00"),
        (-0.5, 1, "-0.5"),
        (float("nan"), 2, "–"),
        (1234567.0, None, "1,234,567"),
        (0.0123456, None, "0.0123"),
        (12.3456, None, "12.3"),
        (0.0, None, "0"),
    ],
)
def test_numbers(value: float, decimals: int | None, text: str) -> None:
    assert Column("m", "M", "lower", decimals).number(value) == text


def test_intervals() -> None:
    column = Column("m", "M", "higher", 3)
    assert column.interval(Entry(0.5, 0.412, 0.588)) == "[0.41, 0.59]"
    # With a digit less, a value could stand outside its own interval.
    assert column.interval(Entry(0.694, 0.6951, 0.7049)) == "[0.695, 0.705]"
    assert column.interval(Entry(0.387, 0.3861, 0.52)) == "[0.386, 0.520]"
    assert column.interval(Entry(0.5, 0.5, 0.5)) == ""
    assert column.interval(Entry(0.5, float("nan"), float("nan"))) == ""
    assert column.heading == "M ↑"


def test_a_p_is_said_of_what_was_tested_and_is_not_the_best() -> None:
    numbers = 0.5, 0.4, 0.6
    assert Entry(*numbers, p=0.0312).p_value == "p = 0.031"
    assert Entry(*numbers, p=0.0002).p_value == "p < 0.001"
    assert Entry(*numbers, p=1.0).p_value == Entry(*numbers).p_value == ""


def test_a_cell_that_rests_on_other_texts_says_so() -> None:
    column = Column("m", "M", "higher", 2, "51 × 2")
    rows = (
        Row(Method("a"), False, (Entry(0.5, 0.4, 0.6, best=True),)),
        Row(Method("b"), False, (Entry(0.25, 0.2, 0.3, mark="§", count="7 × 2"),)),
    )
    grid = Grid(Group("t", "m"), 2, (column,), rows, (), ())
    assert r"| b |  | 0.25§ \[0.2, 0.3\] (7 × 2) |" in markdown([grid], FEW)
    assert "0.25§ ±0.05 (7 × 2)\n" in plain([grid], FEW) and plain([grid], FEW).count("51 × 2") == 1
    assert r"0.25\S{}" in latex([grid], FEW) and r"(7 $\times$ 2)" in latex([grid], FEW)


def test_markdown_tables_are_rectangular(both: list[Grid]) -> None:
    text = markdown(both, FEW)
    blocks = re.findall(r"(?:^\|.*\|\n)+", text, flags=re.MULTILINE)
    assert len(blocks) == 2
    for block, grid in zip(blocks, both, strict=True):
        widths = {len(re.split(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert widths == {len(grid.columns) + 4}
        # Heading, rule, numbers of texts, the word "controls", one line per method.
        assert len(block.splitlines()) == len(grid.rows) + 4


def test_bold_stands_on_the_best_group_and_only_there(both: list[Grid]) -> None:
    best = sum(entry.best for grid in both for row in grid.rows for entry in row.entries)
    assert best > 0
    assert markdown(both, FEW).count("**") == 2 * best
    assert latex(both, FEW).count(r"\textbf{") == best
    stars = [line.count("*") for line in plain(both, FEW).splitlines()[:-1]]
    assert sum(stars) == best


def test_bytes_are_the_same_again() -> None:
    one, two = (tables(experiment(n=12)) for _ in range(2))
    for form in (markdown, latex, plain):
        assert form(one, FEW).encode() == form(two, FEW).encode()


def test_plain_columns_are_aligned_and_narrow(both: list[Grid]) -> None:
    text = plain(both, FEW)
    assert max(map(len, text.splitlines())) <= 110
    assert not any(line != line.rstrip() for line in text.splitlines())
    rules = [line for line in text.splitlines() if set(line) == {"-"}]
    assert len(rules) == 4  # before the candidates and before the controls of either group


def test_latex_escapes() -> None:
    assert escape_latex("a_b & 5% $x$ #1 {y} ~^\\") == (
        r"a\_b \& 5\% \$x\$ \#1 \{y\} \textasciitilde{}\textasciicircum{}\textbackslash{}"
    )


def test_markdown_escapes() -> None:
    assert escape_markdown("a|b [link](x) *bold* <b> `code` snake_case _it_") == (
        r"a\|b \[link\](x) \*bold\* \<b\> \`code\` snake_case \_it\_"
    )


def nasty() -> list[Grid]:
    """Names that mean something to every format."""
    column = Column("m", NASTY, "lower", 2)
    rows = (
        Row(Method(NASTY, NASTY), False, (Entry(-0.5, -0.6, -0.4, best=True),)),
        Row(Method("[x]"), False, (Entry(0.2, 0.1, 0.3),)),
        Row(Method("random"), True, (Entry(float("nan"), float("nan"), float("nan"), note=1),)),
    )
    return [Grid(Group(NASTY, "m"), 1, (column,), rows, (NASTY,), (NASTY,))]


@pytest.mark.parametrize("found", [nasty, lambda: tables(experiment(n=12))])
def test_latex_is_balanced(found: Callable[[], list[Grid]]) -> None:
    text = latex(found(), FEW)
    bare = re.sub(r"\\[\\{}$&%#_]", "", text)
    depth = np.cumsum([{"{": 1, "}": -1}.get(letter, 0) for letter in bare])
    assert depth.min() >= 0 and depth[-1] == 0
    assert bare.count("$") % 2 == 0
    begun, ended = (re.findall(rf"\\{word}{{([a-z*]+)}}", text) for word in ("begin", "end"))
    assert sorted(begun) == sorted(ended) and "tabular" in begun
    assert not re.search(r"[↑↓–]", text)


def test_latex_names_are_in_typewriter_and_each_table_has_a_caption_and_a_label(both: list[Grid]) -> None:
    for transpose in (False, True):
        text = latex([*both, both[0]], FEW, transpose=transpose)
        assert r"\caption{\texttt{planted} / \texttt{cnn} (2 model seeds).}" in text
        labels = re.findall(r"\\label\{([^}]*)\}", text)
        assert labels == ["tab:planted-cnn", "tab:reviews-minilm", "tab:planted-cnn-2"]
        assert re.findall(r"\\caption\{.*\}\n\\label", text) and text.count(r"\caption{") >= len(labels)
        for name in ("gold", "lime"):
            assert name not in re.sub(r"\\texttt\{[^}]*\}", "", text).split(r"\raggedright")[0]
    nasty_one = Grid(Group("a_b", "m", "untrained"), 1, (), (), (), ())
    assert r"\caption{\texttt{a\_b} / \texttt{m}, untrained (1 model seed).}" in latex([nasty_one], FEW)
    assert r"\label{tab:a-b-m-untrained}" in latex([nasty_one], FEW)


def test_markdown_transposed_holds_the_same_cells(both: list[Grid]) -> None:
    def cells(text: str) -> list[list[list[str]]]:
        blocks = re.findall(r"(?:^\|.*\|\n)+", text, flags=re.MULTILINE)
        parts = [[re.split(r"(?<!\\)\|", line)[1:-1] for line in block.splitlines()] for block in blocks]
        return [[[cell.strip() for cell in row] for row in block] for block in parts]

    upright, turned = cells(markdown(both, FEW)), cells(markdown(both, FEW, transpose=True))
    assert len(turned) == len(both)
    for grid, one, other in zip(both, upright, turned, strict=True):
        assert other[0] == ["metric", *(row.method.title for row in grid.rows), "texts × models"]
        assert len(other) == len(grid.columns) + 2 and {len(row) for row in other} == {len(grid.rows) + 2}
        counts, body = one[2], [row for row in one[3:] if row[0] != "*controls*"]
        for place in range(len(grid.columns)):
            row = other[place + 2]
            assert row[0] == one[0][place + 2] and row[-1] == counts[place + 2]
            assert row[1:-1] == [line[place + 2] for line in body]
    below = [re.sub(r"(?m)^\|.*\n", "", markdown(both, FEW, transpose=turn)) for turn in (False, True)]
    assert below[0] == below[1] and "Left out:" in below[0]


def test_latex_rows_have_as_many_cells_as_the_table_has_columns() -> None:
    (grid,) = nasty()
    body = latex([grid], FEW).split(r"\midrule", 1)[1].split(r"\bottomrule")[0]
    lines = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert lines and all(len(re.findall(r"(?<!\\)&", line)) == 1 for line in lines)
    assert not any(line.startswith("[") for line in lines[:1])


ENGINES = ("pdflatex", "xelatex", "lualatex")


def default_table() -> list[Grid]:
    """As many methods and metrics as the quickstart has, with signs, notes and symbols."""
    titles = ("Faithfulness (AUC-TP)", "Confidence indication (MAE)", "Rationale consistency (Spearman ρ)")
    titles += ("Dataset consistency (Spearman ρ)", "Human agreement (MAP)", "Model passes per text")
    columns = tuple(Column(title, title, "lower", 2, "200 × 2") for title in titles)
    both = ("occlusion", "lime", "kernel_shap", "shapley_gp")
    methods = [Method("saliency_l2"), Method("integrated_gradients", "mask")]
    methods += [Method(name, baseline) for name in both for baseline in ("mask", "delete")]
    entries = tuple(Entry(-0.12, -0.22, 0.61, best=place == 2, mark="†" * (place == 1)) for place in range(6))
    rows = [Row(method, False, entries) for method in methods]
    rows += [Row(Method(name), True, entries) for name in ("gold", "random", "inverted")]
    remarks = ("† shares the operator", "ρ ≥ 0.5 ≡ −1 ¶ § ‡ ★")
    return [
        Grid(Group("planted_counting", "cnn"), 2, columns, tuple(rows), ("none",), ("lime: no",), "", remarks)
    ]


@pytest.mark.latex
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "found",
    [nasty, default_table, lambda: tables(experiment(n=12)), lambda: quick_grids(many(30))[:1]],
    ids=["nasty", "default", "two groups", "30 explainers"],
)
def test_latex_compiles_and_fits_one_column(
    found: Callable[[], list[Grid]], engine: str, tmp_path: Path
) -> None:
    if shutil.which(engine) is None:
        pytest.skip(f"{engine} is not installed")
    head = "\\documentclass[twocolumn]{article}\\usepackage{booktabs}\\begin{document}\n"
    turned = latex(found(), FEW, transpose=True)
    text = head + latex(found(), FEW) + turned + "\\end{document}\n"
    (tmp_path / "t.tex").write_text(text, encoding="utf-8")
    command = [engine, "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-2000:]
    log = (tmp_path / "t.log").read_text(encoding="utf-8", errors="replace")
    assert "Missing character" not in log
    if found is not nasty:
        assert "Overfull \\hbox" not in log and "Float too large" not in log, log[-3000:]


@pytest.mark.parametrize("found", [nasty, default_table, lambda: tables(experiment(n=12))])
def test_latex_is_ascii(found: Callable[[], list[Grid]]) -> None:
    """So it depends on no encoding and no font of an engine."""
    assert latex(found(), FEW).isascii()


def test_every_character_is_ascii_in_latex() -> None:
    for code in range(0x30000):
        assert escape_latex(chr(code)).isascii()
    assert escape_latex("ρ τ é ï ç Ω Ρ − ≥ 中") == (
        r"$\rho$ $\tau$ \'{e} \"{\i} \c{c} $\Omega$ P $-$ $\geq$ U+4E2D"
    )
    assert escape_latex("\x1b[31m") == r"\textbackslash{}x1b{[}31m"
    assert escape_latex("a--b ``c'' [d] *e").count("{") == 9


def test_metrics_that_do_not_fit_beside_each_other_stand_below() -> None:
    (grid,) = default_table()
    assert [len(block) for block in blocks(body_of(grid))] == [3, 3]
    text = latex([grid], FEW)
    assert r"\begin{table}" in text and "table*" not in text and text.count(r"\begin{tabular}{@{}lrrr") == 2


def test_rows_stand_apart_arrows_stay_at_their_words_and_long_names_have_lines() -> None:
    (grid,) = default_table()
    text = latex([grid], FEW)
    assert not re.search(r"\\\\\$\\(down|up)arrow\$", text) and r"$\rho$) $\downarrow$" in text
    rows = len(grid.rows)
    # Of two blocks, each with one rule before the controls.
    assert text.count(r"\addlinespace") == 2 * (rows - 2)
    name = '<script>alert(1)</script> & "quotes" =1+1 ' + "w" * 40
    long = replace(grid, rows=(replace(grid.rows[0], method=Method(name, "pad")),))
    (heading,) = body_of(long).rows
    assert "".join(heading.lines) == name and max(map(len, heading.lines)) <= 29 and len(heading.lines) > 2
    assert r"\char34{}quotes\char34{}" in latex([long], FEW)


def test_a_table_that_goes_on_keeps_its_number() -> None:
    text = latex(quick_grids(many(30))[:1], FEW)
    assert text.count(r"\addtocounter{table}{-1}") == text.count("(continued)") > 0


def test_long_tables_go_on_with_every_method_and_metric_once() -> None:
    (grid,) = quick_grids(many(30))[:1]
    for transpose in (False, True):
        text = latex([grid], FEW, transpose=transpose)
        assert text.count("(continued)") == text.count(r"\begin{table}") - 1 > 0
        numbers = [
            line for line in text.splitlines() if re.search(r"& .*\d\.\d", line) and "tiny" not in line
        ]
        shown = sum(len(re.findall(r"(?<![\[\d])\d+\.\d\d", line)) for line in numbers)
        assert shown == len(grid.rows) * len(grid.columns)


def test_one_explainer_one_seed_one_text() -> None:
    results = experiment([Group("planted", "cnn")], [Method("lime", "pad")], seeds=("0",), n=1)
    found = tables(results)
    for form in (markdown, latex, plain):
        assert "lime" in form(found, FEW) and "1 model seed" in form(found, FEW)
    assert "**" not in markdown(found, FEW)


def test_controls_only() -> None:
    found = tables(experiment([Group("planted", "cnn")], METHODS[5:], n=12))
    assert markdown(found, FEW).count("*controls*") == 1
    text = latex(found, FEW)
    assert text.count(r"\midrule") == text.count(r"\toprule")


def test_nothing_at_all() -> None:
    assert tables(Results("empty", METRICS, ())) == []
    for form in (markdown, latex, plain):
        assert isinstance(form([], FEW), str)


def test_half_intervals_have_the_digits_of_the_value() -> None:
    column = Column("m", "M", "lower", None)
    entries = (
        Entry(0.0705, 0.061, 0.0791),
        Entry(15.9, 15.1, 16.6),
        Entry(3.0, 2.9, 3.1),
        Entry(2.0, 2.0, 2.0),
    )
    rows = tuple(Row(Method(f"m{place}"), False, (entry,)) for place, entry in enumerate(entries))
    text = plain([Grid(Group("t", "m"), 1, (column,), rows, (), ())], FEW)
    cells = [line.split(maxsplit=1)[1].strip() for line in text.splitlines() if re.match(r"m\d", line)]
    assert cells == ["0.0705 ±0.0091", "15.9 ±0.8", "3", "2"]
