import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.ocr.image_header import JPEG_MAX_STEPS, ImageHeader, read_image_header

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"


def png(width, height):
    return PNG + width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\x00\x00\x00"


def segment(marker, body):
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


def frame(width, height, marker=0xC0):
    return segment(marker, b"\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + b"\x03" + bytes(9))


def jpeg(*segments):
    return b"\xff\xd8" + b"".join(segments)


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (png(640, 480), ImageHeader("PNG", 640, 480)),
        (png(10_000, 4_000), ImageHeader("PNG", 10_000, 4_000)),
        (jpeg(frame(640, 480)), ImageHeader("JPEG", 640, 480)),
        (jpeg(frame(640, 480, marker=0xC2)), ImageHeader("JPEG", 640, 480)),
        (jpeg(segment(0xE1, b"\xff\xc0" * 30), frame(3, 2)), ImageHeader("JPEG", 3, 2)),  # a decoy in the EXIF data
        (jpeg(segment(0xC4, bytes(20)), b"\xff" * 9, frame(3, 2)), ImageHeader("JPEG", 3, 2)),  # fill bytes
        (jpeg(*[segment(0xE2, bytes(60_000))] * 100, frame(3, 2)), ImageHeader("JPEG", 3, 2)),
    ],
)
def test_reads_format_and_size(data, header):
    assert read_image_header(data) == header


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "neither PNG nor JPEG"),
        (b"GIF89a" + bytes(20), "neither PNG nor JPEG"),
        (b"\xff\xd8", "neither PNG nor JPEG"),
        (b"\xff\xd8\xff", "cut short"),
        (PNG[:12], "cut short"),
        (PNG[:8] + b"\x00\x00\x00\x0dIDAT" + bytes(13), "does not begin with its header"),
        (png(0, 5), "no pixels"),
        (jpeg(frame(5, 0)), "no pixels"),
        (png(10_001, 1), "10000 pixels wide or high"),
        (png(1, 2**32 - 1), "10000 pixels wide or high"),
        (jpeg(frame(65_535, 1)), "10000 pixels wide or high"),
        (png(7_000, 7_000), "40000000 pixels"),
        (jpeg(segment(0xE0, bytes(14)), b"\xff\xda"), "no size"),
        (jpeg(b"\xff\xd9", frame(3, 2)), "no size"),
        (jpeg(segment(0xE0, bytes(14)), b"\x00\x00"), "no size"),
        (jpeg(b"\xff\xe0\x00\x00", b"\x00\x00"), "no size"),  # a length shorter than itself
        (jpeg(b"\xff\xe0\xff\xff"), "cut short"),  # a length beyond the end
        (jpeg(b"\xff\xe0\x00\x02" * (JPEG_MAX_STEPS + 1), frame(3, 2)), "no size"),
        (jpeg(b"\xff" * 10_000_000), "no size"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refuses(data, message):
    with pytest.raises(ValueError, match=message):
        read_image_header(data)


@pytest.mark.parametrize("whole", [png(3, 2)[:24], jpeg(segment(0xE0, bytes(14)), frame(3, 2)[:9])])
def test_refuses_every_beginning_of_a_header(whole):
    assert read_image_header(whole)[1:] == (3, 2)
    for length in range(len(whole)):
        with pytest.raises(ValueError, match="the image"):
            read_image_header(whole[:length])


@given(st.sampled_from([b"", PNG, PNG[:8], b"\xff\xd8\xff", b"\xff\xd8\xff\xe0"]), st.binary(max_size=200))
def test_anything_is_either_read_or_refused(beginning, rest):
    try:
        header = read_image_header(beginning + rest)
    except ValueError:
        return
    assert 1 <= header.width <= 10_000
    assert 1 <= header.height <= 10_000
