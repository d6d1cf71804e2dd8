"""`inspectd check`: whatever is wrong with files, methods, machine and bundles, at once, save what rests on what is wrong."""

from pathlib import Path

from inspectd.cli import learning, options, screen
from inspectd.cli.machine import check_machine, running
from inspectd.cli.options import Places
from inspectd.errors import BadInput
from inspectd.station import load
from inspectd.station.schema import Config


def check(config: Path, state: Path | None, run_dir: Path | None) -> tuple[Config, Places]:
    """Return what was read and where the line's directories are; BadInput with every problem, warnings on the terminal.

    A damaged bundle is a problem, though the other stations could run. The line may be running: what it holds is none.
    """
    read = load.survey(config)
    problems = list(map(str, read.problems))
    try:
        where = options.places(config, state, run_dir)
    except BadInput:  # whose reason is among the problems
        told = "methods, bundles, state and run directory were not checked: name them with --run-dir DIR and --state DIR"
        raise BadInput("\n".join([*problems, told])) from None
    findings = check_machine(read.config, where.state, where.run_dir, running(where.run_dir))
    for warning in findings.missing + ([] if problems else findings.unused):
        screen.warn(warning)
    problems += [*map(str, learning.check(read.stations, where.state)), *map(str, findings.problems), *findings.damaged]
    if problems:
        raise BadInput("\n".join(problems))
    return read.config, where
