"""What a picture file says of itself, read from its bytes without decoding: kind, size, and whether it is whole.

Decoders are lenient where a judge must not be: half a JPEG decodes to a picture with a grey lower half, 16 bits are cut
to 8, alpha is dropped. Sources: ITU T.81 annex B (JPEG), PNG third edition sections 5 and 11, Windows BITMAPINFOHEADER,
TIFF 6.0 sections 2 and 8.
"""

import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple

from inspectd.errors import BadImage

MIN_SIDE_PX = 16
MAX_SIDE_PX = 20_000  # as on the wire
MAX_PIXELS = 150_000_000  # the largest area-scan sensors; beyond it a small file could fill the memory

_PNG = b"\x89PNG\r\n\x1a\n"
_EIGHT_BIT = "8 bits a channel, grey or RGB, without alpha; convert it, e.g. `magick IN -depth 8 -alpha off OUT.png`"
_CUT = b"inspectd roi\0"  # keyword of the text chunk in which a PNG of ours says where it was cut


class Cut(NamedTuple):
    """Where in the camera's picture a file's pixels were cut, in pixels; what lay around them is not known."""

    x: int
    y: int
    camera_width: int
    camera_height: int


class Header(NamedTuple):
    """A whole picture file of 8 bits a channel."""

    kind: str  # PNG | JPEG | BMP | TIFF
    height: int
    width: int
    cut: Cut | None = None  # None: it holds the camera's whole picture, as far as it says


def note_cut(png: bytes, cut: Cut) -> bytes:
    """Return a PNG that says where it was cut, in a text chunk behind its header (PNG third edition, section 11.3.3.2)."""
    body = b"tEXt" + _CUT + " ".join(map(str, cut)).encode()
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    head = len(_PNG) + 12 + 13  # signature, and the chunk IHDR of 13 bytes
    return png[:head] + chunk + png[head:]


class _Refused(Exception):  # noqa: N818 (never leaves this file)
    """Why a file cannot be used: what was expected, what came."""

    def __init__(self, expected: str, got: str) -> None:
        super().__init__(f"expected {expected}, got {got}")


def check(data: bytes, name: str) -> Header:
    """Read the header and walk the file to its end; BadImage naming the file, what was expected and what came."""
    try:
        header = _reader(data)(data)
        _check_size(header)
    except (struct.error, IndexError):
        raise BadImage(f"{name}: expected a whole picture, got a file cut off in its header; copy it again") from None
    except _Refused as why:
        raise BadImage(f"{name}: {why}") from None
    return header


def _reader(data: bytes) -> Callable[[bytes], Header]:
    if data.startswith(_PNG):
        return _png
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg
    if data.startswith(b"BM"):
        return _bmp
    if data.startswith((b"II*\0", b"MM\0*")):
        return _tiff
    raise _Refused("a PNG, JPEG, BMP or TIFF picture", _what(data))


def _what(data: bytes) -> str:
    if not data:
        return "an empty file; copy it again"
    head = data[:64]
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head):
        return f"a text that begins {head[:20].decode('ascii')!r}; remove it, or replace it by the picture"
    return f"bytes that begin {head[:8].hex(' ')}; convert it to PNG"


def _check_size(header: Header) -> None:
    sides = (header.height, header.width)
    if not all(MIN_SIDE_PX <= side <= MAX_SIDE_PX for side in sides) or header.height * header.width > MAX_PIXELS:
        limits = f"{MIN_SIDE_PX} to {MAX_SIDE_PX} pixels a side and at most {MAX_PIXELS // 1_000_000} megapixels"
        raise _Refused(limits, f"{header.width} x {header.height}; set the camera, or a roi, to what must be judged")


