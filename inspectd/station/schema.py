"""The fields of line.yaml and of a station file: typed, bounded, described. `load.py` reads files into them.

Every field carries a sentence for people (`inspectd init` writes it as a comment) and its bounds (`check` enforces them).
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

Name = Annotated[
    str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$", description="lower-case letters, digits and dashes, at most 32")
]
BackboneName = Annotated[
    str,
    Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$", description="lower-case letters, digits, dashes and underscores, at most 32"),
]
PublicKey = Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/]{43}=$", description="Ed25519 public key, base64")]
Ms = Annotated[float, Meta(ge=1, le=600_000)]


class Camera(Struct, frozen=True, forbid_unknown_fields=True):
    """Where pictures come from."""

    kind: Annotated[Literal["folder"], Meta(description="folder: pictures of a directory, in the order of their names")]
    path: Annotated[str, Meta(min_length=1, description="directory of the pictures; relative to this file")]
    rate: Annotated[
        Annotated[float, Meta(ge=0.01, le=1000)] | Literal["max"],
        Meta(description="parts per second; max: as fast as the workers take them"),
    ] = 10.0
    loop: Annotated[bool, Meta(description="start again at the end of the folder")] = False


class Roi(Struct, frozen=True, forbid_unknown_fields=True):
    """Rectangle cut from the picture, in camera pixels."""

    x: Annotated[int, Meta(ge=0, le=20_000, description="left edge")]
    y: Annotated[int, Meta(ge=0, le=20_000, description="top edge")]
    width: Annotated[int, Meta(ge=16, le=20_000, description="width")]
    height: Annotated[int, Meta(ge=16, le=20_000, description="height")]


class PlcBlock(Struct, frozen=True, forbid_unknown_fields=True):
    """Where this station stands in a PLC's address space."""

    name: Annotated[Name, Meta(description="a connection of line.yaml, plcs:")]
    block: Annotated[int, Meta(ge=0, le=99, description="number of the station's block; each station its own")] = 0


Side = Annotated[int, Meta(ge=64, le=1600, multiple_of=32)]
# as long as it is, not tuple[Side, Side]: msgspec 0.22 crashes on a bounded number beside a tuple of fixed length
Sides = Annotated[tuple[Side, ...], Meta(min_length=2, max_length=2)]


class Tiling(Struct, frozen=True, forbid_unknown_fields=True):
    """How a picture much larger than the input is cut into tiles, each of which is resized to the input."""

    rows: Annotated[int, Meta(ge=1, le=16, description="tiles below each other")] = 2
    columns: Annotated[int, Meta(ge=1, le=16, description="tiles beside each other")] = 2
    overlap_px: Annotated[
        int, Meta(ge=1, le=1000, description="pixels of the roi that neighbouring tiles share; their maps blend there")
    ] = 32


