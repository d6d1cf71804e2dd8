"""The settings among which a station's are chosen: few, unlike each other, and in the order in which they are preferred. Pure.

From deep layers of a small input, which see large and faint defects, to shallow ones of a large input, which see tiny ones;
and teams of both, which judge together.
"""

from msgspec.structs import asdict, replace

from inspectd.station.schema import Ensemble, Method, Tiling, Weighted
from inspectd.vision import tiles

Members = tuple[Method, ...]  # that judge together, each with the same say; often one alone

DEFAULT = Method()


def _lite0(px: int) -> Method:
    return replace(DEFAULT, backbone="lite0", layers=(4, 10), input_px=px)


_SHARP = replace(DEFAULT, input_px=448)
# every other patch finds as much, in less time and a quarter of the memory (DECISIONS)
_FINE, _QUICK = (replace(_lite0(px), stride=2) for px in (640, 512))
# of those within the budget the first one is preferred: on six data sets, with defects of 3 px to half of the part, teams of a
# deep setting and a fine one were the best or near it on each, and no single setting was (DECISIONS)
_PREFERRED: tuple[Members, ...] = (
    (DEFAULT, _SHARP, _FINE), (DEFAULT, _FINE), (DEFAULT, _QUICK), (_lite0(224), _QUICK), (_QUICK,), (_SHARP,), (DEFAULT,),
    (_lite0(224),),
)  # fmt: skip
_OTHERS: tuple[Members, ...] = (
    (replace(DEFAULT, layers=(14, 19), input_px=448),), (replace(DEFAULT, layers=(19,), input_px=384, patch=5),),
    (_lite0(320),), (_FINE,),
)  # fmt: skip
_TILED = (DEFAULT, _lite0(320))
_TILE_PX = 512  # side of a tile, about
_LARGE = 2 * _TILE_PX  # pictures from this side on are tried in tiles
_MOST = 4  # tiles along a side


def settings(size: tuple[int, int]) -> list[Members]:
    """Return the settings to try for pictures [H,W] as they are judged, first the preferred one."""
    if max(size) < _LARGE:
        return [*_PREFERRED, *_OTHERS]
    rows, columns = (min(_MOST, max(1, round(side / _TILE_PX))) for side in size)
    tiling = Tiling(rows=rows, columns=columns, overlap_px=96)
    tiled = ((replace(one, tiling=tiling),) for one in _TILED if _fits(one, tiling, size))
    return [*_PREFERRED, *_OTHERS, *tiled]


def together(members: Members) -> Ensemble | Method:
    """Return what a station file says of members; one alone is a method."""
    return members[0] if len(members) == 1 else Ensemble(tuple(Weighted(**asdict(one)) for one in members))


def described(method: Ensemble | Method) -> str:
    """Say a setting as a person would: lite2, layers 10 and 14, 288 x 288 px."""
    return " + ".join(map(_described, method.members))


def _described(method: Method) -> str:
    layers, (height, width) = method.layers, method.size_px
    told = [method.backbone, f"layer{'s' * (len(layers) > 1)} {' and '.join(map(str, layers))}", f"{width} x {height} px"]
    told += [f"{method.tiling.columns} x {method.tiling.rows} tiles"] if method.tiling else []
    told += [f"patch {method.patch}"] if method.patch != DEFAULT.patch else []
    told += [
        f"{name} {value:g}"
        for name in ("stride", "sigma", "power")
        if (value := getattr(method, name)) != getattr(DEFAULT, name)
    ]
    return ", ".join(told)


def _fits(method: Method, tiling: Tiling, size: tuple[int, int]) -> bool:
    """Whether the tiles are neither too small nor overlap too much; of 16 or 32 pixels a cell, the larger is asked."""
    axes = zip(size, (tiling.rows, tiling.columns), method.size_px, strict=True)
    return not any(tiles.problem(side, count, tiling.overlap_px, px // 32) for side, count, px in axes)
