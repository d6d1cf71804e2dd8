"""The settings that are tried: none twice, in the order in which they are preferred, tiles only where pictures are large."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration import grid
from inspectd.station.schema import Ensemble, Method, Tiling
from inspectd.vision import tiles


@given(height=st.integers(16, 6000), width=st.integers(16, 6000))
def test_every_setting_fits_pictures_of_any_size(height: int, width: int) -> None:
    """Each is of the default's kind, has a name of its own, and its tiles are such as a station file may ask for."""
    found = grid.settings((height, width))
    assert len({grid.described(grid.together(members)) for members in found}) == len(found)
    singles = [one for members in found for one in members]
    assert max(height, width) >= 1024 or not any(one.tiling for one in singles)
    for one in singles:
        if one.tiling:
            counts = (one.tiling.rows, one.tiling.columns)
            cells = [px // 32 for px in one.size_px]
            sides = zip((height, width), counts, cells, strict=True)
            assert not any(tiles.problem(side, count, one.tiling.overlap_px, n) for side, count, n in sides)


def test_large_pictures_are_tried_in_tiles_of_about_512_pixels() -> None:
    """And whole, as small ones are."""
    found = grid.settings((1024, 2448))
    assert [members for members in found if not members[0].tiling] == grid.settings((300, 300))
    assert {(one.tiling.rows, one.tiling.columns) for (one, *_) in found if one.tiling} == {(2, 4)}


def test_within_any_budget_some_setting_is_preferred_and_every_member_of_a_team_is_tried_alone() -> None:
    """So a team costs the race nothing."""
    found = grid.settings((300, 300))
    alone = {members[0] for members in found if len(members) == 1}
    assert {one for members in found for one in members} == alone
    assert grid.DEFAULT in alone


@pytest.mark.parametrize(
    ("method", "name"),
    [
        (Method(), "lite2, layers 10 and 14, 288 x 288 px"),
        (Method(layers=(19,), input_px=(224, 448), patch=5), "lite2, layer 19, 448 x 224 px, patch 5"),
        (Method(tiling=Tiling(rows=2, columns=3), sigma=1), "lite2, layers 10 and 14, 288 x 288 px, 3 x 2 tiles, sigma 1"),
        (Method(stride=2), "lite2, layers 10 and 14, 288 x 288 px, stride 2"),
        (
            grid.together((Method(), Method(backbone="lite0", layers=(4,)))),
            "lite2, layers 10 and 14, 288 x 288 px + lite0, layer 4, 288 x 288 px",
        ),
    ],
)
def test_settings_are_said_as_a_person_would(method: Ensemble | Method, name: str) -> None:
    """What is as usual is left out."""
    assert grid.described(method) == name
