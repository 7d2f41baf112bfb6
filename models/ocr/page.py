"""From the bytes of an image file to pixels that the reader can work with."""

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from .image_header import ImageHeader, read_image_header

Pixels = NDArray[np.uint8]  # height x width x 3, blue first

# RapidOCR shrinks an image to 2000 pixels a side, then enlarges it until the shorter side has 736. For a single word
# that is slow and reads worse; for an image of one row of pixels it takes gigabytes. With a margin it does not happen.
LEAST_SIDE = 736
LARGEST_RATIO = 2.5


def read_page(data: bytes) -> Pixels:
    """Decode a PNG or JPEG of any mode, upright as its EXIF data asks; transparent parts are white.

    Raises:
        ValueError: the image is broken, cut short, too large, or of another size than its header says.
    """
    header = read_image_header(data)
    try:
        with Image.open(io.BytesIO(data), formats=[header.format]) as image:
            return _decode(image, header)
    except Exception as error:  # Pillow raises SyntaxError, struct.error, EOFError and more for broken files
        raise ValueError("the image cannot be decoded") from error


def with_margin(page: Pixels) -> Pixels:
    """Extend a small or narrow page to the right and below, in its commonest shade; where things are stays the same."""
    height, width = page.shape[:2]
    least = max(LEAST_SIDE, math.ceil(max(height, width) / LARGEST_RATIO))
    if min(height, width) >= least:
        return page
    wider = np.empty((max(height, least), max(width, least), 3), np.uint8)
    wider[:] = np.median(page, axis=(0, 1))
    wider[:height, :width] = page
    return wider


def _decode(image: Image.Image, header: ImageHeader) -> Pixels:
    if image.size != (header.width, header.height):
        raise ValueError("the image has another size than its header says")
    ImageOps.exif_transpose(image, in_place=True)
    return np.ascontiguousarray(np.asarray(_to_rgb(image))[:, :, ::-1])


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey: Pillow would clip them to 8
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    drawn = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", drawn.size, "white"), drawn).convert("RGB")