def _png(data: bytes) -> Header:
    """Chunks are | length u32 BE | type | data | crc32 |, from IHDR to IEND."""
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    cut = None
    if depth == 16:
        raise _Refused(_EIGHT_BIT, "a PNG of 16 bits")
    offset, kind = len(_PNG), b""
    while kind != b"IEND":
        if offset + 12 > len(data):
            raise _Refused("a whole PNG", f"one cut off after {len(data):,} bytes; copy it again")
        length, kind = struct.unpack_from(">I4s", data, offset)
        end = offset + 12 + length
        if end > len(data):
            raise _Refused("a whole PNG", f"one cut off after {len(data):,} bytes; copy it again")
        if zlib.crc32(memoryview(data)[offset + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            raise _Refused("a sound PNG", f"one damaged at byte {offset:,}; copy it again")
        if kind == b"tRNS":
            colour |= 4  # transparency by another way than an alpha channel
        if kind == b"tEXt" and data.startswith(_CUT, offset + 8):
            cut = _cut_of(data[offset + 8 + len(_CUT) : end - 4], height, width)
        offset = end
    if colour & 4:
        raise _Refused(_EIGHT_BIT, "a PNG with alpha")
    return Header("PNG", height, width, cut)


def _cut_of(text: bytes, height: int, width: int) -> Cut:
    """Read where a file of this size was cut; a camera's picture that does not contain it, or is too large, is refused."""
    numbers = text.decode("ascii", "replace").split()
    if len(numbers) != 4 or not all(number.isdecimal() and len(number) < 6 for number in numbers):
        raise _Refused("where it was cut, as four numbers", f"{text[:40]!r}; capture it again")
    cut = Cut(*map(int, numbers))
    if cut.x + width > cut.camera_width or cut.y + height > cut.camera_height:
        got = f"{width} x {height} at x {cut.x}, y {cut.y}"
        raise _Refused(f"a roi inside {cut.camera_width} x {cut.camera_height}", f"{got}; capture it again")
    _check_size(Header("PNG", cut.camera_height, cut.camera_width))
    return cut


def _jpeg(data: bytes) -> Header:
    """Segments are | 0xFF | marker | length u16 BE, itself included | …, up to the scan; 0xFFD9 ends the picture."""
    offset, size = 2, None
    while True:
        if data[offset] != 0xFF:
            raise _Refused("a sound JPEG", f"one damaged at byte {offset:,}; copy it again")
        marker = data[offset + 1]
        if marker == 0xFF:  # fill byte
            offset += 1
            continue
        if marker == 0xDA:  # start of scan: what follows has no 0xFFD9 but at its end
            break
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame
            size = _jpeg_frame(data, offset + 4)
        offset += 2 + struct.unpack_from(">H", data, offset + 2)[0]
    if size is None or data.find(b"\xff\xd9", offset) < 0:
        raise _Refused("a whole JPEG", f"one cut off after {len(data):,} bytes; copy it again")
    return size


def _jpeg_frame(data: bytes, offset: int) -> Header:
    depth, height, width, channels = struct.unpack_from(">BHHB", data, offset)
    if depth != 8 or channels not in (1, 3):
        raise _Refused(_EIGHT_BIT, f"a JPEG of {depth} bits and {channels} channels")
    return Header("JPEG", height, width)


def _bmp(data: bytes) -> Header:
    """| BM | file size | reserved | pixels at | header size | width | height | planes | bits | packing |, little endian."""
    pixels_at, _, width, height, _, bits, packing = struct.unpack_from("<IIiiHHI", data, 10)
    if bits not in (1, 4, 8, 24) or packing != 0:
        raise _Refused(_EIGHT_BIT, f"a BMP of {bits} bits a pixel, compression {packing}")
    height = abs(height)  # negative: the first row is the top one
    row = (width * bits + 31) // 32 * 4
    if pixels_at + row * height > len(data):
        raise _Refused("a whole BMP", f"one cut off after {len(data):,} bytes; copy it again")
    return Header("BMP", height, width)


_TIFF_SIZES = {1: "B", 3: "H", 4: "I"}  # BYTE, SHORT, LONG
_WIDTH, _LENGTH, _BITS, _SAMPLES, _STRIPS, _STRIP_BYTES, _TILES, _TILE_BYTES = 256, 257, 258, 277, 273, 279, 324, 325


def _tiff(data: bytes) -> Header:
    """The first directory: | count u16 | entries of 12 bytes: tag u16, type u16, count u32, value or its offset |."""
    tags = _tiff_tags(data, "<" if data.startswith(b"II") else ">")
    bits, samples = tags.get(_BITS, (1,)), tags.get(_SAMPLES, (1,))[0]
    if set(bits) != {8} or samples not in (1, 3):
        raise _Refused(_EIGHT_BIT, f"a TIFF of {max(bits)} bits and {samples} channels")
    offsets = tags.get(_STRIPS) or tags.get(_TILES) or ()
    counts = tags.get(_STRIP_BYTES) or tags.get(_TILE_BYTES) or ()
    if not offsets or len(offsets) != len(counts) or any(at + n > len(data) for at, n in zip(offsets, counts, strict=True)):
        raise _Refused("a whole TIFF", f"one cut off after {len(data):,} bytes; copy it again")
    if _WIDTH not in tags or _LENGTH not in tags:
        raise _Refused("a TIFF with a size", "one without; convert it to PNG")
    return Header("TIFF", tags[_LENGTH][0], tags[_WIDTH][0])


def _tiff_tags(data: bytes, order: str) -> dict[int, tuple[int, ...]]:
    (at,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, at)
    tags: dict[int, tuple[int, ...]] = {}
    for entry in range(at + 2, at + 2 + 12 * entries, 12):
        tag, kind, count = struct.unpack_from(order + "HHI", data, entry)
        if kind not in _TIFF_SIZES or count > MAX_PIXELS:
            continue
        values = f"{order}{count}{_TIFF_SIZES[kind]}"
        inside = struct.calcsize(values) <= 4
        tags[tag] = struct.unpack_from(
            values, data, entry + 8 if inside else struct.unpack_from(order + "I", data, entry + 8)[0]
        )
    return tags
