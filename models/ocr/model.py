"""RapidOCR (PP-OCRv4 on onnxruntime; its weights come with it): finds lines of text, then reads them."""

import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import cv2
from rapidocr_onnxruntime import RapidOCR

from .image_header import read_image_header
from .page import read_page, with_margin
from .schema import Input, Line, Output, decode_image


def fetch_nothing(_: str) -> bytes:
    """Stand in for what fetches a URL, where this model is used by itself.

    Raises:
        ValueError: always.
    """
    raise ValueError("nothing is fetched from a URL here")


class Model:
    """A loaded reader. It uses as many threads as OMP_NUM_THREADS says, one if it says nothing."""

    def __init__(self) -> None:
        """Load the three networks: where text is, whether it is upside down, what it says."""
        threads = thread_count(os.environ.get("OMP_NUM_THREADS", ""), os.cpu_count() or 1)
        cv2.setNumThreads(threads)
        self._reader = RapidOCR(intra_op_num_threads=threads, inter_op_num_threads=threads, text_score=0.0)

    def predict(self, input: Input, *, fetch: Callable[[str], bytes] = fetch_nothing) -> Output:
        """Read an image.

        Raises:
            ValueError: the image cannot be fetched or decoded.
        """
        page = read_page(load_image(input, fetch))
        height, width = page.shape[:2]
        found, _ = self._reader(with_margin(page))
        lines = [to_line(each, width, height) for each in found or []]
        kept = [line for line in lines if line.text and line.confidence >= input.min_confidence]
        ordered = in_reading_order(kept)
        return Output(lines=tuple(ordered), text="\n".join(line.text for line in ordered))


def load_image(input: Input, fetch: Callable[[str], bytes]) -> bytes:
    """Return the file that `input` has or names.

    Raises:
        ValueError: it cannot be fetched, or is no image that is read here.
    """
    if input.url is None:
        return decode_image(input.image or "")
    data = fetch(input.url)
    read_image_header(data)  # of an image in the request this has been looked at before it was accepted
    return data


def thread_count(wanted: str, cores: int) -> int:
    """Read OMP_NUM_THREADS ("4", or "4,2" for nested loops) as a number of threads from 1 to `cores`."""
    first = wanted.partition(",")[0].strip()
    # RapidOCR takes a number above that of the cores for "all of them".
    return min(max(int(first), 1), cores) if first.isdecimal() else 1


def to_line(found: Sequence[Any], width: int, height: int) -> Line:
    """Make a Line of what RapidOCR found: corners, text, score. Corners outside of the page are moved to its edge."""
    corners, text, score = found
    box = tuple((round(clamp(x, width), 1), round(clamp(y, height), 1)) for x, y in corners)
    return Line(text=text.strip(), confidence=clamp(score, 1), box=box)


def clamp(value: float, highest: float) -> float:
    """Return the number from 0 to `highest` that is nearest to `value`."""
    return min(max(float(value), 0.0), float(highest))


def in_reading_order(lines: Iterable[Line]) -> list[Line]:
    """Sort lines from the top; those side by side in a row, from the left."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=middle):
        if rows and same_row(rows[-1][-1], line):
            rows[-1].append(line)
        else:
            rows.append([line])
    return list(itertools.chain.from_iterable(sorted(row, key=left) for row in rows))


def same_row(one: Line, other: Line) -> bool:
    """Tell whether two middles are closer than half of the height of the lesser line."""
    return abs(middle(one) - middle(other)) < min(line_height(one), line_height(other)) / 2


def middle(line: Line) -> float:
    """Return the vertical middle of a line's box."""
    return sum(y for _, y in line.box) / len(line.box)


def line_height(line: Line) -> float:
    """Return how high a line's box is, a tilted one measured along its left edge."""
    (_, top), (_, bottom) = line.box[0], line.box[3]
    return abs(bottom - top)


def left(line: Line) -> float:
    """Return where a line's box begins."""
    return min(x for x, _ in line.box)
