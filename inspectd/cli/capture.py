"""The command that collects pictures to calibrate with."""

import shlex
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from inspectd import clock
from inspectd.capture.flaw import Flaw
from inspectd.cli import options, screen
from inspectd.cli.options import CONFIG, option
from inspectd.errors import BadInput, InspectdError, Interrupted
from inspectd.station.schema import Config, Station
from inspectd.station.state import StateDir

if TYPE_CHECKING:
    from inspectd.capture.collect import Capture, Tally
    from inspectd.capture.source import Own, Tap

_NAMED = 10  # refused pictures of each flaw that are named; the others are counted

Count = Annotated[int, option("--count", "N", "Pictures to keep: 150 or more promise at most 2 % false rejects.", min=1)]
Into = Annotated[
    Path | None, option("--into", "DIR", "Folder for them. (default: captured/STATION/PRODUCT in the state directory)")
]
Allow = Annotated[
    list[Flaw] | None,
    option("--allow", "FLAW", "Keep what is black, saturated, blurred or duplicate; may be given several times."),
]

Wait = Annotated[float, option("--wait", "S", "Give up when no picture was kept for so many seconds.", min=0.1)]


class _Shown:
    """Shows how far a capture is: a bar with what was refused beside it, and the first refused pictures by name."""

    def __init__(self, bars: screen.Bars, count: int) -> None:
        self._bars = bars
        self._advance = bars.stage("pictures kept", count)

    def kept(self, tally: "Tally") -> None:
        """Go on by one."""
        self._bars.aside(str(tally))
        self._advance(1)

    def refused(self, name: str, flaw: str, why: str, tally: "Tally") -> None:
        """Name it, unless many were named."""
        self._bars.aside(str(tally))
        if tally.refused[flaw] <= _NAMED:
            more = "; any more are only counted" if tally.refused[flaw] == _NAMED else ""
            screen.note(f"{flaw}: {name}: {why}{more}")

    def note(self, text: str) -> None:
        """Warn above the bar."""
        screen.warn(text)


def capture(
    station: options.StationName,
    count: Count,
    into: Into = None,
    product: options.Product = None,
    allow: Allow = None,
    wait: Wait = 120,
    json: options.Json = None,
    config: options.Config = CONFIG,
    state: options.State = None,
    run_dir: options.RunDir = None,
) -> None:
    """Collect pictures of good parts from the station's own camera, to calibrate with.

    While the line runs they are copies of what it judges, and no part is taken out of inspection; else the camera itself is
    opened. What is kept is the roi, as it is judged. Black, saturated, blurred and duplicate pictures are refused.
    """
    from inspectd.capture.source import open_source
    from inspectd.station.load import load

    screen.need_place(json)
    loaded = load(config, cameras=False)
    where = options.places(config, state, run_dir, loaded.line)
    settings = options.station(loaded, station)
    options.product(settings, product, where.state)
    source = open_source(loaded, station, where.run_dir)
    try:
        made = _product(settings, product, source, where.state)
        folder = into.absolute() if into else where.state.captured(station, made)
        figures, ended = _run(loaded, settings, source, folder, count, allow or (), wait)
    finally:
        source.close()
    figures["command"] = _command(station, folder, made, config, state)
    _show(figures)
    if json:
        screen.write_json(json, figures)
    if ended:
        raise ended


def _product(settings: Station, asked: str | None, source: "Tap | Own", state: StateDir) -> str:
    """Return the product of the pictures: a line's active one; BadInput if another one was asked for."""
    active = source.product or asked
    if asked and active != asked:
        change = f"`inspectd product {settings.station} {asked}` changes over"
        raise BadInput(f"station {settings.station}: --product: the line runs product {active}, got {asked}; {change}")
    return options.product(settings, active, state)


def _run(
    loaded: Config, settings: Station, source: "Tap | Own", folder: Path, count: int, allow: Collection[Flaw], wait_s: float
) -> tuple[dict[str, Any], InspectdError | None]:
    """Collect until there are enough or something ends it; return the figures, and what ended it before."""
    from inspectd import image
    from inspectd.capture.album import Album
    from inspectd.capture.collect import Capture, mask_of
    from inspectd.capture.quality import Judge

    ended: InspectdError | None = None
    judge, mask = Judge(allow), mask_of(loaded, settings.station)
    with Album(folder, settings.group_by) as album, screen.Bars() as bars:
        there = image.pictures_in(folder)
        advance = bars.stage("pictures there already", len(there))
        run = Capture(settings.station, album, judge, mask)
        for path in there:
            run.know(path)
            advance(1)
        start = clock.now_ns()
        try:
            run.collect(source, count, _Shown(bars, count), wait_s)
        except KeyboardInterrupt:
            ended = Interrupted(f"stopped; {run.tally.kept} pictures are kept")
        except InspectdError as error:
            ended = error
        if ended:
            bars.leave()
        seconds = (clock.now_ns() - start) / 1e9
    return _figures(run, folder, len(there), seconds) | {"doubtful": judge.doubtful()}, ended


def _figures(run: "Capture", folder: Path, there: int, seconds: float) -> dict[str, Any]:
    tally = run.tally
    return {
        "folder": str(folder),
        "kept": tally.kept,
        "there_before": there,
        "refused": dict(tally.refused),
        "lost": tally.lost,
        "seconds": round(seconds, 3),
        "per_s": round(tally.kept / seconds, 3) if seconds else 0.0,
        "tally": str(tally),
    }


def _show(figures: dict[str, Any]) -> None:
    """Print what there is now, what should be looked at, and the command that comes next."""
    before = f", beside {figures['there_before']} that were there" if figures["there_before"] else ""
    screen.say(f"{figures['kept']} pictures kept in {figures['folder']}{before}, {figures['per_s']:.3g}/s")
    if figures["tally"]:
        screen.say(figures["tally"])
    if figures["lost"]:
        screen.warn(f"{figures['lost']} pictures came faster than they could be kept; the line judged them all the same")
    if figures["doubtful"]:
        screen.warn(f"blurred beside the others, look at them: {', '.join(figures['doubtful'])}")
    if figures["kept"] or figures["there_before"]:
        screen.say(f"look through them for defects, then: {figures['command']}")


def _command(station: str, folder: Path, product: str, config: Path, state: Path | None) -> str:
    """Return the calibration of what was captured, as it can be typed."""
    words = ["inspectd", "calibrate", station, "--good", str(folder)]
    words += [] if product == "default" else ["--product", product]
    words += [] if config == CONFIG else ["--config", str(config)]
    words += ["--state", str(state)] if state else []
    return shlex.join(words)
