"""How every figure looks: the Okabe-Ito colours with distinct markers, and the same bytes on every day."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import matplotlib
from matplotlib import rc_params_from_file
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis, YAxis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.typing import LineStyleType

from assay.results.figures.titles import place_titles
from assay.results.inert import inert

# Okabe and Ito's palette without yellow, which is too pale on white; DARK stands for its black.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
# After the solid line.
DASHES = (
    *((4, 2), (1, 1.5), (6, 2, 1, 2), (9, 3), (6, 2, 1, 2, 1, 2), (2, 4), (12, 2, 4, 2), (4, 1, 1, 1)),
    *((7, 1.5, 1.5, 1.5, 1.5, 1.5), (1, 4)),
)
DARK = "#222222"
GREY = "#767676"
BAND = "#DDDDDD"
# Higher levels of compression take several times as long for files a little smaller.
PNG_LEVEL = 3
# Of titles that nothing else stands above their panel with; matplotlib measures all tick labels otherwise.
TITLE_PLACE = 1.0
SETTINGS = rc_params_from_file(Path(__file__).with_name("assay.mplstyle"), use_default_template=False)


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """A finished figure.

    name: of its files. title: its heading. text: what it shows, for those who do not see it. pdf: only where
    matplotlib's `savefig.format` asks for it, because reports need none.
    """

    name: str
    title: str
    text: str
    svg: bytes
    png: bytes
    pdf: bytes = b""


def series_look(place: int) -> dict[str, Any]:
    """Colour, marker and filling of the line at a place among others.

    All differ up to 108 lines. Neighbours differ in colour and marker, and lines of one colour in marker and
    filling.
    """
    turn = place // len(COLOURS)
    colour = COLOURS[place % len(COLOURS)]
    # One marker further at every turn of the colours: colour and marker come together again after 54 lines.
    marker = MARKERS[(place + turn) % len(MARKERS)]
    return {"color": colour, "marker": marker, "markerfacecolor": "white" if turn % 2 else colour}


def dashes(place: int) -> LineStyleType:
    """The dashes of the line at a place, the first solid; no two are alike."""
    if place == 0:
        return "-"
    again, place = divmod(place - 1, len(DASHES))
    # One too many has the dashes of an earlier one, and three dots more for each time.
    return 0, (*DASHES[place], *(1.0, 2.0) * (3 * again))


@contextmanager
def style(name: str) -> Iterator[None]:
    """Figures made inside look as SETTINGS say; matplotlib's own settings are as before afterwards.

    The name keeps the element ids of two figures apart when both stand in one page.
    """
    settings: dict[Any, Any] = {**SETTINGS, "svg.hashsalt": f"assay-{name}"}
    with matplotlib.rc_context(settings):
        yield


def render(figure: Figure, name: str, title: str, text: str, resolution: int = 150) -> Drawing:
    """The figure as SVG and PNG, to be called inside `style(name)`; resolution in dots per inch."""
    svg, png = io.BytesIO(), io.BytesIO()
    # Straight to the canvas: `savefig` draws everything twice.
    figure.set_dpi(resolution)
    canvas = FigureCanvasAgg(figure)
    _place(figure)
    canvas.print_png(png, metadata={"Software": None}, pil_kwargs={"compress_level": PNG_LEVEL})
    FigureCanvasSVG(figure).print_svg(svg, metadata={"Date": None, "Creator": None})
    pdf = io.BytesIO()
    if matplotlib.rcParams["savefig.format"] == "pdf":
        # Slow to import for reports, which need none.
        from matplotlib.backends.backend_pdf import FigureCanvasPdf

        FigureCanvasPdf(figure).print_pdf(
            pdf, metadata=dict.fromkeys(("Creator", "Producer", "CreationDate"))
        )
    # XML holds no control characters.
    return Drawing(name, title, text, inert(svg.getvalue().decode()).encode(), png.getvalue(), pdf.getvalue())


def _place(figure: Figure) -> None:
    """Lay the figure out, and fit its titles; the layout, which takes most of the time, is kept."""
    engine = figure.get_layout_engine()
    place_titles(figure, lambda: None if engine is None else engine.execute(figure))
    figure.set_layout_engine("none")
    # Each time an axis is drawn, all its tick labels are measured for the place of its label.
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        if not axis.get_label_text():
            axis.set_label_coords(0, 0)
            _measure_no_labels(axis)


def _measure_no_labels(axis: Axis) -> None:
    """Leave out the tick labels of an axis where what is drawn last, its offset and the title, makes way for
    others only; each is measured four times otherwise."""
    alone = isinstance(axis, YAxis) or (isinstance(axis, XAxis) and axis.get_ticks_position() == "bottom")
    if alone and axis.axes.name == "rectilinear" and not axis.get_offset_text().get_text():
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            tick.label1.set_in_layout(False)


def panels(
    figure: Figure, count: int, across: int, *, sharex: bool = False, sharey: bool = False
) -> list[Axes]:
    """The first `count` axes of a grid with so many in a row; those that are left over are hidden."""
    down = math.ceil(count / across)
    axes = figure.subplots(down, across, squeeze=False, sharex=sharex, sharey=sharey).ravel().tolist()
    for unused in axes[count:]:
        unused.set_axis_off()
    return axes[:count]


def grid_lines(axes: Axes, axis: Literal["x", "y", "both"]) -> None:
    """Faint lines behind the data at the ticks of an axis."""
    axes.grid(axis=axis, color="#EEEEEE", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=2.5)
