"""The one home of OpenCV: decode, encode, resize, blur and draw.

A picture that cannot be judged as it is must be refused here: decoders are lenient (see picture_file.py), and what they
make up would be judged.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from inspectd import picture_file
from inspectd.errors import BadImage
from inspectd.picture_file import Cut

U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
F32 = npt.NDArray[np.float32]
Colour = tuple[int, int, int]  # red, green, blue

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
_PNG_SPEED = (cv2.IMWRITE_PNG_COMPRESSION, 1)  # level 1 is three times as fast as the default and a few per cent larger
_FONT = cv2.FontFace("sans")  # Rubik, inside OpenCV 5: the same letters on every machine


@dataclass(frozen=True)
class Picture:
    """A decoded picture: uint8 [H, W] (mono8) or [H, W, 3] in the order red, green, blue (rgb8), C-contiguous.

    Of one that was cut when it was captured only the roi (x, y, width, height) is known: around it, it is black.
    """

    pixels: U8
    roi: tuple[int, int, int, int] | None = None

    @property
    def pixel_format(self) -> str:
        """mono8 or rgb8."""
        return pixel_format(self.pixels)

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])


def pixel_format(pixels: U8) -> str:
    """mono8 for [H, W], rgb8 for [H, W, 3]."""
    return "mono8" if pixels.ndim == 2 else "rgb8"


# --- files ------------------------------------------------------------------------------------------------------------


def pictures_in(folder: Path) -> list[Path]:
    """Picture files of a folder (not of its subfolders), by name; BadImage if the folder cannot be read."""
    try:
        named = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")]
        return sorted(path for path in named if _may_be_file(path))
    except OSError as error:
        raise BadImage(f"{folder}: expected a folder of pictures, got {error.strerror}; check path and rights") from error


def probe(path: Path) -> tuple[int, int]:
    """(height, width) of a whole picture file, without decoding it; BadImage as `read`."""
    header = picture_file.check(read_bytes(path), str(path))
    return header.height, header.width


def read(path: Path) -> Picture:
    """Read and decode one file; BadImage naming the file, what was expected, what came and what to do."""
    return decode(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """Read a regular file whole; BadImage if it is none, or cannot be read."""
    try:
        with open(path, "rb", opener=_open_at_once) as stream:
            if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                return stream.read()
    except OSError as error:
        raise BadImage(f"{path}: cannot be read: {error.strerror}; check the path and its rights") from error
    raise BadImage(f"{path}: expected a file, got a pipe or a device; remove it")


def decode(data: bytes, name: str) -> Picture:
    """Decode one file's bytes; `name` stands in the error. Grey pictures become mono8, colour pictures rgb8.

    A picture that says where it was cut gets the size of the camera's picture, so that its roi lies where the line cuts it.
    """
    header = picture_file.check(data, name)
    pixels = _imdecode(data, name)
    if pixels.dtype != np.uint8 or pixels.shape not in ((header.height, header.width), (header.height, header.width, 3)):
        raise BadImage(f"{name}: expected 8 bits, grey or RGB, got {pixels.dtype} of shape {pixels.shape}; convert it to PNG")
    seen = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8) if pixels.ndim == 3 else pixels
    if header.cut is None:
        return Picture(seen)
    x, y, width, height = header.cut
    whole = np.zeros((height, width, *seen.shape[2:]), np.uint8)
    whole[y : y + header.height, x : x + header.width] = seen
    return Picture(whole, (x, y, header.width, header.height))


def encode_png(pixels: U8 | U16, cut: Cut | None = None) -> bytes:
    """PNG of uint8 [H, W] or [H, W, 3], or of uint16 [H, W]; `cut` says where in a camera's picture that is."""
    stored = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    ok, data = cv2.imencode(".png", stored, _PNG_SPEED)
    assert ok, "OpenCV encodes every uint8 and uint16 picture as PNG"
    return picture_file.note_cut(data.tobytes(), cut) if cut else data.tobytes()


def decode_map(data: bytes, name: str) -> U16:
    """Heat map uint16 [H, W], per mille of the threshold, of a PNG that `encode_png` made; BadImage if it is none."""
    pixels = _imdecode(data, name)
    if pixels.dtype != np.uint16 or pixels.ndim != 2:
        raise BadImage(f"{name}: expected a heat map of 16 bits, got {pixels.dtype} of shape {pixels.shape}")
    return pixels


