"""How to read each table, in a paragraph; the words stand in `how_to_read.j2`."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.stability import ENOUGH, SUBSAMPLES


def how_to_read(table: str, bootstrap: Bootstrap | None = None) -> str:
    """The paragraph about a table ("comparison", "overall", ...), for a bootstrap or else for the default."""
    options = bootstrap or Bootstrap()
    numbers = {"level": f"{options.level:.0%}", "alpha": f"{options.alpha:.0%}"}
    numbers |= {"enough": f"{ENOUGH:.0%}", "subsamples": str(SUBSAMPLES)}
    return " ".join(getattr(_template().make_module(numbers), table)().split())


@cache
def _template() -> Template:
    loader = PackageLoader("assay.results.tables", "")
    return Environment(loader=loader, undefined=StrictUndefined).get_template("how_to_read.j2")
