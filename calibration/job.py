"""What a calibration is asked for, checked against the station file before any work is done, and how the station sees."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from calibration import graphs, pictures, threshold
from calibration.choice import Choice
from calibration.features import Extractor, Mask
from calibration.findings import Rule
from calibration.memory import Asked
from calibration.pictures import Files, Sample, problem
from calibration.threshold import Rate, Split
from inspectd import image
from inspectd.errors import BadImage, BadInput, ConfigError, Problem
from inspectd.station import load
from inspectd.station.document import Key
from inspectd.station.schema import Config, Ensemble, Method, Station, Threshold
from inspectd.text import share_of
from inspectd.vision import ivfpq, tiles
from inspectd.vision.backbone import Backbone
from inspectd.vision.bundle import PictureSpec
from inspectd.vision.view import Lens

_FORMATS: dict[str, Literal["mono8", "rgb8"]] = {"mono8": "mono8", "rgb8": "rgb8"}


@dataclass(frozen=True)
class Options:
    """What the command line may choose; None: as the station file says."""

    threads: int = 2
    folds: int = 5
    holdout: float | None = None  # share of the good groups that the bank never sees; None: cross-fit
    rule: Rule | None = None
    max_false_reject: Rate | None = None
    drop: Sequence[str] = ()  # good pictures to leave out, by file name
    skip_bad: bool = False  # leave out what is no sound picture, instead of refusing all
    choice: Choice | None = None  # how the settings were found, for the report; None: somebody wrote them
    files: Files | None = None  # those that had a say in the choice; None: what the folders hold


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
        rate = self.station.threshold.max_false_reject if asked is None else asked
        return "best" if rate == "best" else rate if isinstance(rate, float) else share_of(rate)

    def listed(self, good: Path, bad: Path | None) -> Files:
        """List the pictures; NotEnoughPictures if their names alone tell that they are too few."""
        files = self.options.files or pictures.listed(good, bad, self.options.drop)
        self.split(pictures.groups(files.good, self.station.group_by))
        return files

    def split(self, groups: Sequence[str]) -> Split:
        """Deal good pictures by their groups [n]; NotEnoughPictures if those are too few for the folds or for the rate."""
        options = self.options
        dealt = threshold.split(groups, options.folds, options.holdout, self.station.seed)
        if self.rule == "max_false_reject":
            dealt.support(self.rate)
        if isinstance(self.recheck, str):
            dealt.support(share_of(self.recheck))
        return dealt

    @property
    def recheck(self) -> float | str | None:
        """Where the recheck band begins, as the station file says it."""
        return self.station.threshold.recheck

    @property
    def methods(self) -> list[tuple[Key, Method]]:
        """The members, each with the key of the station file under which it stands."""
        return keyed(self.station.method)

    def problem(self, key: Key, expected: str, got: str, hint: str = "") -> Problem:
        """Return what is wrong at a key of the station file, with its line."""
        return Problem(self.file, load.read_yaml(self.file).line(key), ".".join(key), expected, got, hint)

    def check(self, backbones: Path) -> list[Problem]:
        """Return what is wrong with the methods' settings that no picture is needed to tell."""
        return check(self, backbones)

    def graphs(self, backbones: Path) -> list[bytes]:
        """Cut each member's graph; ConfigError naming every backbone that is not there and every layer that one lacks."""
        bases, problems = _bases(self, backbones)
        if problems:
            raise ConfigError(problems)
        return [graphs.cut(base, method.layers, method.patch) for base, (_, method) in zip(bases, self.methods, strict=True)]

    def extractors(self, like: Sample, files: Sequence[Path]) -> list[Extractor]:
        """Return how each member sees; ConfigError if roi, mask or tiles do not fit pictures like this one."""
        problems = _roi_problems(self, like)
        roi = self.station.roi
        size = (like.height, like.width) if roi is None else (roi.height, roi.width)
        mask = None if self.station.mask is None or problems else _mask(self, size, problems)
        opened = {graph: Backbone.open(graph) for graph in set(files)}
        extractors = [
            Extractor(opened[graph], method.size_px, roi, mask, self.options.threads, method.stride, method.tiling, size)
            for graph, (_, method) in zip(files, self.methods, strict=True)
        ]
        for (key, _), extractor in zip(self.methods, extractors, strict=True):
            problems += tiling_problems(self, key, extractor.lens, size)
        if problems:
            raise ConfigError(problems)
        return extractors

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


