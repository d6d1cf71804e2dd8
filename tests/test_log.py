"""Log lines as a service manager gets them."""

import json
import subprocess
import sys

_CRASH = """
from inspectd import log
log.configure("workerd")
bank = ["secret"] * 20_000
try:
    bank[len(bank)]
except IndexError:
    log.get("m").exception("process crashed")
"""


def test_a_crash_is_one_short_json_line_that_says_where_without_the_values_of_variables() -> None:
    said = subprocess.run(
        [sys.executable, "-c", f"def main():{_CRASH.replace(chr(10), chr(10) + '    ')}\nmain()"],
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = said.stderr.splitlines()
    told = json.loads(line)
    assert (told["event"], told["process"], told["exception"][0]["exc_type"]) == ("process crashed", "workerd", "IndexError")
    assert told["exception"][0]["frames"][-1]["name"] == "main"
    assert "secret" not in line
    assert len(line) < 4096
