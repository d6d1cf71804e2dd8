"""Commands that look at judgements: evaluate, replay, show."""

import re
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
from inspectd.wire.enums import LineOutcome, Reason, Verdict

_SHOWN = 50  # rows on the terminal unless asked for
_VERDICTS = "PASS, FAIL or UNDECIDED"
_MAX_NS = 2**63 - 1  # the journal's integers end in the year 2262
OneStation = Annotated[str | None, option("--station", "STATION", "Parts of this station alone.")]
OneVerdict = Annotated[str | None, option("--verdict", "VERDICT", f"{_VERDICTS} alone.")]
_PATTERN = "* stands for anything"
OnePart = Annotated[str | None, option("--part", "PART", f"Parts of this id; {_PATTERN}.")]
OneLot = Annotated[str | None, option("--lot", "LOT", f"Parts of this lot; {_PATTERN}.")]
OneProduct = Annotated[str | None, option("--product", "NAME", f"Parts of this product; {_PATTERN}.")]
OneReason = Annotated[str | None, option("--reason", "REASON", "UNDECIDED for this reason, like late or no_frame.")]
OneOutcome = Annotated[str | None, option("--outcome", "OUTCOME", "What the line saw: delivered, late, plc_down, no_plc …")]
OneBundle = Annotated[str | None, option("--bundle", "FINGERPRINT", "Judged by this bundle; the first digits will do.")]
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
    product = options.product(options.station(loaded, station), product, store)
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
    part: OnePart = None,
    lot: OneLot = None,
    product: OneProduct = None,
    reason: OneReason = None,
    outcome: OneOutcome = None,
    bundle: OneBundle = None,
    limit: Limit = None,
    csv: Csv = None,
    json: Json = None,
    config: options.Config = CONFIG,
    state: options.State = None,
) -> None:
    """Show the journal as a table, one row a part.

    Oldest first; while the line runs and when it does not. Options that narrow it hold all together.
    """
    from inspectd.journal import table
    from inspectd.journal.reader import Reader

    reader = Reader(options.state_directory(config, state))
    if station is not None:
        _need_station(station, config, reader.stations())
    also = {
        "part_id": _pattern(part), "lot": _pattern(lot), "product": _pattern(product),
        "reason_name": _reason(reason), "outcome": _outcome(outcome), "fingerprint": _fingerprint(bundle),
    }  # fmt: skip
    times = _utc_ns("--since", since), _utc_ns("--until", until)
    asked = partial(reader.parts, station, _verdict(verdict), *times, also=also)
    for path, form in ((csv, table.to_csv), (json, table.to_json)):
        if path:
            _write(path, form(asked(limit=limit)))
    if not csv and not json:
        heads, right = [column.head for column in table.COLUMNS], [column.head for column in table.COLUMNS if column.is_right]
        grid = screen.grid("", heads, right, folded=["reason"])
        for row in asked(limit=limit or _SHOWN):
            grid.add_row(*map(screen.cell, table.cells(row)))
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
    from inspectd.cli import origin
    from inspectd.journal import page
    from inspectd.journal.reader import Reader

    store = options.state_directory(config, state)
    text, drawn = page.render(Reader(store), part, partial(origin.of, store))
    screen.say(text.rstrip())
    if png:
        screen.write_bytes(png, drawn)
        screen.say(f"\npage: {png}")


def audit(
    since: Since = None, until: Until = None, csv: Csv = None, config: options.Config = CONFIG, state: options.State = None
) -> None:
    """Show the commands that people gave: who, what, when, and what came of it.

    Activations, changes of product, triggers and stops, the refused ones too. Oldest first.
    """
    from inspectd.journal import table
    from inspectd.journal.reader import Reader

    first, end = _utc_ns("--since", since) or 0, _utc_ns("--until", until) or _MAX_NS
    found = [one for one in Reader(options.state_directory(config, state)).commands() if first <= one.utc_ns < end]
    if csv:
        _write(csv, table.commands_to_csv(found))
        return
    grid = screen.grid("", table.COMMAND_HEADS, folded=["answer"])
    for one in found:
        grid.add_row(*map(screen.cell, table.command_cells(one)))
    screen.show(grid)


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


def _reason(text: str | None) -> str | None:
    names = [reason.name.lower() for reason in Reason if reason]
    if text is not None and text.lower() not in names:
        raise BadInput(f"--reason: expected one of {', '.join(names)}, got {text}")
    return text and text.lower()


def _outcome(text: str | None) -> str | None:
    """Read what the line saw; the word in the brackets of a fail_safe will do."""
    names = {outcome.value.removeprefix("fail_safe(").removesuffix(")"): outcome.value for outcome in LineOutcome}
    if text is not None and text not in names and text not in names.values():
        raise BadInput(f"--outcome: expected one of {', '.join(names)}, got {text}")
    return text and names.get(text, text)


def _pattern(text: str | None) -> str | None:
    """Turn what was typed into a pattern of GLOB in which * alone means more than itself."""
    return text and re.sub(r"[\[?]", r"[\g<0>]", text)


def _fingerprint(text: str | None) -> str | None:
    if text is not None and not re.fullmatch("[0-9a-f]{4,16}", text):
        raise BadInput(f"--bundle: expected a fingerprint or at least its first 4 digits, got {text}")
    return text and f"{text}*"


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
