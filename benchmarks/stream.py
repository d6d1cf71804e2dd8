"""Time and memory of a calibration on many pictures: `python benchmarks/stream.py --pictures 5000`.

Makes grey pictures of 224 x 224 (flanges of `inspectd demo-parts`, each in another place, light and noise), calibrates a
station of default settings on them in a process of its own, and prints seconds by stage, what the calibration said it would
take, and the memory that it did take at most.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from calibration import build, grid
from calibration.job import Options
from inspectd import image
from inspectd.cli.choosing import as_yaml
from inspectd.demo import parts
from inspectd.station import load
from inspectd.station.state import StateDir

SIDE = 224
_DRAWN = 100  # flanges drawn; drawing one takes longer than all of a calibration's work on it


def make(folder: Path, count: int, seed: int) -> None:
    """Write pictures 000000.png …; no two are alike."""
    stock = [parts.good(np.random.default_rng([seed, i])) for i in range(min(count, _DRAWN))]
    folder.mkdir()
    for i in range(count):
        rng = np.random.default_rng([seed, 1, i])
        part = stock[int(rng.integers(len(stock)))]
        row, column = rng.integers(0, parts.SIDE - SIDE, 2)
        turned = np.rot90(part, int(rng.integers(4)))[row : row + SIDE, column : column + SIDE]
        seen = turned * rng.normal(1, 0.03) + rng.normal(0, 2, turned.shape)
        (folder / f"{i:06}.png").write_bytes(image.encode_png(np.clip(seen, 0, 255).astype(np.uint8)))


class Told:
    """A progress that prints what begins, and when."""

    def stage(self, name: str, total: int) -> Callable[[int], None]:
        """Begin a stage."""
        print(f"{time.strftime('%H:%M:%S')} {name} ({total:,})", flush=True)
        return lambda _done: None

    def note(self, text: str) -> None:
        """Print what the calibration says of what is to come."""
        print(text, flush=True)


def calibrate(work: Path, threads: int) -> None:
    """Calibrate; for a process of its own, whose peak is then that of the calibration."""
    config, state = load.load(work / "stations", cameras=False), StateDir(work / "state")
    result = build.calibrate(config, "flange", "default", work / "good", None, state, Options(threads=threads), Told())
    pictures = sum(1 for _ in (work / "good").iterdir())
    print(f"{'stage':<24}{'seconds':>9}{'ms a picture':>14}")
    for stage, seconds in result.timings.items():
        print(f"{stage:<24}{seconds:>9.1f}{1000 * seconds / pictures:>14.2f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"{pictures:,} pictures, {threads} threads, peak RSS {peak / 2**30:.2f} GiB, fingerprint {result.fingerprint}")


def main() -> None:
    """Make the pictures and calibrate on them."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--pictures", type=int, default=20_000)
    asked.add_argument("--threads", type=int, default=2)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--team", action="store_true", help="by the settings that --auto prefers, instead of the default")
    asked.add_argument("--dir", type=Path, help="where everything lies meanwhile (default: a temporary directory)")
    asked.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.work:
        calibrate(given.work, given.threads)
        return
    with tempfile.TemporaryDirectory(dir=given.dir) as name:
        work = Path(name)
        (work / "stations").mkdir()
        method = as_yaml(grid.together(grid.settings((SIDE, SIDE))[0] if given.team else (grid.DEFAULT,)))
        (work / "stations/flange.yaml").write_text(
            f"station: flange\ncamera: {{kind: folder, path: ../good}}\ndeadline_ms: 200\n{method}\n", encoding="utf-8"
        )
        start = time.monotonic()
        make(work / "good", given.pictures, given.seed)
        print(f"{given.pictures:,} pictures made in {time.monotonic() - start:.0f} s", flush=True)
        subprocess.run([sys.executable, __file__, "--work", name, "--threads", str(given.threads)], check=True)


if __name__ == "__main__":
    main()
