"""``posegraph``: the group of commands, and the one place where an error becomes a line and an exit status.

0: done. 2: a mistake that the user can cure, or an input or output that failed. 3 (``predict`` alone): done, but for
frames that could not be read. 130: stopped by Ctrl-C, and ``predict`` by a scheduler's signal, too.
"""

from __future__ import annotations

import logging
import sys
import time
import warnings
from importlib import import_module
from typing import NoReturn

import click

from posegraph import __version__
from posegraph.errors import PoseGraphError, SharedError

from .output import tell_error
from .status import FAULT, STOPPED

COMMANDS = {
    "demo": "posegraph_cli.demo:demo",
    "train": "posegraph_cli.train:train",
    "features": "posegraph_cli.features:features",
    "predict": "posegraph_cli.predict:predict",
    "eval": "posegraph_cli.evaluate:evaluate",
    "score": "posegraph_cli.score:score",
    "bench": "posegraph_cli.bench:bench",
    "export": "posegraph_cli.export:export",
    "config": "posegraph_cli.config:config",
    "skeleton": "posegraph_cli.skeleton:skeleton",
    "data": "posegraph_cli.data:data",
    "env": "posegraph_cli.env:env",
}
"""Command name -> where it lives. In the order of ``posegraph --help``."""


class LazyGroup(click.Group):
    """A group that imports a command's file when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="posegraph")
def posegraph() -> None:
    """Causal video human pose estimation on graphs."""


def main() -> NoReturn:
    """Run the command line and exit, with one of the statuses above."""
    _silence_libraries()
    try:
        status = posegraph.main(prog_name="posegraph", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        sys.exit(STOPPED)
    except SharedError as error:
        _fail_with_others(error)
    except PoseGraphError as error:
        _fail(str(error))
    except OSError as error:
        reason = error.strerror or str(error)
        _fail(f"{error.filename}: {reason}" if error.filename else reason)
    sys.exit(status or 0)


def _silence_libraries() -> None:
    """Keep to what concerns the user: the libraries' own deprecations, tips and device lists do not."""
    for message in (
        "`torch.jit.script` is deprecated",
        "Checkpoint directory .* exists and is not empty",
        "`isinstance\\(treespec, LeafSpec\\)` is deprecated",
        # Nobody changes the output of a stage in place.
        "FSDP2-wrapped module .* returned a view tensor",
        # Refused by posegraph itself.
        "You passed `Trainer\\(accelerator='cpu', precision='16-mixed'\\)`",
    ):
        warnings.filterwarnings("ignore", message=message)
    for speaker in ("pytorch_lightning.utilities.rank_zero", "lightning_fabric.utilities.distributed"):
        logging.getLogger(speaker).setLevel(logging.WARNING)


def _fail(message: str) -> NoReturn:
    tell_error(message)
    sys.exit(FAULT)


def _fail_with_others(error: SharedError) -> NoReturn:
    if error.told_here:
        _fail(str(error))
    # A launcher ends everybody when the first process ends: the one that tells why goes first.
    time.sleep(1)
    sys.exit(FAULT)


if __name__ == "__main__":
    main()
