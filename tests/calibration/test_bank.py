"""The bank is as large as the station file says, a number or a share of all patches."""

import msgspec
import pytest

from calibration import bank
from tests.calibration.parts import METHOD


@pytest.mark.parametrize(("said", "patches", "vectors"), [("10%", 7840, 784), ("100%", 64, 64), ("0.5%", 1001, 6), (30, 9, 30)])
def test_a_share_is_of_all_patches_and_rounded_up(said: str | int, patches: int, vectors: int) -> None:
    """A number is itself, whatever the patches."""
    assert bank.size(msgspec.structs.replace(METHOD, bank=said), patches) == vectors
