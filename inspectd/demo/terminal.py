"""What the demo shows: one line a part, and the figures at the end."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from calibration import metrics
from inspectd.demo.peer import Result
from inspectd.demo.tally import Check, Row, confusion

_COLOURS = {"PASS": "green", "FAIL": "red", "UNDECIDED": "yellow"}
_BAR = 24  # characters; the threshold stands at two thirds


class Terminal:
    """A console that knows parts, figures and the ledger."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def say(self, words: str, warn: bool = False) -> None:
        """Print one step."""
        self.console.print(f"[bold {'red' if warn else 'cyan'}]»[/] {escape(words)}", highlight=False)

    def part(self, result: Result, number: int, of: int) -> None:
        """Print one part as it passes: id, score against threshold, verdict, latency."""
        verdict = result.read.verdict + (" late" if result.read.late else "")
        score = f"{result.score:7.3f}" if result.score is not None else "      -"
        threshold = f"{result.threshold:.3f}" if result.threshold is not None else "-"
        self.console.print(
            f"[dim]{number:4d}/{of}[/] {escape(result.part_id):18} {bar(result.score, result.threshold)} "
            f"{score} [dim]of {threshold}[/]  [bold {_COLOURS[result.read.verdict]}]{verdict:10}[/] {result.latency_ms:4d} ms",
            highlight=False,
        )

    def summary(self, rows: Sequence[Row], truth: Mapping[str, bool], threshold: float, latencies: Mapping[str, float]) -> None:
        """Print confusion, AUROC, F1 and latencies."""
        counts = confusion(rows, truth)
        table = Table(title="verdicts against the truth", title_justify="left")
        table.add_column("")
        for verdict, colour in _COLOURS.items():
            table.add_column(verdict, justify="right", style=colour)
        for kind in ("good", "defective"):
            table.add_row(kind, *(str(counts[kind, verdict]) for verdict in _COLOURS))
        self.console.print(table)
        self._figures(rows, truth, threshold)
        times = ", ".join(f"{name} {ms:.1f} ms" for name, ms in latencies.items())
        self.console.print(f"from trigger to the PLC's read: {times}", highlight=False)

    def _figures(self, rows: Sequence[Row], truth: Mapping[str, bool], threshold: float) -> None:
        scores = {bad: [r.score for r in rows if math.isfinite(r.score) and truth[r.part_id] is bad] for bad in (False, True)}
        undecided = sum(row.verdict == "UNDECIDED" for row in rows) / max(1, len(rows))
        if not (scores[False] and scores[True]):
            self.console.print("AUROC and F1 need good and defective parts")
            return
        auroc = metrics.image_auroc(scores[False], scores[True])
        f1 = metrics.confusion(scores[False], scores[True], threshold).f1
        best = metrics.f1_optimal(scores[False], scores[True]).f1
        self.console.print(
            f"AUROC {auroc:.4f}   F1 {f1:.4f} at the threshold {threshold:.4f} found on good parts alone "
            f"(best possible {best:.4f})   UNDECIDED {undecided:.2%}",
            highlight=False,
        )

    def verdict(self, check: Check, picture: Path, folder: Path) -> None:
        """Print the counts of the four witnesses and whether the ledger closes."""
        self.console.print(
            f"pictures offered (ingestd) {check.offered} = keys opened (dispatchd) {check.opened} = journal rows (journald) "
            f"{check.rows} = results read (PLC peer) {check.read} + undelivered {check.undelivered}"
            + (f" - in doubt {check.in_doubt}" if check.in_doubt else ""),
            highlight=False,
        )
        for fault in check.faults:
            self.say(fault, warn=True)
        self.console.print("[bold green]ledger closed[/]" if check.closes else "[bold red]LEDGER DOES NOT CLOSE[/]")
        self.console.print(f"contact sheet: {picture}", highlight=False, soft_wrap=True)
        where = f"--config {folder / 'stations'} --state {folder / 'state'}"
        self.console.print(f"look at one part: inspectd show PART {where}", highlight=False, soft_wrap=True)


def bar(score: float | None, threshold: float | None) -> str:
    """Draw the score as a bar, with the threshold as a mark at two thirds of it."""
    if score is None or threshold is None or threshold <= 0:
        return "[dim]" + "·" * _BAR + "[/]"
    mark = _BAR * 2 // 3
    full = min(_BAR, round(score / threshold * mark))
    cells = ["█" if place < full else "·" for place in range(_BAR)]
    colour = "red" if score >= threshold else "green"
    return f"[{colour}]{''.join(cells[:mark])}[/][bold]│[/][{colour}]{''.join(cells[mark:])}[/]"
