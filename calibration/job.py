"""What a calibration is asked for, checked against the station file before any work is done, and how the station sees."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from calibration import threshold
from calibration.features import Extractor, Mask
from calibration.findings import Rule
from calibration.pictures import Sample, problem
from calibration.threshold import Rate, Split
from inspectd import image
from inspectd.errors import BadImage, BadInput, ConfigError, Problem
from inspectd.station.schema import Config, Station, Threshold
from inspectd.vision.backbone import Backbone
from inspectd.vision.bundle import PictureSpec

_FORMATS: dict[str, Literal["mono8", "rgb8"]] = {"mono8": "mono8", "rgb8": "rgb8"}


@dataclass(frozen=True)
class Options:
    """What the command line may choose; None: as the station file says."""

    threads: int = 2
    folds: int = 5
    holdout: float | None = None  # share of the good groups that the bank never sees; None: cross-fit
    rule: Rule | None = None
    max_false_reject: Rate | None = None


@dataclass(frozen=True)
class Job:
    """A station's product, the file where the station is described, and the choices of the command line."""

    station: Station
    product: str
    file: Path
    options: Options
    rule: Rule  # by which the threshold is found

    @property
    def rate(self) -> Rate:
        """The largest share of good parts that may be rejected."""
        asked = self.options.max_false_reject
        return self.station.threshold.max_false_reject if asked is None else asked

    def split(self, groups: Sequence[str]) -> Split:
        """Deal good pictures by their groups [n]; NotEnoughPictures if those are too few for the folds or for the rate."""
        options = self.options
        dealt = threshold.split(groups, options.folds, options.holdout, self.station.seed)
        if self.rule == "max_false_reject":
            dealt.support(self.rate)
        return dealt

    def extractor(self, like: Sample, graph: Path) -> Extractor:
        """Return how the station sees; ConfigError if its roi or mask does not fit pictures like this one."""
        problems = _roi_problems(self, like)
        roi = self.station.roi
        size = (like.height, like.width) if roi is None else (roi.height, roi.width)
        mask = None if self.station.mask is None or problems else _mask(self, size, problems)
        if problems:
            raise ConfigError(problems)
        side = self.station.method.input_px
        return Extractor(Backbone.open(graph), (side, side), roi, mask, self.options.threads)

    def picture(self, like: Sample) -> PictureSpec:
        """Return what pictures the station sends, given one of them; after `extractor` has read the mask."""
        roi, mask = self.station.roi, self.station.mask
        return PictureSpec(
            camera_px=(like.height, like.width),
            pixel_format=_FORMATS[like.pixel_format],
            roi=None if roi is None else (roi.x, roi.y, roi.width, roi.height),
            mask_sha256="" if mask is None else hashlib.sha256((self.file.parent / mask).read_bytes()).hexdigest(),
            mm_per_px=self.station.mm_per_px,
        )


def accept(config: Config, station: str, product: str, bad: Path | None, options: Options) -> Job:
    """Return the job; BadInput if there is no such station or product, or the asked rule does not fit the rest."""
    if station not in config.stations:
        raise BadInput(f"station {station}: expected one of {', '.join(sorted(config.stations))} in {config.directory}")
    settings = config.stations[station]
    job = Job(settings, product, Path(config.files[station]), options, _rule(settings.threshold, bad, options))
    if product not in job.station.products:
        raise BadInput(f"{job.file}: products: expected one of {', '.join(job.station.products)}, got {product}; add it there")
    if job.rule in ("f1", "full_recall") and bad is None:
        hint = "give --bad DIR, or set max_false_reject"
        raise ConfigError([Problem(job.file, None, "threshold.rule", f"bad parts for the rule {job.rule}", "none", hint)])
    return job


def _rule(said: Threshold, bad: Path | None, options: Options) -> Rule:
    """Choose the threshold's rule: a rate that was asked for asks for its rule, and the command line goes before the file."""
    asked = options.max_false_reject
    if asked is not None and options.rule not in (None, "max_false_reject"):
        raise BadInput(f"--max-false-reject {asked}: expected the rule max_false_reject, got --rule {options.rule}; drop one")
    in_file: Rule | None = said.rule or (None if said.max_false_reject == "best" else "max_false_reject")
    return options.rule or ("max_false_reject" if asked is not None else in_file) or ("f1" if bad else "max_false_reject")


def _roi_problems(job: Job, like: Sample) -> list[Problem]:
    roi = job.station.roi
    if roi is None or (roi.x + roi.width <= like.width and roi.y + roi.height <= like.height):
        return []
    got = f"x {roi.x}, y {roi.y}, {roi.width} x {roi.height}"
    return [Problem(job.file, None, "roi", f"a rectangle inside the pictures of {like.width} x {like.height}", got)]


def _mask(job: Job, size: tuple[int, int], problems: list[Problem]) -> Mask | None:
    """Read the mask [H,W], True where judged; whatever is wrong with it is noted in the problems."""
    path = job.file.parent / str(job.station.mask)
    try:
        pixels = image.read(path).pixels
    except BadImage as error:
        wrong = problem(path, str(error))
        problems.append(Problem(job.file, None, "mask", wrong.expected, f"{path}: {wrong.got}"))
        return None
    inside: Mask = np.any(image.rgb(pixels), axis=2)
    if inside.shape != size:
        expected, got = f"the size of what is judged, {size[1]} x {size[0]}", f"{inside.shape[1]} x {inside.shape[0]}"
        problems.append(Problem(job.file, None, "mask", expected, f"{path} of {got}"))
    elif not inside.any():
        problems.append(Problem(job.file, None, "mask", "some pixels that are not black", f"{path}, all black"))
    return inside
