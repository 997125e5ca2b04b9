"""Texts of users are shown and never obeyed: by a spreadsheet, a page, a picture, a terminal."""

from __future__ import annotations

import io
import logging
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from assay.harness.command_line.terminal import InertFormatter, inert_output, print_error
from assay.results.figures.style import render, style
from assay.results.inert import inert, inert_cell, to_csv

HOSTILE = "=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(1)", "\tx", "\rx"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_csv_holds_inert_cell(text: str) -> None:
    assert inert_cell(text) == inert(f"'{text}")
    table = pd.DataFrame({"model": [text, "cnn"], "value": [0.1, np.nan]})
    assert to_csv(table).decode().splitlines()[1].lstrip('"').startswith("'")


def test_numbers_and_gaps_of_a_csv_stay() -> None:
    table = pd.DataFrame(
        {
            "text": ["-5", None],
            "n": [1, 2],
            "value": [0.1, np.nan],
            "best": [True, False],
            "mixed": ["a", 1.5],
        }
    )
    assert to_csv(table) == table.to_csv(index=False, lineterminator="\n").encode()


def test_control_characters_and_turned_directions_are_written_out() -> None:
    assert inert("a\x1b[31mb\x07\x9b\u202ec\n\td") == "a\\x1b[31mb\\x07\\x9b\\u202ec\n\td"


@pytest.mark.filterwarnings("ignore:Glyph 27")
def test_a_name_in_a_picture_is_no_mathematics_and_the_picture_is_xml() -> None:
    with style("x"):
        figure = Figure()
        figure.subplots().set_title("a$x_{$b \x1b[31m")
        drawing = render(figure, "x", "title", "text")
    assert b"a$x_{$b \\x1b[31m" in drawing.svg and b"\x1b" not in drawing.svg


def test_what_is_printed_and_logged_is_inert(capsys: pytest.CaptureFixture[str]) -> None:
    with inert_output():
        print("a\x1b[2Jb")
        sys.stdout.write("c\x9bd\n")
    print_error("e\x1b")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(InertFormatter("%(message)s"))
    handler.handle(logging.makeLogRecord({"msg": "f\x1b"}))
    out = capsys.readouterr()
    assert (out.out, out.err, stream.getvalue()) == ("a\\x1b[2Jb\nc\\x9bd\n", "assay: e\\x1b\n", "f\\x1b\n")
