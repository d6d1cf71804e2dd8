"""Commands about the running line: run, status, trigger, stop."""

import typer

from inspectd.cli import options, screen
from inspectd.cli.options import CONFIG


def run(config: options.Config = CONFIG, state: options.State = None, run_dir: options.RunDir = None) -> None:
    """Run the line until Ctrl-C or SIGTERM.

    Starts what belongs to it: cameras, workers, PLC connections, journal. It stops in order: no part is left without a verdict.
    """
    from inspectd.supervisor import supervise

    loaded, where = options.ready(config, state, run_dir)
    raise typer.Exit(supervise.run(loaded, where.state.root, where.run_dir))


def status(
    config: options.Config = CONFIG, state: options.State = None, run_dir: options.RunDir = None, json: options.Json = None
) -> None:
    """Show whether the running line is well, and its counts.

    Health with the reasons, processes, verdicts, what the PLC was shown, channels.
    """
    import msgspec

    from inspectd.cli import status_page
    from inspectd.cli.activation import command
    from inspectd.supervisor.status import Status

    reply = command(options.run_directory(config, state, run_dir), "status", {})
    figures = msgspec.json.decode(reply.data, type=Status)
    if json:
        screen.write_json(json, figures)
    if str(json) != "-":
        status_page.show(figures)


def trigger(
    station: options.StationName, config: options.Config = CONFIG, state: options.State = None, run_dir: options.RunDir = None
) -> None:
    """Take one picture at a station now, as if a part had come."""
    from inspectd.cli.activation import command

    reply = command(options.run_directory(config, state, run_dir), "trigger", {"station": station})
    screen.say(reply.text or f"station {station}: triggered")


def stop(config: options.Config = CONFIG, state: options.State = None, run_dir: options.RunDir = None) -> None:
    """Stop the running line in order.

    Intake first, then the parts in flight, the journal last.
    """
    from inspectd.cli.activation import command

    screen.say(command(options.run_directory(config, state, run_dir), "stop", {}).text or "stopping")
