"""What commands put on the terminal: results on stdout, everything about the run itself on stderr."""

import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from inspectd import clock
from inspectd.errors import BadInput
from inspectd.text import printable

_ENDLESS = 1000  # columns, wider than any table
_LINE_EVERY_NS = 30_000 * clock.MS
_FOLDED = 60  # columns of reasons before they go on in a second line
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """One line of result."""
    out.print(_lines(text), markup=False)


def note(text: str) -> None:
    """One line on how the command goes on."""
    err.print(_lines(text), markup=False)


def warn(text: str) -> None:
    """One line that somebody should read, though the command goes on."""
    err.print(f"[yellow]warning:[/] {escape(_lines(text))}")


def fail(text: str) -> None:
    """Why a command ends without having done what was asked; one problem a line."""
    for line in text.split("\n"):
        err.print(f"[red]error:[/] {cell(line)}")


def cell(text: str) -> str:
    """Foreign text for a table: neither markup nor what steers a terminal."""
    return escape(printable(text))


def _lines(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))


def need_place(path: Path | None) -> None:
    """Stop before long work whose figures could not be written at its end; BadInput names the missing directory."""
    if path and not path.parent.is_dir():
        raise BadInput(f"{path}: cannot be written: {path.parent} is no directory; name another file")


def write_json(path: Path, figures: Any) -> None:
    """Write figures as indented JSON, `-` to stdout; BadInput if the file cannot be written."""
    text = msgspec.json.format(msgspec.json.encode(figures), indent=2).decode() + "\n"
    if str(path) == "-":
        sys.stdout.write(text)
        return
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file; BadInput if it cannot be."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {error.strerror}; name another file") from error


def grid(title: str, columns: Sequence[str], right: Collection[str] = (), folded: Collection[str] = ()) -> Table:
    """Start a plain table; the columns named in `right` hold figures, those in `folded` go on in a second line."""
    table = Table(title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in columns:
        justify: JustifyMethod = "right" if name in right else "left"
        table.add_column(name, justify=justify, overflow="fold", max_width=_FOLDED if name in folded else None)
    return table


def show(table: Table, aside: bool = False) -> None:
    """Print a table as wide as it is: a terminal that is too narrow breaks its lines, but no figure is cut off.

    With `aside` on stderr, since stdout belongs to something else.
    """
    needed = out.measure(table, options=out.options.update(width=_ENDLESS)).maximum
    Console(stderr=aside, highlight=False, soft_wrap=True, width=max(out.width, needed)).print(table)


class _Rate(ProgressColumn):
    """Parts per second of a stage."""

    def render(self, task: Task) -> Text:
        return Text(_speed(task))


def _speed(task: Task) -> str:
    speed = task.finished_speed or task.speed
    return f"{speed:.3g}/s" if speed else ""


class Bars:
    """Progress bars of a long command, one a stage, with rate and time left; on stderr.

    Where that is no terminal they are lines: one at the end of each stage, and of a long one every half minute.
    """

    def __init__(self) -> None:
        self._lines, self._told_ns = not err.is_terminal, 0
        self._bars = Progress(
            TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), _Rate(),
            TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.fields[aside]}", markup=False), console=err,
            disable=self._lines,
        )  # fmt: skip

    def stage(self, name: str, total: int) -> Callable[[int], None]:
        """Begin a stage of `total` equal parts; the stage before it is over."""
        self._finish()
        if not total:
            return lambda _done: None
        task, self._told_ns = self._bars.add_task(name, total=total, aside=""), clock.now_ns()
        return lambda done: self._advance(task, done)

    def _advance(self, task: TaskID, done: int) -> None:
        self._bars.advance(task, done)
        if self._lines and clock.now_ns() - self._told_ns > _LINE_EVERY_NS:
            self._told_ns = clock.now_ns()
            self._tell(self._bars.tasks[-1])

    def _tell(self, task: Task) -> None:
        left = "" if task.finished or task.time_remaining is None else f", about {task.time_remaining:.0f} s left"
        speed = f", {speed}" if (speed := _speed(task)) else ""
        aside = f", {aside}" if (aside := task.fields["aside"]) else ""
        note(
            f"{task.description} {task.completed:,.0f}/{task.total or 0:,.0f} in {task.elapsed or 0:.1f} s{speed}{left}{aside}"
        )

    def aside(self, text: str) -> None:
        """Say something beside the bar of the stage that is under way."""
        self._bars.update(self._bars.task_ids[-1], aside=text)

    def note(self, text: str) -> None:
        """Tell people something of what is to come, above the bars."""
        note(text)

    def leave(self) -> None:
        """Leave the stage that is under way as far as it is: it will not be finished."""
        task = self._bars.tasks[-1]
        self._bars.update(task.id, total=task.completed)

    def _finish(self) -> None:
        """Finish the stage that is under way, if there is one: those before it are."""
        for task in self._bars.tasks[-1:]:
            if not task.finished:
                self._bars.update(task.id, completed=task.total)
            if self._lines and task.visible:
                self._tell(task)
                self._bars.update(task.id, visible=False)  # told

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._finish()
        self._bars.stop()
