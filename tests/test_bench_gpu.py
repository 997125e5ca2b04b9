"""The benchmark of GPUs runs to its bar on tiny networks, and says where it has measured nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "bench_gpu.py"
# No GPU is seen.
NONE = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--quick", *arguments]
    return subprocess.run(command, env=NONE, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_every_line_is_measured_on_tiny_networks() -> None:
    run = _run("--device", "cpu")
    _, head, _, *rows, bar = run.stdout.splitlines()
    assert head == "| network | method | Assay | captum | ratio | limit | peak |", run.stderr
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    names = {name for name, *_ in cells}
    assert names == {"tiny MiniLM", "tiny BERT base", "tiny decoder of 0.5 billion"}
    assert len(cells) == 9
    ratios, limits = [], []
    for _, method, ours, theirs, ratio, limit, peak in cells:
        own, other = (float(cell.replace(",", "")) for cell in (ours, theirs))
        assert own > 0 and other > 0 and abs(own / other / float(ratio) - 1) < 0.05
        assert float(peak.rstrip("%")) > 0
        assert (limit == "–") == (method == "integrated gradients")
        ratios.append(float(ratio))
        if limit != "–":
            limits.append(float(limit.rstrip("%")))
    found = re.match(r"bar: (met|missed); .* at least ([\d.]+) x captum's .* and (\d+)% of the raw", bar)
    assert found is not None, bar
    assert float(found[2]) == min(ratios) and float(found[3]) == min(limits)
    # Near the bar, rounded figures do not tell.
    if abs(min(ratios) - 1) > 0.01 and abs(min(limits) - 95) > 1:
        assert found[1] == ("met" if min(ratios) > 1 and min(limits) > 95 else "missed")
    assert run.returncode == (0 if found[1] == "met" else 1)


@pytest.mark.slow
def test_without_a_gpu_it_says_so_and_measures_nothing() -> None:
    run = _run()
    assert run.returncode == 1
    assert run.stdout.strip().startswith("bar: missed; no GPU was found, so nothing was measured;")
