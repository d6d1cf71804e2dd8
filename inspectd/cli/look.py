"""Commands that look at judgements: evaluate, replay, show."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from inspectd.cli import options, screen
from inspectd.cli.options import CONFIG, option
from inspectd.errors import BadInput, ConfigError
from inspectd.wire.messages import Verdict

_SHOWN = 50  # rows on the terminal unless asked for
_VERDICTS = "PASS, FAIL or UNDECIDED"
_MAX_NS = 2**63 - 1  # the journal's integers end in the year 2262
OneStation = Annotated[str | None, option("--station", "STATION", "Parts of this station alone.")]
OneVerdict = Annotated[str | None, option("--verdict", "VERDICT", f"{_VERDICTS} alone.")]
Since = Annotated[str | None, option("--since", "TIME", "From this UTC time on, like 2026-11-21T06:30.")]
Until = Annotated[str | None, option("--until", "TIME", "Before this UTC time.")]
Limit = Annotated[int | None, option("--limit", "N", f"The newest N. (default: {_SHOWN} on the terminal, all in files)", min=1)]
Csv = Annotated[Path | None, option("--csv", "FILE", "Write every column to FILE as CSV; - prints it.")]
Json = Annotated[Path | None, option("--json", "FILE", "Write every column to FILE as JSON; - prints it.")]
TestDirectory = Annotated[
    Path,
    typer.Argument(metavar="DIR", help="Folder with test/good and test/DEFECT.", show_default=False),
]
Bundle = Annotated[int | None, option("--bundle", "N", "Another bundle than the active one.", min=1)]
PartName = Annotated[
    str, typer.Argument(metavar="PART", help="Id of the part, or its key station/run/seq.", show_default=False)
]
Png = Annotated[Path | None, option("--png", "FILE", "Write the page, with picture and heat map.")]


def evaluate(
    station: options.StationName,
    directory: TestDirectory,
    json: options.Json = None,
    product: options.Product = None,
    bundle: Bundle = None,
    config: options.Config = CONFIG,
    state: options.State = None,
) -> None:
    """Judge labelled pictures: what is missed, what is rejected.

    By the station's active bundle, at its threshold. DIR holds test/good and one folder test/DEFECT for each kind of defect;
    with masks in ground_truth/DEFECT the heat maps are rated too.
    """
    from calibration import evaluate as figures_of
    from inspectd.cli import learning
    from inspectd.station.load import load
    from inspectd.vision.detector import Detector

    screen.need_place(json)
    loaded = load(config, cameras=False)
    store = options.places(config, state, None, loaded.line).state
    product = options.product(options.station(loaded, station), product)
    number = bundle or options.active_bundle(store, station, product)
    detector = Detector.open(store.bundle(station, product, number), threads=loaded.line.workers.threads)
    with screen.Bars() as bars:
        figures = figures_of.evaluate(detector, directory, bars)
    learning.show_figures(figures, json)


def replay(
    station: OneStation = None,
    verdict: OneVerdict = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    csv: Csv = None,
    json: Json = None,
    config: options.Config = CONFIG,
    state: options.State = None,
) -> None:
    """Show the journal as a table, one row a part.

    Oldest first; while the line runs and when it does not.
    """
    from inspectd.journal import table
    from inspectd.journal.reader import Reader

    reader = Reader(options.state_directory(config, state))
    if station is not None:
        _need_station(station, config, reader.stations())
    asked = partial(reader.parts, station, _verdict(verdict), _utc_ns("--since", since), _utc_ns("--until", until))
    for path, form in ((csv, table.to_csv), (json, table.to_json)):
        if path:
            _write(path, form(asked(limit)))
    if not csv and not json:
        heads, right = [column.head for column in table.COLUMNS], [column.head for column in table.COLUMNS if column.is_right]
        grid = screen.grid("", heads, right, folded=["reason"])
        for part in asked(limit or _SHOWN):
            grid.add_row(*map(screen.cell, table.cells(part)))
        screen.show(grid)


def show(
    part: PartName,
    png: Png = None,
    config: options.Config = CONFIG,
    state: options.State = None,
) -> None:
    """Show one part: verdict, score, times, bundle.

    With --png also as a page with picture and heat map.
    """
    from inspectd.journal import page
    from inspectd.journal.reader import Reader

    text, drawn = page.render(Reader(options.state_directory(config, state)), part)
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


def _need_station(station: str, config: Path, journalled: Iterable[str]) -> None:
    """Refuse a mistyped name; stations that were taken away still have their parts, new ones have none yet."""
    from inspectd.station.load import station_files

    try:
        files = station_files(config)
    except ConfigError:  # the journal can be read without its line's files
        files = []
    known = sorted({*journalled, *(path.stem for path in files)})
    if station not in known:
        raise BadInput(f"--station: expected one of {', '.join(known)}, got {station}")


def _verdict(text: str | None) -> Verdict | None:
    try:
        return None if text is None else Verdict(text.upper())
    except ValueError as error:
        raise BadInput(f"--verdict: expected {_VERDICTS}, got {text}") from error


def _utc_ns(option: str, text: str | None) -> int | None:
    """Read a time as people write it, or as `replay` shows it; UTC unless it says otherwise."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        since_1970 = moment.replace(tzinfo=moment.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    except ValueError as error:
        raise BadInput(f"{option}: expected a UTC time like 2026-11-21 or 2026-11-21T06:30, got {text}") from error
    return max(-_MAX_NS, min(_MAX_NS, since_1970 // timedelta(microseconds=1) * 1_000))
