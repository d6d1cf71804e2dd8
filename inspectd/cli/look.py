"""Commands that look at what was judged: replay, show."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from inspectd.cli import options, screen
from inspectd.cli.options import CONFIG
from inspectd.errors import BadInput
from inspectd.wire.messages import Verdict

_SHOWN = 50  # rows on the terminal unless asked for
_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
Since = Annotated[datetime | None, typer.Option("--since", formats=_FORMATS, help="Parts from this time (UTC) on.")]
Until = Annotated[datetime | None, typer.Option("--until", formats=_FORMATS, help="Parts before this time (UTC).")]
Csv = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write every column to FILE as CSV; - prints it.")]
Rows = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write every column to FILE as JSON; - prints it.")]


def replay(
    station: Annotated[str | None, typer.Option("--station", metavar="STATION", help="Parts of this station alone.")] = None,
    verdict: Annotated[Verdict | None, typer.Option("--verdict", help="Parts with this verdict alone.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", min=1, help="The newest N.  [default: 50 on the terminal, all in files]"),
    ] = None,
    csv: Csv = None,
    json: Rows = None,
    config: options.Config = CONFIG,
    state: options.State = None,
) -> None:
    """Show the journal as a table: one row a part, oldest first; works while the line runs and when it does not."""
    from inspectd.journal import table
    from inspectd.journal.reader import Reader

    reader = Reader(options.places(config, state, None).state)
    asked = partial(reader.parts, station, verdict, _utc_ns(since), _utc_ns(until))
    for path, form in ((csv, table.to_csv), (json, table.to_json)):
        if path:
            _write(path, form(asked(limit)))
    if not csv and not json:
        grid = screen.grid(
            "", [column.head for column in table.COLUMNS], right=[column.head for column in table.COLUMNS if column.is_right]
        )
        for part in asked(limit or _SHOWN):
            grid.add_row(*map(escape, table.cells(part)))
        screen.out.print(grid)


def show(
    part: Annotated[
        str, typer.Argument(metavar="PART", help="Id of the part, or its key station/run/seq.", show_default=False)
    ],
    png: Annotated[Path | None, typer.Option("--png", metavar="FILE", help="Write the page with picture and heat map.")] = None,
    config: options.Config = CONFIG,
    state: options.State = None,
) -> None:
    """Show one part: verdict, score, times, bundle, line outcome; as a page with picture and heat map in a PNG."""
    from inspectd.journal import page
    from inspectd.journal.reader import Reader

    text, drawn = page.render(Reader(options.places(config, state, None).state), part)
    screen.say(text.rstrip())
    if png:
        screen.write_bytes(png, drawn)
        screen.say(f"\npage: {png}")


def _write(path: Path, pieces: Iterable[str]) -> None:
    """Write piece by piece, since a year of parts is never held at once."""
    if str(path) == "-":
        sys.stdout.writelines(pieces)
        return
    try:
        with path.open("w", encoding="utf-8") as stream:
            stream.writelines(pieces)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {error.strerror}; name another file") from error


def _utc_ns(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.replace(tzinfo=UTC).timestamp()) * 1_000_000_000
