"""The settings among which a station's are chosen: few, and unlike each other. Pure.

From deep layers of a small input, which see large and faint defects, to shallow ones of a large input, which see tiny ones.
"""

from msgspec.structs import replace

from inspectd.station.schema import Method, Tiling
from inspectd.vision import tiles

DEFAULT = Method()
_LITE0 = replace(DEFAULT, backbone="lite0", layers=(4, 10))
_DEEP = replace(DEFAULT, layers=(19,), input_px=384, patch=5)
_WHOLE = (
    DEFAULT,  # first, as it measured best on real defects (DECISIONS): preferred where nothing tells settings apart
    replace(_LITE0, input_px=224),
    replace(_LITE0, input_px=320),
    replace(DEFAULT, input_px=448),
    replace(DEFAULT, layers=(14, 19), input_px=448),
    _DEEP,
    replace(_LITE0, input_px=448),
    replace(_LITE0, input_px=640),
)
_TILED = (DEFAULT, replace(_LITE0, input_px=320))
_TILE_PX = 512  # side of a tile, about
_LARGE = 2 * _TILE_PX  # pictures from this side on are tried in tiles
_MOST = 4  # tiles along a side


def settings(size: tuple[int, int]) -> list[Method]:
    """Return the settings to try for pictures [H,W] as they are judged, first the preferred one."""
    if max(size) < _LARGE:
        return list(_WHOLE)
    rows, columns = (min(_MOST, max(1, round(side / _TILE_PX))) for side in size)
    tiling = Tiling(rows=rows, columns=columns, overlap_px=96)
    return [*_WHOLE, *(replace(one, tiling=tiling) for one in _TILED if _fits(one, tiling, size))]


def described(method: Method) -> str:
    """Say a setting as a person would: lite2, layers 10 and 14, 288 x 288 px."""
    layers, (height, width) = method.layers, method.size_px
    told = [method.backbone, f"layer{'s' * (len(layers) > 1)} {' and '.join(map(str, layers))}", f"{width} x {height} px"]
    told += [f"{method.tiling.columns} x {method.tiling.rows} tiles"] if method.tiling else []
    told += [f"patch {method.patch}"] if method.patch != DEFAULT.patch else []
    told += [f"{name} {value:g}" for name in ("sigma", "power") if (value := getattr(method, name)) != getattr(DEFAULT, name)]
    return ", ".join(told)


def _fits(method: Method, tiling: Tiling, size: tuple[int, int]) -> bool:
    """Whether the tiles are neither too small nor overlap too much; of 16 or 32 pixels a cell, the larger is asked."""
    axes = zip(size, (tiling.rows, tiling.columns), method.size_px, strict=True)
    return not any(tiles.problem(side, count, tiling.overlap_px, px // 32) for side, count, px in axes)
