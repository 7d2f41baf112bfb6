"""What the first bytes of a PNG or JPEG say about it, read without decoding it and without a library.

The bytes may be hostile: every step moves forward, and there are few of them.
"""

from typing import Literal, NamedTuple

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_FIRST_CHUNK = b"\x00\x00\x00\x0dIHDR"
JPEG_SIGNATURE = b"\xff\xd8\xff"
JPEG_SIZE_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15; the three are other tables
JPEG_LAST_MARKERS = frozenset({0xD9, 0xDA})  # the end, and the picture itself: no size comes after them
JPEG_MAX_STEPS = 2000  # a camera's file has some 20 segments, one with large profiles a few hundred

MAX_SIDE = 10_000
MAX_PIXELS = 40_000_000


class ImageHeader(NamedTuple):
    """The format and the size in pixels, as stored: before a turn that the EXIF data may ask for."""

    format: Literal["PNG", "JPEG"]
    width: int
    height: int


def read_image_header(data: bytes) -> ImageHeader:
    """Read the header of a whole image file.

    Raises:
        ValueError: neither PNG nor JPEG, cut short, without a size, or larger than the limits.
    """
    if data.startswith(PNG_SIGNATURE):
        header = ImageHeader("PNG", *_png_size(data))
    elif data.startswith(JPEG_SIGNATURE):
        header = ImageHeader("JPEG", *_jpeg_size(data))
    else:
        raise ValueError("the image is neither PNG nor JPEG")
    _check_limits(header)
    return header


def _check_limits(header: ImageHeader) -> None:
    if min(header.width, header.height) == 0:
        raise ValueError("the image has no pixels")
    if max(header.width, header.height) > MAX_SIDE:
        raise ValueError(f"the image is more than {MAX_SIDE} pixels wide or high")
    if header.width * header.height > MAX_PIXELS:
        raise ValueError(f"the image has more than {MAX_PIXELS} pixels")


def _png_size(data: bytes) -> tuple[int, int]:
    start = len(PNG_SIGNATURE)
    if _part(data, start, len(PNG_FIRST_CHUNK)) != PNG_FIRST_CHUNK:
        raise ValueError("the PNG does not begin with its header")
    start += len(PNG_FIRST_CHUNK)
    return _number(data, start, 4), _number(data, start + 4, 4)


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = 2
    for _ in range(JPEG_MAX_STEPS):
        if _number(data, at, 1) != 0xFF:  # noqa: PLR2004 (what every marker begins with)
            break
        marker = _number(data, at + 1, 1)
        if marker in JPEG_SIZE_MARKERS:  # then: length (2 bytes), bits per sample (1), height (2), width (2)
            return _number(data, at + 7, 2), _number(data, at + 5, 2)
        if marker in JPEG_LAST_MARKERS:
            break
        at += _step(data, at, marker)
    raise ValueError("the JPEG has no size in its header")


def _step(data: bytes, at: int, marker: int) -> int:
    if marker == 0xFF:  # noqa: PLR2004 (a fill byte: the marker may begin at the next one)
        return 1
    return 2 + _number(data, at + 2, 2)


def _number(data: bytes, start: int, length: int) -> int:
    return int.from_bytes(_part(data, start, length), "big")


def _part(data: bytes, start: int, length: int) -> bytes:
    part = data[start : start + length]
    if len(part) < length:
        raise ValueError("the image is cut short")
    return part
