"""What can be chosen, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files

from assay.harness.config.compose import offered


def choices() -> str:
    """Every group and the names it offers, with the first line of each file."""
    lines: list[str] = []
    for group in ("experiment", "task", "model", "explainer", "baseline", "metric"):
        lines += [f"{group}", *(f"  {name:28}{about}" for name, about in _offers(group)), ""]
    return "\n".join(lines).rstrip()


def _offers(group: str) -> Iterable[tuple[str, str]]:
    for name in offered(group):
        lines = files("assay.conf").joinpath(group, f"{name}.yaml").read_text(encoding="utf-8").splitlines()
        comments = (line[2:] for line in lines if line.startswith("# "))
        yield name, next((line for line in comments if not line.startswith("@package")), "")
