"""A mask must let something be judged."""

from pathlib import Path

import numpy as np
import pytest

from inspectd import image
from inspectd.errors import ConfigError
from inspectd.station.load import load

FILE = """\
station: lid
camera: {kind: folder, path: x}
deadline_ms: 100
roi: {x: 0, y: 0, width: 32, height: 16}
mask: mask.png
"""


def told(folder: Path, mask: bytes) -> list[str]:
    """What is wrong with a station of this mask."""
    (folder / "mask.png").write_bytes(mask)
    (folder / "lid.yaml").write_text(FILE)
    with pytest.raises(ConfigError) as caught:
        load(folder, cameras=False)
    return [f"{problem.line} {problem.key}: expected {problem.expected}" for problem in caught.value.problems]


def test_a_mask_that_is_all_black_or_no_picture_or_of_another_size_is_refused_with_its_line(tmp_path: Path) -> None:
    """With an all-black mask nothing would ever fail."""
    black = image.encode_png(np.zeros((16, 32), np.uint8))
    assert told(tmp_path, black) == ["5 mask: expected some pixels that are not black: they are what is judged"]
    assert told(tmp_path, b"no picture") == ["5 mask: expected a PNG file"]
    large = image.encode_png(np.ones((16, 33), np.uint8))
    assert told(tmp_path, large) == ["5 mask: expected the size of the roi, 32 x 16"]


def test_a_mask_in_which_one_pixel_is_judged_is_taken(tmp_path: Path) -> None:
    (tmp_path / "mask.png").write_bytes(image.encode_png(np.eye(16, 32, dtype=np.uint8)))
    (tmp_path / "lid.yaml").write_text(FILE)
    assert load(tmp_path, cameras=False).stations["lid"].mask == "mask.png"
