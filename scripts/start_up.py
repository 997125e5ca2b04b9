"""How long `import assay` and `assay --help` take.

    python scripts/start_up.py [--quick] [--rounds N]

Seconds of processes of their own, the interpreter's start included; the least of the rounds counts, because
other processes only ever add to it. The bar: 0.30 s for the import, 0.35 s for the help. --quick: 3 rounds.
"""

from __future__ import annotations

import subprocess
import sys
import time

from bar import Table, finish, options

COMMANDS = {
    "import assay": (["-c", "import assay"], 0.30),
    "assay --help": (["-m", "assay", "--help"], 0.35),
}


def seconds(arguments: list[str]) -> float:
    """Wall time of one process."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def main() -> None:
    chosen = options(__doc__, "3 rounds", rounds=(10, "processes of each command"))
    table, missed = Table("command", seconds=".3f", bar=".2f"), []
    for name, (arguments, bar) in COMMANDS.items():
        least = min(seconds(arguments) for _ in range(3 if chosen.quick else chosen.rounds))
        table.row(name, least, bar)
        missed += [name] if least > bar else []
    finish(not missed, f"over the bar: {', '.join(missed) or 'none'}")


if __name__ == "__main__":
    main()
