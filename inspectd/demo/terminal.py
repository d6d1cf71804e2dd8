"""What the demo shows: one line a part, and the figures at the end."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from calibration import metrics
from inspectd.demo.figures import VERDICTS, Lateness, confusion
from inspectd.demo.peer import Result
from inspectd.demo.tally import Check, Row, worded
from inspectd.station.schema import Station
from inspectd.text import printable

_COLOURS = dict(zip(VERDICTS, ("green", "red", "yellow"), strict=True))
_BAR, _MARK = 24, 16  # characters; the threshold stands at two thirds


class Terminal:
    """A console that knows parts, figures and the ledger."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, words: str, warn: bool = False) -> None:
        """Print one step."""
        self._line(Text.assemble(("» ", "bold red" if warn else "bold cyan"), printable(words)))

    def part(self, result: Result, number: int, of: int, threshold: float) -> None:
        """Print one part as the PLC peer reads it: id, score against threshold, verdict, latency."""
        verdict = "fail-safe: no verdict" if result.read.fail_safe else worded(result.read.verdict, result.reason)
        score = "no score" if result.score is None else f"{result.score:.3f} of {threshold:.3f}"
        self._line(
            Text.assemble(
                (f"{number:4d}/{of} ", "dim"), f"{printable(result.part_id):18} ",
                bar(result.score, threshold), f" {score:17} ",
                (f"{verdict:15}", f"bold {_COLOURS[result.read.verdict]}"), f" {result.latency_ms:4d} ms",
            )
        )  # fmt: skip

    def verdicts(self, rows: Sequence[Row]) -> None:
        """Print how the verdicts agree with the truth, and why parts are undecided."""
        table = Table(title=f"verdicts on {len(rows)} parts, against the truth", title_justify="left")
        table.add_column("")
        for verdict, colour in _COLOURS.items():
            table.add_column(verdict, justify="right", style=colour)
        for kind, counts in confusion(rows).items():
            if kind != "unknown" or any(counts.values()):
                table.add_row(kind, *map(str, counts.values()))
        self._console.print(table)
        reasons = [row.reason for row in rows if row.verdict == "UNDECIDED"]
        if reasons:
            self._line(f"UNDECIDED {len(reasons)} = {_sum({name: reasons.count(name) for name in sorted(set(reasons))})}")

    def accuracy(self, rows: Sequence[Row], threshold: float) -> None:
        """Print AUROC and F1 over the parts with a score; say why where there are none."""
        good, bad = [r for r in rows if r.defective is False], [r for r in rows if r.defective]
        scores, bad_scores = ([r.score for r in some if math.isfinite(r.score)] for some in (good, bad))
        for kind, parts, scored in (("good", good, scores), ("defective", bad, bad_scores)):
            if not scored:
                why = (
                    f"none of the {len(parts)} {kind} parts got a score in time" if parts else f"no {kind} part was on the line"
                )
                self._line(f"no AUROC and no F1: {why}")
                return
        f1, best = metrics.confusion(scores, bad_scores, threshold).f1, metrics.f1_optimal(scores, bad_scores).f1
        self._line(
            f"AUROC {metrics.image_auroc(scores, bad_scores):.4f}   F1 {f1:.4f} at the threshold {threshold:.4f} found on good "
            f"parts alone (best possible {best:.4f}), over the {len(scores) + len(bad_scores)} parts with a score in time"
        )

    def latencies(self, ms: Mapping[str, float], verdicts: int) -> None:
        """Print how long verdicts took."""
        self._line(f"from trigger to the PLC's read: {_times(ms)} ({verdicts} verdicts, UNDECIDED ones included)")

    def slow(self, found: Lateness, parts: int, station: Station, file: Path) -> None:
        """Say that the machine does not keep up, with figures, and what to do."""
        rate = station.camera.rate
        pace = "parts as fast as it takes them" if rate == "max" else f"{rate:g} parts/s"
        never = f"; {found.unanswered} of the late parts never got one" if found.unanswered else ""
        self.say(
            f"{found.late} of {parts} parts were late: this machine is too slow right now for {pace} with a deadline of "
            f"{station.deadline_ms:g} ms. From trigger to the worker's answer: {_times(found.answered_ms)}, in time is "
            f"{station.deadline_ms - station.delivery_ms:g} ms{never}. "
            f"Close what else runs here, or lower camera.rate or raise deadline_ms in {file}",
            warn=True,
        )

    def late_after_kills(self, found: Lateness, parts: int) -> None:
        """Say that parts were late, where kills explain it."""
        self.say(
            f"{found.late} of {parts} parts were late: a killed process needs seconds to return, and parts do not wait; "
            "without --chaos the demo tells whether the machine is fast enough"
        )

    def ledger(self, check: Check) -> None:
        """Print what each witness counted, so that it can be added up, and whether all of it agrees."""
        self._line(
            f"triggers: pictures offered (ingestd) {check.offered} = keys opened (dispatchd) {check.opened} "
            f"= journal rows (journald) {check.rows}"
        )
        self._line(f"what the line saw: {check.rows} = {_sum(check.outcomes)}")
        doubt = f" + {check.in_doubt} of the plc_down (read just before plcd was killed)" if check.in_doubt else ""
        self._line(
            f"what the PLC peer read: {check.verdicts_read} verdicts = delivered {check.outcomes.get('delivered', 0)}{doubt}; "
            f"{check.fail_safes_read} fail-safes in place of a verdict"
        )
        for fault in check.faults:
            self.say(fault, warn=True)
        self._line(Text("ledger closed", "bold green") if check.closes else Text("LEDGER DOES NOT CLOSE", "bold red"))

    def where(self, picture: Path, folder: Path) -> None:
        """Say where to go on."""
        self._line(f"contact sheet: {picture}")
        self._line(f"look at one part: inspectd show PART --config {folder / 'stations'} --state {folder / 'state'}")

    def _line(self, words: str | Text) -> None:
        self._console.print(words, highlight=False, markup=False, soft_wrap=True)


def bar(score: float | None, threshold: float) -> Text:
    """Draw the score as a bar, with the threshold as a mark at two thirds of it."""
    if score is None or not threshold > 0:
        return Text("·" * (_BAR + 1), "dim")
    full = min(_BAR, round(score / threshold * _MARK))
    cells = "█" * full + "·" * (_BAR - full)
    colour = "red" if score >= threshold else "green"
    return Text.assemble((cells[:_MARK], colour), ("│", "bold"), (cells[_MARK:], colour))


def _sum(counts: Mapping[str, int]) -> str:
    return " + ".join(f"{name} {count}" for name, count in counts.items())


def _times(ms: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.1f} ms" for name, value in ms.items())
