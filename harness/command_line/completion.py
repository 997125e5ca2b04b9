"""Completion by the shell of commands, options and overrides. A person waits: nothing heavy is imported."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from assay.harness.config.offered import offered
from assay.harness.config.search_path import search_path
from assay.tasks.errors import InputError, did_you_mean

# The groups whose names an override takes, and where each is set; the two kinds of baseline are one group.
GROUPS = {
    "experiment": "experiment",
    "task": "task",
    "model": "model",
    "explainer": "explainer",
    "baseline": "baseline",
    "baseline@removal": "baseline",
    "metric": "metric",
    "hydra/launcher": "hydra/launcher",
}
# Keys that most people set.
KEYS = ("seed", "targets", "limits.default.test", "store", "name")
# The variable in which a shell asks: each script of argcomplete's has it.
MARK = "_ARGCOMPLETE"


def answer(parser: argparse.ArgumentParser) -> None:
    """Where a shell asks what could come next, answer and exit; else do nothing."""
    if MARK in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser)


def overrides(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """The overrides that begin with the given text, each as far as it is certain.

    Args:
        prefix: what was typed: `ta`, `task=`, or `explainer=[saliency_l2,occ`.
        parsed_args: the options so far; --config-dir adds the names of its folder.

    Returns:
        Texts that replace the given one; one that ends in `=` goes on.

    Example:
        >>> overrides("task=planted_n", argparse.Namespace())
        ['task=planted_negation']
    """
    key, equals, typed = prefix.partition("=")
    if not equals:
        return [f"{name}=" for name in (*GROUPS, *KEYS) if name.startswith(prefix)]
    if key not in GROUPS:
        return []
    folder: Path | None = getattr(parsed_args, "config_dir", None)
    names = offered(GROUPS[key], [] if folder is None else [search_path(folder)])
    # In a list, what stands before the last comma stays.
    cut = max(typed.rfind(","), typed.rfind("[")) + 1
    kept, last = typed[:cut], typed[cut:]
    chosen = kept.strip("[").split(",")
    return [f"{key}={kept}{name}" for name in names if name.startswith(last) and name not in chosen]


def install(shell: str | None) -> int:
    """Write the script by which a shell completes `assay` to where that shell looks for it; returns the exit
    status.

    Args:
        shell: bash, zsh or fish; None: that of the environment variable SHELL.

    Raises:
        InputError: for any other shell, and if a file of somebody else stands there.
    """
    from argcomplete.shell_integration import shellcode

    places = dict(_places())
    name = shell or Path(os.environ.get("SHELL", "")).name
    if name not in places:
        raise InputError(
            f"there is no completion for the shell {name!r}; {did_you_mean(name, list(places))} "
            "(--install-completion SHELL)"
        )
    path, then = places[name]
    if path.exists() and MARK not in path.read_text(encoding="utf-8", errors="replace"):
        raise InputError(f"{str(path)!r} exists and is not Assay's; move it away, and install again")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(shellcode(["assay"], shell=name), encoding="utf-8")
    print(f"Written: {path}. {then}")
    return 0


def _places() -> Iterator[tuple[str, tuple[Path, str]]]:
    """Each shell, the file that it reads, and what a person does then."""
    home = Path.home()
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    bash = Path(os.environ.get("BASH_COMPLETION_USER_DIR") or data / "bash-completion")
    yield "bash", (bash / "completions" / "assay", "Open a new shell (with the package bash-completion).")
    yield (
        "zsh",
        (
            home / ".zfunc" / "_assay",
            "Put `fpath+=~/.zfunc; autoload -Uz compinit; compinit` into ~/.zshrc, and open a new shell.",
        ),
    )
    yield "fish", (config / "fish" / "completions" / "assay.fish", "Open a new shell.")
