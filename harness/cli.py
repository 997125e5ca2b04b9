"""The command line. Heavy imports wait until a command needs them, so that help answers at once."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from assay.harness.command_line import (
    auditing,
    claiming,
    comparing,
    completion,
    exchange,
    experiments,
    explaining,
    methods,
    plotting,
    recommending,
    stores,
    tables,
)
from assay.harness.command_line.command import Command
from assay.harness.command_line.terminal import InertFormatter, OnceHandler, inert_output, print_error
from assay.harness.trials.progress import report_on_sigusr1
from assay.harness.trials.termination import STATUS, Terminated, stopped_by_sigterm
from assay.tasks.errors import InputError

COMMANDS = (
    *experiments.COMMANDS,
    *recommending.COMMANDS,
    *explaining.COMMANDS,
    *comparing.COMMANDS,
    *claiming.COMMANDS,
    *auditing.COMMANDS,
    *plotting.COMMANDS,
    *tables.COMMANDS,
    *stores.COMMANDS,
    *exchange.COMMANDS,
    *methods.COMMANDS,
)

# The first command explains overrides, and the others say where.
EXPLAINS_OVERRIDES = "run"
ELSEWHERE = "Overrides, and names that stand for them, are explained by: assay run --help\n"
OVERRIDES = """\
Overrides are Hydra's: KEY=VALUE changes one value, GROUP=NAME chooses one of a group, GROUP=[A,B] several.

  NAME                     an experiment that was run in the store, with the overrides of its last run
  experiment=NAME          a ready-made experiment: quickstart, tweet_sentiment, or your own
  task=, model=            what is explained: planted, reviews, local ...; linear, cnn, lstm, minilm ...
  explainer=[...]          what is compared: saliency_l2, integrated_gradients, occlusion, lime ...
  baseline=[...]           what "absent" means to explainers: pad, mask, zero, delete
  baseline@removal=[...]   what "absent" means to metrics that take tokens away; each by each
  metric=[...]             what is measured
  seed=0,1,2               several values cross into several trials, for any key
  targets=predicted        explained classes: predicted, gold or all
  limits.default.test=100  how many texts are explained (null: all; per model: limits.cnn.test=500)
  store=FOLDER             where results are kept (assay-store)
  workers=2                so many jobs at once, each in a process of its own (null: as many as fit)
  hydra/launcher=NAME      where jobs run: in this process, or workstation, slurm, ray_local, ray_cluster

Run `assay choices` for every name a group offers.
"""


# Of help; descriptions are filled to it as well.
WIDTH = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 success, 1 something failed or is missing, 2 bad usage.

    A reader that stops early, such as `head`, ends the command without a message and with status 0.
    """
    try:
        with inert_output():
            status = _main(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Python flushes standard output once more at exit, into the void now.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _main(arguments: Sequence[str] | None) -> int:
    options = _parsed(arguments)
    handler = OnceHandler()
    handler.setFormatter(InertFormatter("assay: %(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for spoken in _once_handlers():
        spoken.forget()  # a command in this process speaks of its own warnings alone
    try:
        with stopped_by_sigterm(), report_on_sigusr1(lambda: f"{options.command}: starting"):
            return _act(options)
    except InputError as error:
        print_error(f"error: {error}")
        return 1
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        print_error(f"error: {str(error.filename)!r} cannot be opened or written ({error.strerror})")
        return 1
    except KeyboardInterrupt as stop:
        print_error("stopped; run the same command again to go on")
        return STATUS if isinstance(stop, Terminated) else 130
    finally:
        for spoken in _once_handlers():
            spoken.tell()


def _once_handlers() -> list[OnceHandler]:
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, OnceHandler)]


def _act(options: argparse.Namespace) -> int:
    if options.version:
        from importlib.metadata import version

        print(f"assay {version('assay')}")
        return 0
    if options.install_completion is not None:
        return completion.install(options.install_completion or None)
    if options.command is None:
        _parser().print_help()
        return 2
    return options.act(options)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    completion.answer(parser)
    options, rest = parser.parse_known_args(arguments)
    # argparse leaves over what stands behind an option: overrides may stand anywhere.
    if any(text.startswith("-") for text in rest) or (rest and not hasattr(options, "overrides")):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        options.overrides = [*options.overrides, *rest]
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="assay",
        description="Which explainer to trust for a text classifier, how far, and at what price.",
        epilog="Try it: assay run experiment=quickstart\nOf a command: assay COMMAND --help",
        formatter_class=partial(_Formatter, column=19),
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.add_argument(
        "--install-completion",
        metavar="SHELL",
        nargs="?",
        const="",
        help="let bash, zsh or fish complete commands, options and names, and exit (yours: SHELL)",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for command in COMMANDS:
        _add(commands, command)
    return parser


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """One line for each option or command that has room on it; epilogs as they are written."""

    def __init__(self, prog: str, column: int = 26) -> None:
        super().__init__(prog, max_help_position=column, width=WIDTH)


def _epilog(command: Command) -> str | None:
    if not command.overrides:
        return None
    return OVERRIDES if command.name == EXPLAINS_OVERRIDES else ELSEWHERE


def _add(commands: argparse._SubParsersAction[argparse.ArgumentParser], command: Command) -> None:
    summary, description = command.help()
    parser = commands.add_parser(
        command.name,
        help=summary,
        description=description,
        epilog=_epilog(command),
        formatter_class=_Formatter,
    )
    parser.set_defaults(act=command.act)
    if command.options is not None:
        command.options(parser)
    if command.overrides:
        words = parser.add_argument("overrides", nargs="*", metavar="OVERRIDE", help=command.overrides)
        words.completer = completion.overrides  # pyright: ignore[reportAttributeAccessIssue]
        parser.add_argument(
            "--config-dir",
            metavar="DIR",
            type=Path,
            help="a folder with groups of your own, laid out as conf/",
        )
