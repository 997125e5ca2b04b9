"""The file of finished simulations of coverage.py, which a later run goes on with."""

from __future__ import annotations

import ast
import csv
import hashlib
from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import NamedTuple, get_type_hints

from coverage_settings import Setting

from assay.tasks.errors import InputError

ROOT = Path(__file__).parents[1]
# What a result depends on: other code, other results. The rest of what these import decides no number.
SIMULATED = ROOT / "scripts" / "coverage_settings.py"
DECIDING = ("metrics", "results/statistics", "scripts")


class Chunk(NamedTuple):
    """Simulations `first` to `first + sims - 1` of one interval, or family, of a setting.

    table to worse: the setting. refused: in how many the comparison gives no interval, or calls nobody best.
    hits: how many of the others cover the truth, or tell apart explainers that do not differ.
    """

    table: str
    world: str
    shape: str
    n: int
    models: int
    worse: int
    name: str
    seed: int
    resamples: int
    first: int
    sims: int
    refused: int
    hits: int
    code: str

    @property
    def setting(self) -> Setting:
        """What was simulated."""
        return Setting(self.table, self.world, self.shape, self.n, self.models, self.worse)


def code(start: Path = SIMULATED, deciding: tuple[str, ...] = DECIDING) -> str:
    """A hash of the code that results depend on: what a script imports of the deciding folders."""
    paths = (path for path in simulated(start) if path.relative_to(ROOT).as_posix().startswith(deciding))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(paths))).hexdigest()[:12]


def simulated(start: Path = SIMULATED) -> set[Path]:
    """The files of code that a simulation runs: what is imported by its settings, and by these in turn."""
    found, left = set[Path](), [start]
    while left:
        path = left.pop()
        if path in found:
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.module:
                place = node.module.removeprefix("assay.").replace(".", "/")
                places = (place, f"scripts/{place}", *(f"{place}/{each.name}" for each in node.names))
                left += [ROOT / f"{each}.py" for each in places if (ROOT / f"{each}.py").exists()]
    return found


def read(path: Path) -> list[Chunk]:
    """The chunks of a file, none if there is no file. Half a line at the end, as a killed run leaves it,
    does not count. Raises InputError on any other line that is no chunk."""
    if not path.exists():
        return []
    found, kinds = [], get_type_hints(Chunk).values()
    # After the last line break stands nothing, or half a line.
    lines = path.read_text(encoding="utf-8").split("\n")[1:-1]
    for place, values in enumerate(csv.reader(lines), start=2):
        try:
            typed = [kind(value) for kind, value in zip(kinds, values, strict=True)]
        except ValueError as error:
            raise InputError(
                f"{path}, line {place}: {','.join(values)!r} is not {','.join(Chunk._fields)}; mend it, "
                "or name another file (--out)"
            ) from error
        found.append(Chunk(*typed))
    return found


def merged(chunks: Iterable[Chunk]) -> list[Chunk]:
    """One chunk for each interval. Raises InputError if simulations are missing or stand twice."""
    found: dict[tuple[object, ...], Chunk] = {}
    for chunk in chunks:
        key = (chunk.setting, chunk.name, chunk.seed, chunk.resamples, chunk.code)
        before = found.get(key, chunk._replace(first=0, sims=0, refused=0, hits=0))
        if chunk.first != before.sims:
            raise InputError(
                f"{chunk.setting.title}, {chunk.n} texts: after {before.sims} simulations comes number "
                f"{chunk.first}; one run at a time writes a file; name another one (--out)"
            )
        found[key] = before._replace(
            sims=before.sims + chunk.sims,
            refused=before.refused + chunk.refused,
            hits=before.hits + chunk.hits,
        )
    return list(found.values())


def write(path: Path, chunks: Iterable[Chunk]) -> None:
    """A new file with these chunks."""
    whole = path.with_suffix(".part")
    whole.write_text(lines([Chunk._fields, *chunks]), encoding="utf-8")
    whole.replace(path)


def append(path: Path, chunks: Iterable[Chunk]) -> None:
    """Add chunks at the end, in one piece."""
    with path.open("a", encoding="utf-8") as file:
        file.write(lines(chunks))


def lines(rows: Iterable[Iterable[object]]) -> str:
    """CSV, a line each."""
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
