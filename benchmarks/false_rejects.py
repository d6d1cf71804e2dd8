"""Does `--max-false-reject` keep its promise on parts that no calibration saw? Random splits of good pictures.

python benchmarks/false_rejects.py --good DIR [--good DIR …] --json FILE     pictures of good parts
python benchmarks/false_rejects.py --elpv mono --json FILE                   ELPV's cells of defect probability 0

Each split takes a share of the pictures, calibrates with them as `inspectd calibrate` does (cross-fit, 5 folds), and counts
how many of the others are rejected. Patch vectors are computed once. Whether cross-fitting is biased is shown beside: the
share of fresh parts, scored by the bank of all calibration pictures, above quantiles of the cross-fitted scores.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from calibration import ensemble, fitting, pictures, threshold
from calibration.bench import learnt
from calibration.ensemble import Pupil
from calibration.features import DRAWN, F32, Extractor, Features, Indices
from calibration.pictures import Sample
from calibration.progress import Silent
from inspectd import image
from inspectd.station.schema import Method
from inspectd.vision import neighbours

FOLDS, MEMORY = 5, 8 << 30
METHODS = {
    "default": Method(),
    "lite0": Method(backbone="lite0", layers=(4, 10), input_px=224, score="smoothed_max", sigma=1.0),
}
QUANTILES = (0.5, 0.9, 0.98)  # of the cross-fitted scores, above which fresh parts are counted
Figures = dict[str, float]


class Chosen(Features):
    """Some pictures out of those whose features are known, as a calibration with them alone would have them."""

    streamed = False

    def __init__(self, everything: Features, chosen: Indices) -> None:
        self.extractor, self.samples = everything.extractor, [everything.samples[i] for i in chosen]
        self._everything, self._chosen = everything, chosen
        self.streamed = everything.streamed

    def vectors(self, indices: Indices) -> F32:
        """Patch vectors [B,h,w,d] of some of the chosen."""
        return self._everything.vectors(self._chosen[indices])

    def patches(self, members: Indices) -> F32:
        """Patch vectors [n,d] of some of the chosen, a copy."""
        return self._everything.patches(self._chosen[members])

    def drawn(self, members: Indices) -> F32:
        """Reservoir [n,d] of some of the chosen."""
        return self._everything.drawn(self._chosen[members])

    def standard(self, members: Indices) -> tuple[F32, F32]:
        """Mean and scale [d] of some of the chosen."""
        return self._everything.standard(self._chosen[members])


def one_split(method: Method, features: Features, rate: float, share: float, seed: int) -> Figures:
    """Calibrate with a share of the pictures; count the rejects among the others."""
    order = np.random.default_rng(seed).permutation(len(features.samples))
    count = round(share * len(order))
    known, fresh = order[:count], order[count:]
    groups = [features.samples[i].group for i in known]
    split = threshold.split(groups, FOLDS, None, seed)
    found = ensemble.learn([Pupil(method, features.extractor, Chosen(features, known))], split, seed, Silent())
    scores = fitting.score(
        found.panel.judges[0], features.vectors, fresh, features.extractor.threads, lambda _done: None
    ).scores
    crossed = found.good.scores
    value = threshold.max_false_reject(crossed, groups, rate, exact=False).value
    above = {f"fresh_above_q{q:g}": float(np.mean(scores > np.quantile(crossed, q))) for q in QUANTILES}
    rejects = int((scores >= value).sum())
    lower = float(np.median(crossed) / np.median(scores) - 1)
    return {
        "known": count,
        "fresh": len(fresh),
        "rejects": rejects,
        "rate": rejects / len(fresh),
        "crossed_higher_by": lower,
        **above,
    }


def limit(fresh: int, rate: float, quantile: float = 0.975) -> int:
    """Smallest k with P(Bin(fresh, rate) <= k) >= quantile: the rejects that chance explains."""
    return next(k for k in range(fresh + 1) if 1 - _at_least(fresh, rate, k + 1) >= quantile)


def _at_least(n: int, rate: float, k: int) -> float:
    return 1 - sum(threshold._binomial(n, i, rate) for i in range(k))  # noqa: SLF001 (the same arithmetic, not a copy)


def summary(splits: list[Figures], rate: float) -> dict[str, float]:
    """Mean rate, and in how many splits the rejects were no more than chance explains."""
    names = ("rate", "crossed_higher_by", *(f"fresh_above_q{q:g}" for q in QUANTILES))
    means = {f"mean_{name}": float(np.mean([one[name] for one in splits])) for name in names}
    kept = sum(one["rejects"] <= limit(int(one["fresh"]), rate) for one in splits)
    return {**means, "worst_rate": max(one["rate"] for one in splits), "splits_within_limit": kept, "splits": len(splits)}


def elpv(kind: str, folder: Path, defect_probability: int = 0) -> Path:
    """Write ELPV's cells of a kind, mono or poly, into a folder: the good ones, or (1) the defective ones."""
    from elpv_dataset.utils import load_dataset  # noqa: PLC0415 (an extra)

    cells, probability, kinds = load_dataset()
    for index in np.flatnonzero((np.asarray(kinds) == kind) & (probability == defect_probability)):
        (folder / f"cell-{index:04d}.png").write_bytes(image.encode_png(cells[index]))
    return folder


def read(folders: list[Path]) -> list[Sample]:
    """Read and check the pictures of all folders."""
    files = [path for folder in folders for path in image.pictures_in(folder)]
    samples, problems = pictures.read(files, "good", None, lambda _done: None)
    if problems:
        raise SystemExit("\n".join(map(str, problems)))
    return samples


def see(method: Method, samples: list[Sample], share: float, threads: int) -> Features:
    """Compute every picture's features once, with as many drawn of each as a calibration with a share of them draws."""
    extractor: Extractor = learnt.extractor(method, learnt.Machine(Path(), threads))
    return Features(extractor, samples, 0, lambda _done: None, MEMORY, round(DRAWN / share))


def main() -> None:
    """Read the command line, run, print, and write JSON."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--good", type=Path, action="append", default=[])
    asked.add_argument("--elpv", choices=["mono", "poly"])
    asked.add_argument("--method", choices=list(METHODS), default="default")
    asked.add_argument("--rate", type=float, default=0.02)
    asked.add_argument("--share", type=float, default=0.8)
    asked.add_argument("--splits", type=int, default=20)
    asked.add_argument("--threads", type=int, default=2)
    asked.add_argument("--json", type=Path, required=True)
    options = asked.parse_args()
    neighbours.use_threads(1)
    method, splits = METHODS[options.method], []
    with tempfile.TemporaryDirectory() as folder:
        folders = [elpv(options.elpv, Path(folder))] if options.elpv else options.good
        features = see(method, read(folders), options.share, options.threads)
        for seed in range(options.splits):
            splits.append(one_split(method, features, options.rate, options.share, seed))
            print(f"split {seed}: {splits[-1]}", flush=True)
    found = summary(splits, options.rate)
    options.json.write_text(json.dumps({"summary": found, "by_split": splits}, indent=1), encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
