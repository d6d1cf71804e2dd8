"""Ctrl-C is one line and exit code 130, also before a command has begun."""

import subprocess
import sys

import pytest

BODIES = {
    "in Python": "os.kill(os.getpid(), signal.SIGINT)",
    "by SIGTERM": "os.kill(os.getpid(), signal.SIGTERM)",
    "in a C extension": """
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        raise ImportError("cannot load module") from None""",
}
FINDER = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            BODY
sys.meta_path.insert(0, Finder())
from inspectd.cli import main
main()
"""


def run(body: str) -> subprocess.CompletedProcess[str]:
    """Run the entry point; while typer is looked for, something happens."""
    script = FINDER.replace("BODY", body.replace("\n", "\n        "))
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_ctrl_c_while_modules_load_is_one_line_and_130(body: str) -> None:
    done = run(body)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_ctrl_c_after_the_end_does_not_change_how_it_ended() -> None:
    """The last libraries are still being taken down; what was asked for is done."""
    script = "import atexit, os, sys; atexit.register(os.kill, os.getpid(), 2); sys.argv[1:] = ['--version']\n"
    script += "from inspectd.cli import main\nmain()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_module_that_is_missing_is_not_taken_for_ctrl_c() -> None:
    """Nobody pressed it: the error is told whole."""
    done = run('raise ImportError("no module of that name")')
    assert done.returncode == 1
    assert "ImportError: no module of that name" in done.stderr