def _may_be_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True  # a link to nowhere, or no right to look: reading it will say so


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # else the opening of a pipe waits for whoever writes to it


def _imdecode(data: bytes, name: str) -> npt.NDArray[Any]:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)  # orientation tags are not obeyed
    except cv2.error as error:
        raise BadImage(f"{name}: cannot be decoded: {error.err}; copy it again") from error
    if pixels is None:
        raise BadImage(f"{name}: expected a sound picture, got one damaged inside; copy it again")
    return pixels


# --- geometry ---------------------------------------------------------------------------------------------------------


def resize(pixels: U8, height: int, width: int) -> U8:
    """Resize uint8 [H, W(, 3)]: area average when it shrinks (no aliasing), else bilinear."""
    if pixels.shape[:2] == (height, width):
        return pixels
    shrinks = height <= pixels.shape[0] and width <= pixels.shape[1]
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)  # type: ignore[return-value]


def grey(pixels: U8, longest: int) -> U8:
    """Grey [H, W] of a picture, averaged over squares of whole pixels until its longer side is at most so many."""
    one = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.ndim == 3 else pixels
    side = -(-max(one.shape) // longest)
    height, width = max(1, one.shape[0] // side), max(1, one.shape[1] // side)
    return resize(np.asarray(one[: height * side, : width * side], np.uint8), height, width)


def upsample(values: F32, height: int, width: int) -> F32:
    """Bilinear resize of float32 [h, w] to [height, width], pixel centres at half pixels."""
    return cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def blur(values: F32, sigma_px: float) -> F32:
    """Gaussian blur of float32 [H, W], kernel cut at 4 sigma, edges reflected; sigma 0 changes nothing."""
    if sigma_px <= 0:
        return values
    side = 2 * int(4 * sigma_px + 0.5) + 1
    return cv2.GaussianBlur(values, (side, side), sigma_px, borderType=cv2.BORDER_REFLECT)  # type: ignore[return-value]


# --- drawing ----------------------------------------------------------------------------------------------------------


def canvas(height: int, width: int, colour: Colour) -> U8:
    """A new rgb8 picture of one colour."""
    return np.full((height, width, 3), colour, np.uint8)


def rgb(pixels: U8) -> U8:
    """rgb8 of a mono8 or rgb8 picture."""
    return np.repeat(pixels[:, :, None], 3, axis=2) if pixels.ndim == 2 else pixels


def fit(pixels: U8, height: int, width: int) -> U8:
    """Resize to the largest size inside [height, width] that keeps the aspect ratio."""
    scale = min(height / pixels.shape[0], width / pixels.shape[1])
    return resize(pixels, max(1, round(pixels.shape[0] * scale)), max(1, round(pixels.shape[1] * scale)))


def text_width(words: str, size_px: int, bold: bool = False) -> int:
    """Columns that `text` needs."""
    return int(cv2.getTextSize((1, 1), words, (0, 0), _FONT, size_px, 700 if bold else 400)[2])


def text(onto: U8, x: int, y: int, words: str, colour: Colour, size_px: int, bold: bool = False) -> None:
    """Write one line onto an rgb8 picture, its base line at y."""
    cv2.putText(onto, words, (x, y), colour, _FONT, size_px, 700 if bold else 400)


def outlines(onto: U8, inside: npt.NDArray[np.bool_], colour: Colour, thickness_px: int) -> None:
    """Draw the outlines of the areas where `inside` [H, W] holds onto an rgb8 picture."""
    found, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(onto, found, -1, colour, thickness_px, cv2.LINE_AA)


def areas(inside: npt.NDArray[np.bool_]) -> list[tuple[int, int, int, int, int]]:
    """Connected areas (8 neighbours) where `inside` [H, W] holds, the largest first: x, y, width, height, pixels."""
    x, y, width, height = cv2.boundingRect(inside.view(np.uint8))  # labels of all pixels would cost most of the time
    _, _, found, _ = cv2.connectedComponentsWithStats(inside[y : y + height, x : x + width].astype(np.uint8), connectivity=8)
    areas = [(left + x, top + y, *rest) for left, top, *rest in found[1:].tolist()]  # the first is what is outside
    return sorted(areas, key=lambda area: -area[4])


def warm(values: F32) -> U8:
    """Colours [H, W, 3] for values 0 … 1, dark violet to yellow, even to the eye and to the colour-blind (inferno)."""
    levels = (np.clip(values, 0, 1) * 255).astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)  # type: ignore[return-value]
