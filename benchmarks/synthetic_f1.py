"""How well do figures of painted defects foretell those of real ones? Several settings on one data set.

python benchmarks/synthetic_f1.py --data DIR --json FILE       DIR as MVTec AD is laid out
python benchmarks/synthetic_f1.py --elpv mono --json FILE      ELPV, defect probability 0 against 1

At most 500 good pictures are drawn: four tenths are learnt, three give the threshold and the pictures on which defects are
painted, three are tested with the real defects. Nothing of a real defect is known to what is compared with it. F1 depends on
how many parts of each kind there are, so as many real defects are drawn as were painted.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from false_rejects import elpv, read

from calibration import metrics, synthetic, threshold
from calibration.bench import learnt
from calibration.ensemble import Panel
from calibration.features import batches
from calibration.findings import Floats
from calibration.pictures import Sample
from calibration.progress import Silent
from inspectd import image
from inspectd.station.schema import Method
from inspectd.vision import neighbours

SETTINGS = {
    "default": Method(),
    "lite0 4+10 at 224": Method(backbone="lite0", layers=(4, 10), input_px=224, score="smoothed_max", sigma=1.0),
    "lite2 19 at 448": Method(backbone="lite2", layers=(19,), input_px=448, score="smoothed_max", sigma=1.0),
    "lite0 4+10 at 448": Method(backbone="lite0", layers=(4, 10), input_px=448, score="smoothed_max", sigma=1.0),
}
MOST = 500  # good pictures
Figures = dict[str, float]


def measure(method: Method, good: list[Sample], bad: list[Sample], seed: int, threads: int) -> Figures:
    """Learn, set the threshold, and compare painted with real defects."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(good))[:MOST]
    learn, held, test = ([good[i] for i in part] for part in np.split(order, [len(order) * 4 // 10, len(order) * 7 // 10]))
    panel = learnt.learn(method, learn, seed, learnt.Machine(Path(), threads), Silent()).panel
    at = threshold.max_false_reject(scores(panel, held), [sample.group for sample in held], "best", exact=True).value
    trial = synthetic.try_out(panel, held, seed, Silent())
    count = min(len(bad), trial.scores.size)
    real = scores(panel, [bad[i] for i in rng.permutation(len(bad))[:count]])
    tested, found = scores(panel, test), {"synthetic": rng.permutation(trial.scores.ravel())[:count], "real": real}
    told: Figures = {"good_rejected": float((tested >= at).mean()), "smallest_px": synthetic.smallest_found(trial, at) or 0}
    for name, defective in found.items():
        told[f"{name}_f1"] = metrics.confusion(tested, defective, at).f1
        told[f"{name}_recall"] = float((defective >= at).mean())
        told[f"{name}_auroc"] = metrics.image_auroc(tested, defective)
    return told


def scores(panel: Panel, samples: list[Sample]) -> Floats:
    """Score pictures, a batch at a time."""
    found = [panel.score([samples[i].pixels() for i in some]) for some in batches(np.arange(len(samples)))]
    return np.concatenate(found)


def summary(rows: dict[str, Figures]) -> Figures:
    """Say how far apart both are, and whether the setting that is best on painted defects is best on real ones."""
    f1 = np.array([[row["synthetic_f1"], row["real_f1"]] for row in rows.values()])
    auroc = np.array([[row["synthetic_auroc"], row["real_auroc"]] for row in rows.values()])
    return {
        "mean_f1_difference": float(np.mean(f1[:, 0] - f1[:, 1])),
        "mean_absolute_f1_difference": float(np.mean(np.abs(f1[:, 0] - f1[:, 1]))),
        "f1_correlation": float(np.corrcoef(f1.T)[0, 1]),
        "auroc_correlation": float(np.corrcoef(auroc.T)[0, 1]),
        "auroc_regret_of_synthetic_choice": float(auroc[:, 1].max() - auroc[auroc[:, 0].argmax(), 1]),
    }


def pictures_of(data: Path | None, kind: str | None, work: Path) -> tuple[list[Sample], list[Sample]]:
    """Read good and defective pictures."""
    if data is None:
        for name in ("good", "bad"):
            (work / name).mkdir()
        return read([elpv(str(kind), work / "good")]), read([elpv(str(kind), work / "bad", 1)])
    kinds = sorted(folder for folder in (data / "test").iterdir() if folder.is_dir() and image.pictures_in(folder))
    good = [data / "train" / "good", *(folder for folder in kinds if folder.name == "good")]
    return read(good), read([folder for folder in kinds if folder.name != "good"])


def main() -> None:
    """Read the command line, run, print, and write JSON."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--data", type=Path)
    asked.add_argument("--elpv", choices=["mono", "poly"])
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--threads", type=int, default=2)
    asked.add_argument("--json", type=Path, required=True)
    options = asked.parse_args()
    neighbours.use_threads(1)
    with tempfile.TemporaryDirectory() as work:
        good, bad = pictures_of(options.data, options.elpv, Path(work))
        rows = {}
        for name, method in SETTINGS.items():
            rows[name] = measure(method, good, bad, options.seed, options.threads)
            print(name, {key: round(value, 3) for key, value in rows[name].items()}, flush=True)
    found = {"good": len(good), "bad": len(bad), "summary": summary(rows), "by_setting": rows}
    options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    print(json.dumps(found["summary"], indent=1))


if __name__ == "__main__":
    main()