def keyed(method: Ensemble | Method) -> list[tuple[Key, Method]]:
    """Return the members, each with the key of a station file under which it stands."""
    single = isinstance(method, Method)
    return [(("method",) if single else ("method", "members", str(i)), one) for i, one in enumerate(method.members)]


def check(asked: Asked, backbones: Path) -> list[Problem]:
    """Return what is wrong with methods' settings that no picture is needed to tell."""
    return [*_too_small(asked), *_bases(asked, backbones)[1]]


def _too_small(asked: Asked) -> list[Problem]:
    """Tell of banks for which no index can be trained."""
    return [
        asked.problem(
            (*key, "bank"), f"at least {ivfpq.LEAST:,} vectors for search: ivfpq", f"{one.bank:,}", "or remove search"
        )
        for key, one in asked.methods
        if one.search == "ivfpq" and isinstance(one.bank, int) and one.bank < ivfpq.LEAST
    ]


def _bases(asked: Asked, backbones: Path) -> tuple[list[Path], list[Problem]]:
    """Find each member's base graph; tell of every backbone that is not there or none, and of every layer that one lacks."""
    bases, problems = [], []
    for key, method in asked.methods:
        try:
            bases.append(graphs.base_graph(method.backbone, backbones))
            offered = graphs.layers_of(bases[-1])
        except BadInput as error:
            problems.append(asked.problem((*key, "backbone"), str(error).partition("expected ")[2], method.backbone))
            continue
        if not set(method.layers) <= offered.keys():
            expected = f"layers that {method.backbone} offers, out of {list(offered)}"
            problems.append(asked.problem((*key, "layers"), expected, str(list(method.layers))))
    return bases, problems


def accept(config: Config, station: str, product: str, bad: Path | None, options: Options) -> Job:
    """Return the job; BadInput if there is no such station or product, or the asked rule does not fit the rest."""
    if station not in config.stations:
        raise BadInput(f"station {station}: expected one of {', '.join(sorted(config.stations))} in {config.directory}")
    settings = config.stations[station]
    job = Job(settings, product, Path(config.files[station]), options, _rule(settings.threshold, bad, options))
    if product not in job.station.products:
        raise BadInput(f"{job.file}: products: expected one of {', '.join(job.station.products)}, got {product}; add it there")
    if job.rule in ("f1", "full_recall") and bad is None:
        if options.rule:
            raise BadInput(f"--rule {options.rule}: expected pictures of bad parts, got none; give --bad DIR")
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
    got = "the whole picture" if roi is None else f"x {roi.x}, y {roi.y}, {roi.width} x {roi.height}"
    if like.roi is not None and like.roi != (roi and (roi.x, roi.y, roi.width, roi.height)):
        expected = "x {}, y {}, {} x {}, with which the pictures were captured".format(*like.roi)
        return [Problem(job.file, None, "roi", expected, got, "capture them again, or restore the file")]
    if roi is None or (roi.x + roi.width <= like.width and roi.y + roi.height <= like.height):
        return []
    return [Problem(job.file, None, "roi", f"a rectangle inside the pictures of {like.width} x {like.height}", got)]


def tiling_problems(asked: Asked, key: Key, lens: Lens, size: tuple[int, int]) -> list[Problem]:
    """Say whether a member's tiles do not fit what is judged [H,W]."""
    if lens.tiling is None:
        return []
    axes = zip(size, lens.tiles, lens.tile_grid, strict=True)
    found = (tiles.problem(side, count, lens.tiling.overlap_px, cells) for side, count, cells in axes)
    wrong = next((one for one in found if one), None)
    where = (*key, "tiling", *([wrong.key] if wrong and wrong.key else []))
    return [asked.problem(where, wrong.expected, wrong.got)] if wrong else []


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
