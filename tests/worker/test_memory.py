"""A worker's memory."""

import subprocess
import sys

ROUNDS = """
import resource, sys
import numpy as np
from inspectd.worker import memory
if sys.argv[1] == "keep":
    memory.keep_freed()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def batch():
    return [np.ones(250_000, np.float32) for _ in range(20)]
for _ in range(3):
    batch()
before = faults()
for _ in range(10):
    batch()
print(faults() - before)
"""


def test_what_a_batch_freed_serves_the_next_one_without_asking_the_kernel() -> None:
    def faults(how: str) -> int:
        done = subprocess.run([sys.executable, "-c", ROUNDS, how], capture_output=True, text=True, check=True, timeout=60)
        return int(done.stdout)

    assert faults("keep") < 50 < faults("as glibc does it")
