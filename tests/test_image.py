"""Pictures: whole ones are decoded exactly, all others are refused by name with what was expected and what came."""

import os
import socket
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from inspectd import image
from inspectd.errors import BadImage
from inspectd.picture_file import Cut


def noise(*shape: int, seed: int = 0) -> image.U8:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def encoded(pixels: np.ndarray, suffix: str, *options: int) -> bytes:
    """File of pixels in OpenCV's order (blue, green, red)."""
    ok, data = cv2.imencode(suffix, pixels, options)
    assert ok
    return data.tobytes()


def refusal(data: bytes) -> str:
    with pytest.raises(BadImage) as caught:
        image.decode(data, "line/part7.png")
    assert str(caught.value).startswith("line/part7.png: expected ")
    return str(caught.value)


class TestWholePictures:
    @pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
    def test_grey_pictures_become_mono8_exactly(self, suffix):
        pixels = noise(40, 50)
        picture = image.decode(encoded(pixels, suffix), "a")
        assert picture.pixel_format == "mono8"
        assert (picture.height, picture.width) == (40, 50)
        assert np.array_equal(picture.pixels, pixels)

    @pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
    def test_colour_pictures_become_rgb8_exactly(self, suffix):
        pixels = noise(40, 50, 3)
        picture = image.decode(encoded(pixels, suffix), "a")
        assert picture.pixel_format == "rgb8"
        assert np.array_equal(picture.pixels, pixels[:, :, ::-1])

    def test_a_jpeg_is_decoded_to_nearly_its_pixels(self):
        pixels = image.resize(noise(8, 8, 3), 64, 64)
        picture = image.decode(encoded(pixels, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 98), "a")
        assert np.abs(picture.pixels.astype(int) - pixels[:, :, ::-1]).mean() < 3

    def test_a_progressive_jpeg_is_whole(self):
        data = encoded(noise(64, 48), ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
        assert image.decode(data, "a").pixels.shape == (64, 48)

    @pytest.mark.parametrize("channels", [(), (3,)])
    def test_a_picture_that_says_where_it_was_cut_lies_there_again_with_black_around_it(self, channels):
        pixels = noise(30, 20, *channels)
        picture = image.decode(image.encode_png(pixels, Cut(5, 7, 64, 48)), "a")
        assert picture.roi == (5, 7, 20, 30)
        assert (picture.height, picture.width) == (48, 64)
        assert np.array_equal(picture.pixels[7:37, 5:25], pixels)
        assert picture.pixels.sum() == pixels.sum()

    def test_a_picture_that_says_nothing_is_whole(self):
        assert image.decode(image.encode_png(noise(30, 20)), "a").roi is None

    def test_other_programs_read_a_cut_picture_as_the_png_that_it_is(self):
        pixels = noise(30, 20)
        stored = cv2.imdecode(np.frombuffer(image.encode_png(pixels, Cut(5, 7, 64, 48)), np.uint8), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(stored, pixels)

    def test_bytes_after_the_end_do_no_harm(self):
        assert image.decode(encoded(noise(64, 48), ".jpg") + bytes(100), "a").pixels.shape == (64, 48)

    def test_a_palette_png_becomes_rgb8(self):
        chunks = [
            (b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 3, 0, 0, 0)),
            (b"PLTE", bytes([10, 20, 30, 40, 50, 60])),
            (b"IDAT", zlib.compress((b"\0" + bytes([0, 1] * 8)) * 16)),
            (b"IEND", b""),
        ]
        data = b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
        )
        assert image.decode(data, "a").pixels[5, 0:2].tolist() == [[10, 20, 30], [40, 50, 60]]

    def test_a_picture_of_20_megapixels_comes_back_exactly(self):
        pixels = np.tile(noise(38, 57), (96, 96))
        assert pixels.size > 19_900_000
        assert np.array_equal(image.decode(image.encode_png(pixels), "a").pixels, pixels)

    def test_our_own_png_comes_back_exactly(self):
        pixels = noise(33, 47, 3)
        assert np.array_equal(image.decode(image.encode_png(pixels), "a").pixels, pixels)

    def test_probe_reads_the_size_without_decoding(self, tmp_path):
        for suffix in (".png", ".jpg", ".bmp", ".tif"):
            path = tmp_path / f"a{suffix}"
            path.write_bytes(encoded(noise(40, 50), suffix))
            assert image.probe(path) == (40, 50)