class Method(Struct, frozen=True, forbid_unknown_fields=True):
    """How parts are judged. Left out, calibration uses its measured default."""

    kind: Annotated[
        Literal["patchcore", "padim", "spade"],
        Meta(
            description="patchcore: nearest neighbours in a bank of good patches; padim: a Gaussian at every place, for parts "
            "that lie still; spade: nearest neighbours in the good pictures most alike, slow"
        ),
    ] = "patchcore"
    backbone: Annotated[BackboneName, Meta(description="lite0, lite2, or one added by `inspectd backbone add`")] = "lite2"
    layers: Annotated[
        tuple[Annotated[int, Meta(ge=0, le=200)], ...],
        Meta(description="blocks of the backbone whose features are used, shallow to deep"),
    ] = (10, 14)
    input_px: Annotated[
        Side | Sides,
        Meta(description="size to which the roi or each tile is resized: one side, or [height, width]"),
    ] = 288
    tiling: Annotated[
        Tiling | None, Meta(description="tiles of a picture much larger than the input; left out: the whole picture at once")
    ] = None
    patch: Annotated[Literal[1, 3, 5, 7, 9], Meta(description="neighbourhood averaged into one patch vector")] = 3
    stride: Annotated[int, Meta(ge=1, le=4, description="every so many-th patch of a row and of a column is used; 1: all")] = 1
    bank: Annotated[
        Annotated[int, Meta(ge=16, le=1_000_000)] | Annotated[str, Meta(pattern=r"^\d{1,3}(\.\d{1,4})?%$", description="10%")],
        Meta(description="patchcore: vectors kept in the memory bank, or a share of all patches like 10%"),
    ] = 6000
    sampler: Annotated[
        Literal["greedy", "random", "proxy"],
        Meta(description="patchcore: how the bank is chosen: greedy k-centre, random, or proxy (learnt, paper eq. 8)"),
    ] = "greedy"
    search: Annotated[
        Literal["exact", "ivfpq"],
        Meta(description="patchcore: exact, or ivfpq: by a trained index, for large banks; needs the extra ivfpq"),
    ] = "exact"
    score: Annotated[
        Literal["power_mean", "smoothed_max", "max", "eq7", "image"],
        Meta(
            description="power_mean (of all patches), smoothed_max, max (paper eq. 6), eq7 (re-weighted; patchcore) or image "
            "(pooled; spade)"
        ),
    ] = "power_mean"
    sigma: Annotated[float, Meta(ge=0, le=8, description="smoothing of power_mean and smoothed_max, in patches")] = 0.5
    power: Annotated[
        float,
        Meta(ge=1, le=100, description="of power_mean: the higher, the more the worst patch counts; 1: all patches alike"),
    ] = 32.0
    channels: Annotated[int, Meta(ge=1, le=1000, description="padim: channels kept of each patch vector, at most")] = 100
    reduction: Annotated[
        Literal["random", "pca"], Meta(description="padim: which are kept, random channels or pca (principal axes)")
    ] = "random"
    regularisation: Annotated[
        float, Meta(ge=1e-6, le=10, description="padim: added to the variances, whose usual size is 1")
    ] = 0.01
    retrieve: Annotated[int, Meta(ge=1, le=1000, description="spade: good pictures with which a part is compared")] = 50

    @property
    def weight(self) -> float:
        """Its share in the score: a method on its own has all of it."""
        return 1.0

    @property
    def members(self) -> tuple["Method", ...]:
        """Itself alone."""
        return (self,)

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width of the input."""
        height, width = self.input_px if isinstance(self.input_px, tuple) else (self.input_px, self.input_px)
        return height, width


class Weighted(Method, frozen=True, forbid_unknown_fields=True):
    """One method of several."""

    weight: Annotated[float, Meta(gt=0, le=1000, description="how much its score counts beside the others'")] = 1.0


class Ensemble(Struct, frozen=True, forbid_unknown_fields=True):
    """Several methods that judge together: one score, one heat map, one verdict."""

    members: Annotated[tuple[Weighted, ...], Meta(description="two methods or more, each with the keys of one and a weight")]


Judging = Annotated[
    Ensemble | Method, Meta(description="how parts are judged; several methods together: members, a list of them")
]


class Threshold(Struct, frozen=True, forbid_unknown_fields=True):
    """How the threshold is found."""

    rule: Annotated[
        Literal["f1", "full_recall", "max_false_reject"] | None,
        Meta(
            description="f1, full_recall or max_false_reject; left out: f1 where bad parts are given and no rate is asked for"
        ),
    ] = None
    max_false_reject: Annotated[
        Annotated[float, Meta(gt=0, lt=0.5)]
        | Annotated[str, Meta(pattern=r"^(best|\d{1,3}(\.\d{1,4})?%)$", description="best, or a share like 2%")],
        Meta(description="largest share of good parts rejected, 0.02 or 2%; best: the smallest that the pictures support"),
    ] = "best"
    recheck: Annotated[
        Annotated[float, Meta(gt=0, lt=1)] | Annotated[str, Meta(pattern=r"^\d{1,3}(\.\d{1,4})?%$", description="5%")] | None,
        Meta(
            description="from here to the threshold parts are UNDECIDED(recheck), for a rework lane: a factor of the threshold "
            "like 0.9, or the largest share of good parts rechecked or rejected like 5%; left out: none"
        ),
    ] = None


class Keep(Struct, frozen=True, forbid_unknown_fields=True):
    """Which pictures the journal keeps."""

    pictures: Annotated[Literal["all", "rejects", "none"], Meta(description="all, rejects (FAIL and UNDECIDED) or none")] = (
        "rejects"
    )


class Station(Struct, frozen=True, forbid_unknown_fields=True):
    """One station file: one camera, one place on the line."""

    station: Annotated[Name, Meta(description="the station's name, equal to the file's")]
    camera: Annotated[Camera, Meta(description="where pictures come from")]
    deadline_ms: Annotated[Ms, Meta(description="from the trigger until the result must stand at the PLC")]
    delivery_ms: Annotated[Ms, Meta(description="kept of the deadline for the way to the PLC; at least its poll interval")] = (
        10.0
    )
    trigger: Annotated[
        Literal["camera", "plc", "software"],
        Meta(description="what says that a part is there: the camera itself, a PLC bit, or `inspectd trigger`"),
    ] = "camera"
    part_id: Annotated[Literal["file_name", "plc", "none"], Meta(description="where the part's name comes from")] = "file_name"
    group_by: Annotated[
        str | None,
        Meta(description="regular expression with one group, on the file name: pictures of one part or lot, never split"),
    ] = None
    roi: Annotated[Roi | None, Meta(description="rectangle that is judged; left out: the whole picture")] = None
    mask: Annotated[
        str | None, Meta(description="PNG of the roi's size; black pixels are not judged; relative to this file")
    ] = None
    mm_per_px: Annotated[
        Annotated[float, Meta(gt=0, le=100)] | None, Meta(description="millimetres per pixel, for defect sizes")
    ] = None
    products: Annotated[
        tuple[Name, ...], Meta(min_length=1, description="products of this station; the first is active at start")
    ] = ("default",)
    plc: Annotated[PlcBlock | None, Meta(description="where the result goes; left out: no PLC")] = None
    seed: Annotated[int, Meta(ge=0, le=2**31 - 1, description="of all random choices in calibration")] = 0
    method: Judging = field(default_factory=Method)
    threshold: Annotated[Threshold, Meta(description="how the threshold is found")] = field(default_factory=Threshold)
    keep: Annotated[Keep, Meta(description="which pictures the journal keeps")] = field(default_factory=Keep)
    require_signed: Annotated[
        bool, Meta(description="judge only by bundles that are signed by one of line.yaml's trusted_keys")
    ] = False


class Workers(Struct, frozen=True, forbid_unknown_fields=True):
    """The pool that scores pictures."""

    count: Annotated[int, Meta(ge=1, le=64, description="worker processes")] = 1
    threads: Annotated[int, Meta(ge=1, le=64, description="threads of each worker")] = 2
    max_batch: Annotated[int, Meta(ge=1, le=64, description="most pictures in one forward pass")] = 8
    cores: Annotated[
        Literal["own", "shared"],
        Meta(
            description="own: where the machine has more cores than all workers have threads, each worker keeps to cores of "
            "its own and the other processes to the rest; shared: left to the kernel, for two daemons on one machine"
        ),
    ] = "own"
    device: Annotated[Literal["cpu", "cuda"], Meta(description="cuda: an NVIDIA GPU, with the extra gpu instead of cpu")] = (
        "cpu"
    )


class Plc(Struct, frozen=True, forbid_unknown_fields=True):
    """One connection to a PLC."""

    protocol: Annotated[Literal["modbus_tcp"], Meta(description="modbus_tcp: inspectd is the server, the PLC polls")]
    address: Annotated[
        str, Meta(pattern=r"^[^\s:]+:\d{1,5}$", description="host:port on which the server listens, e.g. 0.0.0.0:502")
    ]
    heartbeat_ms: Annotated[
        float, Meta(ge=0, le=60_000, description="the PLC's heartbeat must change within this time; 0: not supervised")
    ] = 0.0


class Retention(Struct, frozen=True, forbid_unknown_fields=True):
    """How long the journal keeps what."""

    days: Annotated[int, Meta(ge=1, le=3650, description="days of verdicts")] = 365
    picture_days: Annotated[int, Meta(ge=1, le=3650, description="days of pictures")] = 30
    min_free_mb: Annotated[int, Meta(ge=1, le=10_000_000, description="below this free space pictures are no longer kept")] = (
        1024
    )


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    """line.yaml: what all stations share."""

    workers: Annotated[Workers, Meta(description="the pool that scores pictures")] = field(default_factory=Workers)
    plcs: Annotated[dict[Name, Plc], Meta(description="connections to PLCs, by name")] = field(default_factory=dict)
    retention: Annotated[Retention, Meta(description="how long the journal keeps what")] = field(default_factory=Retention)
    state_dir: Annotated[str | None, Meta(description="where the daemon keeps bundles, journal and counters (or --state)")] = (
        None
    )
    run_dir: Annotated[str | None, Meta(description="directory of sockets and lock file (or --run-dir)")] = None
    trusted_keys: Annotated[
        dict[Name, PublicKey], Meta(description="who may release bundles: public keys of `inspectd bundle keygen`, by name")
    ] = field(default_factory=dict)
    metrics: Annotated[
        Annotated[str, Meta(pattern=r"^[^\s:]+:\d{1,5}$", description="host:port")] | None,
        Meta(description="host:port where Prometheus reads metrics; left out: nowhere"),
    ] = None


class Config(Struct, frozen=True):
    """All files of one configuration directory, read and checked together."""

    directory: str
    line: Line
    stations: dict[str, Station]  # by name
    files: dict[str, str]  # station name -> path of its file
