"""How commands speak: tables and progress for people, ``--json`` for programs."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from posegraph.files import json_text, write_json

if TYPE_CHECKING:
    from posegraph.engine.predict_source import Progress

STDOUT = "-"

json_option = click.option(
    "--json",
    "json_path",
    metavar="FILE",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Write the result as JSON; with '-' it alone goes to stdout.",
)
"""The option ``--json FILE`` of every command with a result; the command's parameter is ``json_path``."""


def emit_json(value: Any, json_path: str | None) -> None:
    """Write ``value`` where ``--json`` says (nowhere without it); NaN becomes null."""
    if json_path == STDOUT:
        click.echo(json_text(value))
    elif json_path is not None:
        write_json(json_path, value)


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    decimals: int = 1,
    json_path: str | None = None,
) -> None:
    """Print a table to stdout, or nothing when JSON takes stdout.

    Floats are given ``decimals``, NaN and None a dash; columns of numbers are flush right.
    """
    if json_path == STDOUT:
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD)
    for place, column in enumerate(columns):
        numeric = all(isinstance(row[place], (int, float, type(None))) for row in rows)
        table.add_column(Text(column), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value, decimals)) for value in row))
    # A pipe has no width; 80 columns would fold a table of many joints.
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _cell(value: object, decimals: int) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.{decimals}f}" if isinstance(value, float) else str(value)


def notice(message: str) -> None:
    """Tell the user something beside the result: one line on stderr."""
    click.echo(message, err=True)


def tell_error(message: str) -> None:
    """Tell the user what went wrong: one line on stderr."""
    # Whoever reads a log greps one line: file names and system messages may hold line breaks.
    click.secho("error: " + " ".join(message.split()), fg="red", err=True)


@contextmanager
def progress_bar(title: str, shown: bool = True) -> Iterator[Callable[[int, int], None]]:
    """Yield ``update(done, total)``; the bar is drawn on stderr and only on a terminal, unless not ``shown``."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    parts = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*parts, console=console, transient=True, disable=not (shown and console.is_terminal)) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class FramesBar:
    """A bar on stderr, on a terminal, over the frames of one video after the other; a context manager.

    The name, frames done and in all, frames a second, people in the last frame, and the time that is left. It is called
    with the progress; :meth:`hide` makes room for a line of text until the next call.
    """

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        parts = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]} frames/s"),
            TextColumn("{task.fields[people]} people"),
            TimeRemainingColumn(),
        )
        console = Console(stderr=True)
        self._bars = Bars(*parts, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bars.add_task("", total=None, speed="-", people=0)
        self._name: str | None = None

    def __enter__(self) -> FramesBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hide()

    def __call__(self, progress: Progress) -> None:
        """Show the progress."""
        if progress.name != self._name:
            self._name = progress.name
            self._bars.reset(self._task, description=progress.name, total=progress.num_frames)
        self._bars.start()
        found = self._bars.tasks[0].speed
        speed = "-" if found is None else f"{found:.1f}"
        self._bars.update(self._task, completed=progress.frames, speed=speed, people=progress.people)

    def hide(self) -> None:
        """Take the bar away."""
        self._bars.stop()