class TestRefused:
    def test_a_text_file_named_png(self):
        assert "got a text that begins 'part;verdict" in refusal(b"part;verdict\n1;PASS\n")

    def test_an_empty_file(self):
        assert "got an empty file" in refusal(b"")

    def test_another_kind_of_file(self):
        assert "got bytes that begin 1f 8b" in refusal(b"\x1f\x8b\x08" + bytes(40))

    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif"])
    @pytest.mark.parametrize("share", [0.02, 0.5, 0.9, 0.999])
    def test_a_file_cut_off_anywhere(self, suffix, share):
        data = encoded(noise(300, 200), suffix)
        assert "cut off" in refusal(data[: int(len(data) * share)])

    def test_a_png_damaged_inside(self):
        data = bytearray(encoded(noise(100, 100), ".png"))
        data[len(data) // 2] ^= 0x55
        assert "damaged at byte" in refusal(bytes(data))

    def test_a_jpeg_damaged_in_its_header(self):
        data = bytearray(encoded(noise(100, 100), ".jpg"))
        data[20:40] = bytes(20)
        assert "JPEG" in refusal(bytes(data))

    @pytest.mark.parametrize("suffix", [".png", ".tif"])
    def test_sixteen_bits(self, suffix):
        said = refusal(encoded(noise(40, 50).astype(np.uint16) * 257, suffix))
        assert "expected 8 bits a channel" in said
        assert "16 bits" in said

    def test_alpha(self):
        assert "got a PNG with alpha" in refusal(encoded(noise(40, 50, 4), ".png"))

    def test_alpha_in_a_bmp(self):
        assert "BMP of 32 bits" in refusal(encoded(noise(40, 50, 4), ".bmp"))

    @pytest.mark.parametrize("sides", [(20_001, 16), (16, 20_001), (8, 8)])
    def test_an_absurd_size(self, sides):
        assert f"got {sides[1]} x {sides[0]}" in refusal(encoded(np.zeros(sides, np.uint8), ".png"))

    def test_a_small_file_that_claims_a_huge_picture(self):
        data = bytearray(encoded(noise(40, 50), ".png"))
        data[16:24] = struct.pack(">II", 20_000, 20_000)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
        assert "at most 150 megapixels, got 20000 x 20000" in refusal(bytes(data))

    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(BadImage, match=r"a\.png: cannot be read: No such file"):
            image.read(tmp_path / "a.png")

    def test_a_folder_in_place_of_a_file(self, tmp_path):
        with pytest.raises(BadImage, match="Is a directory"):
            image.read(tmp_path)

    def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(self, tmp_path):
        os.mkfifo(tmp_path / "a.png")
        with pytest.raises(BadImage, match=r"a\.png: expected a file, got a pipe"):
            image.read(tmp_path / "a.png")


class TestMaps:
    def test_a_heat_map_comes_back_exactly(self):
        heat = np.random.default_rng(1).integers(0, 65_536, (30, 40), np.uint16)
        assert np.array_equal(image.decode_map(image.encode_png(heat), "m"), heat)

    def test_a_picture_is_no_heat_map(self):
        with pytest.raises(BadImage, match=r"m\.png: expected a heat map of 16 bits"):
            image.decode_map(image.encode_png(noise(30, 40)), "m.png")

    def test_a_cut_off_heat_map_is_refused(self):
        with pytest.raises(BadImage, match=r"m\.png"):
            image.decode_map(b"\x89PNG\r\n", "m.png")


class TestFolders:
    def test_pictures_come_by_name_and_other_files_are_left_out(self, tmp_path):
        for name in ("b.PNG", "a.jpeg", "c.tif", "notes.txt", ".hidden.png"):
            (tmp_path / name).touch()
        assert [path.name for path in image.pictures_in(tmp_path)] == ["a.jpeg", "b.PNG", "c.tif"]

    def test_a_missing_folder_is_named(self, tmp_path):
        with pytest.raises(BadImage, match="nowhere: expected a folder of pictures"):
            image.pictures_in(Path(tmp_path / "nowhere"))

    def test_regular_files_and_links_to_them_are_pictures_and_nothing_else_named_so_is(self, tmp_path):
        (tmp_path / "b.png").write_bytes(encoded(noise(40, 50), ".png"))
        (tmp_path / "a.png").symlink_to(tmp_path / "b.png")
        (tmp_path / "folder.png").mkdir()
        os.mkfifo(tmp_path / "pipe.png")
        (tmp_path / "to-pipe.png").symlink_to(tmp_path / "pipe.png")
        (tmp_path / "to-device.png").symlink_to("/dev/zero")
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(tmp_path / "socket.png"))
            assert [path.name for path in image.pictures_in(tmp_path)] == ["a.png", "b.png"]

    def test_a_link_to_nowhere_is_listed_so_that_its_reading_tells(self, tmp_path):
        (tmp_path / "a.png").symlink_to(tmp_path / "gone")
        with pytest.raises(BadImage, match=r"a\.png: cannot be read: No such file"):
            image.read(*image.pictures_in(tmp_path))


