import base64
import contextlib
import io
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from models.ocr.page import LEAST_SIDE, read_page, with_margin
from models.ocr.schema import EXAMPLE

ORIENTATION = 0x0112
TURNED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


@pytest.fixture(scope="module")
def word():
    return Image.open(io.BytesIO(base64.b64decode(EXAMPLE))).convert("L")


def saved(image, format="PNG", **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def grey(pixels):
    return np.asarray(pixels).mean(axis=2)


def ink_on_nothing(word):
    image = Image.new("RGBA", word.size, (0, 0, 0, 0))
    image.putalpha(word.point(lambda shade: 255 - shade))
    return image


def in_16_bits(word):
    return Image.fromarray(np.asarray(word).astype(np.uint16) * 257)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_mode_of_png_gives_the_same_pixels(word, mode):
    assert np.array_equal(grey(read_page(saved(word.convert(mode)))), np.asarray(word))


@pytest.mark.parametrize("make", [ink_on_nothing, in_16_bits])
def test_transparency_is_white_and_16_bits_are_scaled(word, make):
    assert np.array_equal(grey(read_page(saved(make(word)))), np.asarray(word))


@pytest.mark.parametrize(("mode", "black"), [("1", 0), ("L", 0), ("P", 0), ("RGB", (0, 0, 0))])
def test_a_transparent_shade_is_white(word, mode, black):
    assert read_page(saved(word.convert(mode), transparency=black)).min() == 255


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_every_mode_of_jpeg_gives_much_the_same_pixels(word, mode):
    pixels = grey(read_page(saved(word.convert(mode), "JPEG", quality=95)))
    assert np.abs(pixels - np.asarray(word)).mean() < 5


def test_colours_are_blue_first():
    red = read_page(saved(Image.new("RGB", (2, 1), (255, 0, 7))))
    assert red.tolist() == [[[7, 0, 255], [7, 0, 255]]]


@pytest.mark.parametrize("orientation", TURNED)
def test_a_turned_image_is_put_upright(word, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    turn = TURNED[orientation]
    image = word if turn is None else word.transpose(turn)
    assert np.array_equal(grey(read_page(saved(image, exif=exif))), np.asarray(word))


def chunk(name, body):
    return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")


def header_chunk(width, height):
    return chunk(b"IHDR", width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x00\x00\x00\x00")


def with_second_header(data):
    """Claim a small size first and a huge one next, which a decoder may believe."""
    return data[:8] + header_chunk(5, 5) + header_chunk(9_000, 9_000) + data[33:]


def test_broken_images_are_refused(word):
    png, jpeg = saved(word), saved(word, "JPEG")
    broken = [
        png[: len(png) // 2],
        jpeg[: len(jpeg) // 2],
        png[:33],
        png[:40] + b"\x00\x00\x00\x00" + png[44:],
        png[:33] + chunk(b"IDAT", b"no zlib") + png[-12:],
        with_second_header(png),
        b"\x89PNG\r\n\x1a\n" + header_chunk(5, 5) + chunk(b"IEND", b""),
    ]
    for data in broken:
        with pytest.raises(ValueError, match="the image cannot be decoded"):
            read_page(data)


def test_flipped_bytes_never_end_in_another_error(word):
    random = np.random.default_rng(0)
    for data in (saved(word), saved(word, "JPEG")):
        for _ in range(200):
            bent = bytearray(data)
            for at in random.integers(8, len(data), 4):
                bent[at] = random.integers(256)
            read_or_refused(bytes(bent))


def read_or_refused(data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own, of bent EXIF data
        with contextlib.suppress(ValueError):
            assert read_page(data).ndim == 3


@pytest.mark.parametrize("size", [(1, 1), (1, 10_000), (10_000, 1), (200, 40), (736, 736), (900, 1160), (2000, 700)])
def test_a_margin_keeps_every_pixel_in_place(size):
    width, height = size
    page = np.full((height, width, 3), 9, np.uint8)
    page[0, 0] = 200
    wider = with_margin(page)
    assert np.array_equal(wider[:height, :width], page)
    assert min(wider.shape[:2]) >= LEAST_SIDE
    assert max(wider.shape[:2]) <= 2.5 * min(wider.shape[:2])
    assert (wider.shape == page.shape) == (size in {(736, 736), (900, 1160)})


def test_a_margin_has_the_shade_of_the_paper():
    page = np.full((20, 50, 3), (250, 240, 230), np.uint8)
    page[5:8, 10:30] = 0
    assert with_margin(page)[-1, -1].tolist() == [250, 240, 230]
