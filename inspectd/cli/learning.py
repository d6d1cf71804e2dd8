"""Runs a calibration with progress bars; for the command, the demo and the benchmarks."""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from inspectd.cli import screen
from inspectd.errors import BadInput, MissingExtra, Problem
from inspectd.station import rules
from inspectd.station.document import Key
from inspectd.station.fields import Read
from inspectd.station.schema import Config, Method
from inspectd.station.state import Current, StateDir
from inspectd.text import share_of
from inspectd.vision import shelf

_WIDTH = 30  # of a figure's name
_WORST = 10  # pictures named on the terminal
_LISTED = {"missed": "bad, but passes", "rejected": "good, but rejected"}
_TOLD_IN_FILES = {"settings", "reasons", "by_seed", "spread", "curves"}

if TYPE_CHECKING:
    from calibration.build import CalibrationResult
    from calibration.findings import Rule
    from calibration.job import Options


def need_extra() -> None:
    """Stop before any work if what calibration needs is not installed; MissingExtra names the extra."""
    missing = [name for name in ("onnx", "matplotlib") if importlib.util.find_spec(name) is None]
    if missing:
        what = f"calibration needs {' and '.join(missing)}, of the extra `calibrate`"
        raise MissingExtra(f"{what}: pip install 'inspectd[cpu,calibrate]' (or [gpu,calibrate])")


@dataclass(frozen=True)
class _Described:
    """How a station's file says that parts are judged."""

    station: Read[Any]

    @property
    def methods(self) -> list[tuple[Key, Method]]:
        return list(rules.methods(self.station))

    def problem(self, key: Key, expected: str, got: str, hint: str = "") -> Problem:
        document = self.station.document
        return Problem(document.path, document.line(key), ".".join(key), expected, got, hint)


def check(stations: Sequence[Read[Any]], state: StateDir) -> list[Problem]:
    """Tell of settings that no calibration takes, as far as they could be read and no picture is needed to tell."""
    try:
        need_extra()
    except MissingExtra as error:
        screen.warn(f"method settings were not checked: {error}")
        return []
    from calibration import job

    return [problem for one in stations for problem in job.check(_Described(one), state.backbones)]


def calibrate(
    config: Config, station: str, product: str, good: Path, bad: Path | None, state: StateDir, asked: "Options | None" = None
) -> "CalibrationResult":
    """Write the next bundle of a station's product, showing how far it is; nothing is activated."""
    need_extra()
    from calibration import build, job

    asked = asked or job.Options(threads=config.line.workers.threads)
    with screen.Bars() as bars:
        return build.calibrate(config, station, product, good, bad, state, asked, bars)


def options(
    config: Config, rule: str | None, max_false_reject: str | None, holdout: str | None, drop: Sequence[str] = (),
    skip_bad: bool = False,
) -> "Options":  # fmt: skip
    """Turn what was typed into the options of a calibration; BadInput if a share is none."""
    from calibration.job import Options

    held = None if holdout is None else share_of(holdout)
    if held is not None and not 0.05 <= held <= 0.5:
        raise BadInput(f"--holdout: expected a share from 0.05 to 0.5, or from 5% to 50%, got {holdout}")
    threads, share = config.line.workers.threads, _share(max_false_reject)
    return Options(
        threads=threads, holdout=held, rule=cast("Rule | None", rule), max_false_reject=share, drop=drop, skip_bad=skip_bad
    )  # fmt: skip


def figures(result: "CalibrationResult") -> dict[str, Any]:
    """Return what a calibration found, for JSON."""
    return vars(result) | {"directory": str(result.directory), "report": str(result.report)}


def show(result: "CalibrationResult", state: StateDir, station: str, product: str) -> None:
    """Print what an engineer wants to know before the bundle judges parts: threshold, why, warnings, report."""
    for warning in result.warnings:
        screen.warn(warning)
    screen.say(f"bundle {result.number}, fingerprint {result.fingerprint}")
    if earlier := [n for n in shelf.same(state, station, product, result.fingerprint) if n != result.number]:
        screen.note(f"bundle {earlier[0]} has the same fingerprint: nothing that judges has changed since")
    screen.say(f"threshold {result.threshold:.4f} ({result.rule}): {result.how}")
    for sentence in result.summary:
        screen.say(sentence)
    screen.say("time: " + ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in result.timings.items()))
    screen.say(f"report: {result.report}")


def show_figures(figures: Mapping[str, Any], json: Path | None) -> None:
    """Print figures on labelled pictures, and why one could not be worked out; all of them to a file if asked."""
    if json:
        screen.write_json(json, figures)
    if str(json) == "-":
        return
    reasons = figures.get("reasons", {})
    shown = {name: value for name, value in figures.items() if name not in _TOLD_IN_FILES and name not in _LISTED}
    for name, value in shown.items():
        said = f"{value:.4f}" if isinstance(value, float) else value
        screen.say(f"{name:<{_WIDTH}}{said if value is not None else f'not known: {reasons.get(name)}'}")
    for name, what in _LISTED.items():
        _show_pictures(what, figures.get(name, []))


def _show_pictures(what: str, pictures: Sequence[Mapping[str, Any]]) -> None:
    for one in pictures[:_WORST]:
        screen.say(f"{what:<{_WIDTH}}{one['picture']}, score {one['score']:.4f}")
    if len(pictures) > _WORST:
        screen.say(f"{what:<{_WIDTH}}and {len(pictures) - _WORST} more: --json FILE names all")


def learn(config: Config, station: str, good: Path, state: StateDir) -> None:
    """Calibrate the first product of a station and make it the active one; for a daemon that does not run yet."""
    product = config.stations[station].products[0]
    result = calibrate(config, station, product, good, None, state)
    state.write_current(station, product, Current(result.number, result.fingerprint, result.threshold))


def _share(text: str | None) -> "float | Literal['best'] | None":
    if text is None or text == "best":
        return cast("Literal['best'] | None", text)
    share = share_of(text)
    if not 0 < share < 0.5:
        raise BadInput(f"--max-false-reject: expected a share between 0 and 0.5 or 0% and 50%, or best, got {text}")
    return share