class TestGeometry:
    def test_shrinking_averages_areas(self):
        assert image.resize(np.array([[0, 100], [100, 200]] * 2, np.uint8), 2, 1).ravel().tolist() == [100, 100]

    def test_the_same_size_is_the_same_picture(self):
        pixels = noise(20, 30)
        assert image.resize(pixels, 20, 30) is pixels

    def test_upsampling_is_bilinear_between_pixel_centres(self):
        assert image.upsample(np.array([[0, 4]], np.float32), 1, 4)[0].tolist() == [0, 1, 3, 4]

    def test_a_blur_keeps_the_mean_and_flattens_a_peak(self):
        values = np.zeros((61, 61), np.float32)
        values[30, 30] = 1
        smooth = image.blur(values, 4)
        assert smooth.sum() == pytest.approx(1, abs=1e-3)
        assert smooth[30, 30] == pytest.approx(1 / (2 * np.pi * 16), rel=0.02)

    def test_no_sigma_changes_nothing(self):
        values = noise(9, 9).astype(np.float32)
        assert image.blur(values, 0) is values

    def test_fitting_keeps_the_aspect_ratio(self):
        assert image.fit(noise(100, 400), 50, 50).shape == (12, 50)


class TestDrawing:
    def test_a_mono_picture_gets_three_equal_channels_and_a_colour_picture_stays(self):
        grey, colour = noise(5, 6), noise(5, 6, 3)
        assert (image.rgb(grey) == grey[:, :, None]).all()
        assert image.rgb(colour) is colour

    def test_text_is_drawn_in_its_colour_and_no_wider_than_it_says(self):
        paper = image.canvas(60, 400, (255, 255, 255))
        image.text(paper, 10, 40, "part 7: FAIL ≥ µ", (200, 30, 30), 24, bold=True)
        inked = np.flatnonzero((paper != 255).any(axis=(0, 2)))
        assert (paper == (200, 30, 30)).all(axis=2).any()
        assert 8 <= inked[0] <= 14
        assert inked[-1] <= 10 + image.text_width("part 7: FAIL ≥ µ", 24, bold=True) + 2

    def test_bold_text_is_wider(self):
        assert image.text_width("verdict", 20, bold=True) > image.text_width("verdict", 20)

    def test_an_outline_goes_round_the_area_and_leaves_it_as_it_is(self):
        paper = image.canvas(40, 40, (0, 0, 0))
        inside = np.zeros((40, 40), bool)
        inside[10:30, 10:30] = True
        image.outlines(paper, inside, (255, 255, 255), 1)
        assert (paper[10, 12:28] > 200).all()
        assert (paper[14:26, 14:26] == 0).all()
        assert (paper[:8] == 0).all()

    def test_warmer_is_brighter_and_values_outside_are_clamped(self):
        shown = image.warm(np.array([[-1, 0, 0.25, 0.5, 0.75, 1, 9]], np.float32))[0].astype(int).sum(axis=1)
        assert (np.diff(shown[1:6]) > 0).all()
        assert shown[0] == shown[1]
        assert shown[5] == shown[6]


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        (Cut(50, 0, 64, 48), "expected a roi inside 64 x 48, got 20 x 30 at x 50, y 0"),
        (Cut(0, 20, 64, 48), "expected a roi inside 64 x 48"),
        (Cut(0, 0, 20_000, 20_000), "expected 16 to 20000 pixels a side"),
        (Cut(-1, 0, 64, 48), "expected where it was cut, as four numbers, got b'-1 0 64 48'"),
    ],
)
def test_a_picture_that_cannot_have_been_cut_where_it_says_is_refused(cut, said):
    """Before the camera's picture is made, which a small file could ask to fill the memory."""
    assert said in refusal(image.encode_png(noise(30, 20), cut))


def test_a_grey_copy_is_the_mean_over_squares_of_whole_pixels():
    pixels = noise(41, 30)
    small = image.grey(pixels, 16)
    assert small.shape == (13, 10)
    means = pixels[:39, :30].reshape(13, 3, 10, 3).mean(axis=(1, 3))
    assert np.abs(small - means).max() <= 0.5 + 1e-6
    assert np.array_equal(image.grey(pixels, 41), pixels)
    assert image.grey(image.rgb(pixels), 16).shape == (13, 10)
