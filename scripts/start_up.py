"""How long `import assay`, `assay --help` and `assay explain` on a stored model take.

    python scripts/start_up.py [--quick] [--rounds N]

Seconds of processes of their own, the interpreter's start included; the least of the rounds counts, because
other processes only ever add to it. `assay explain` explains one text by a model of the store with the
default explainer; counted is what it takes beyond a process that only imports torch and transformers, with
which it takes turns, so that both meet the same load. The bar: 0.30 s for the import, 0.35 s for the help,
1.0 s for the explanation. --quick: 3 rounds.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bar import Table, finish, options

COMMANDS = {
    "import assay": (["-c", "import assay"], 0.30),
    "assay --help": (["-m", "assay", "--help"], 0.35),
}
LIBRARIES = "import torch, transformers"
EXPLAIN_BAR = 1.0
OVERRIDES = ("task=planted", "task.train=200", "task.dev=40", "task.test=10", "model=cnn")
OVERRIDES += ("model.training.epochs=1",)


def seconds(arguments: list[str]) -> float:
    """Wall time of one process."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def explaining(rounds: int) -> tuple[float, float]:
    """The least seconds of `assay explain` on a stored model, and of importing torch and transformers."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        explain = ["-m", "assay", "explain", "one two three", *OVERRIDES, f"store={store}"]
        seconds(explain)  # trains the model
        taken = [(seconds(explain), seconds(["-c", LIBRARIES])) for _ in range(rounds)]
    explained, imported = map(min, zip(*taken, strict=True))
    return explained, imported


def main() -> None:
    chosen = options(__doc__, "3 rounds", rounds=(10, "processes of each command"))
    rounds = 3 if chosen.quick else chosen.rounds
    table, missed = Table("command", seconds=".3f", bar=".2f"), []
    for name, (arguments, bar) in COMMANDS.items():
        least = min(seconds(arguments) for _ in range(rounds))
        table.row(name, least, bar)
        missed += [name] if least > bar else []
    explained, imported = explaining(rounds)
    name = f"assay explain, beyond `{LIBRARIES}`"
    table.row(name, explained - imported, EXPLAIN_BAR)
    missed += [name] if explained - imported > EXPLAIN_BAR else []
    ratio = explained / imported
    print(f"\nassay explain: {explained:.2f} s in all, {ratio:.2f} times `{LIBRARIES}` ({imported:.2f} s)")
    finish(not missed, f"over the bar: {', '.join(missed) or 'none'}")


if __name__ == "__main__":
    main()
