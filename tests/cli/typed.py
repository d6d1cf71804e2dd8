"""The command line in this process."""

from typer.testing import CliRunner, Result

from inspectd.cli.app import app


def inspectd(*words: object) -> Result:
    """Run one command in this process; an exception that is no exit fails the test."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result
