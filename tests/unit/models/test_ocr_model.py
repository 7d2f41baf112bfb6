import base64
import difflib
import io
import itertools
from pathlib import Path

import pytest
from PIL import Image

from models.ocr.schema import EXAMPLE, Input, Line

DATA = Path(__file__).parents[2] / "data"

pytest.importorskip("rapidocr_onnxruntime", reason="rapidocr-onnxruntime has no release for this Python")
from models.ocr.model import Model, in_reading_order, thread_count, to_line  # noqa: E402 (only where it can be)


@pytest.fixture(scope="module")
def model():
    return Model()


@pytest.fixture(scope="module")
def page(model):
    return model.predict(Input(image=encoded((DATA / "page.png").read_bytes())))


def encoded(data):
    return base64.b64encode(data).decode()


def saved(image, format="PNG"):
    file = io.BytesIO()
    image.save(file, format)
    return file.getvalue()


def without_spaces(text):
    return "".join(text.split())


def line(text, left, top, height=20, width=100):
    box = ((left, top), (left + width, top), (left + width, top + height), (left, top + height))
    return Line(text=text, confidence=1, box=box)


def test_reads_what_is_fetched_from_a_url(model):
    asked = []

    def fetch(url):
        asked.append(url)
        return base64.b64decode(EXAMPLE)

    assert model.predict(Input(url="https://example.com/page.png"), fetch=fetch).text == "Penstock reads this"
    assert asked == ["https://example.com/page.png"]


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", base64.b64decode(EXAMPLE)[:20]])
def test_what_is_fetched_must_be_an_image(model, data):
    with pytest.raises(ValueError, match=r"neither PNG nor JPEG|cut short"):
        model.predict(Input(url="https://example.com/"), fetch=lambda _: data)


def test_by_itself_it_fetches_nothing(model):
    with pytest.raises(ValueError, match="nothing is fetched"):
        model.predict(Input(url="https://example.com/"))


def test_reads_the_example(model):
    output = model.predict(Input(image=EXAMPLE))
    assert output.text == "Penstock reads this"
    assert output.lines[0].confidence > 0.9


def test_reads_a_page(page):
    truth = (DATA / "page.txt").read_text()
    alike = difflib.SequenceMatcher(None, without_spaces(page.text), without_spaces(truth), autojunk=False).ratio()
    assert alike > 0.99
    assert page.text == "\n".join(each.text for each in page.lines)
    assert len(page.lines) == len(truth.splitlines())


def test_the_lines_of_a_page_go_down_and_in_a_row_to_the_right(page):
    tops = [each.box[0][1] for each in page.lines]
    assert all(later > earlier - 10 for earlier, later in itertools.pairwise(tops))
    texts = [without_spaces(each.text) for each in page.lines]
    assert texts.index("86m") == texts.index("Lengthofthepipe") + 1


def test_boxes_are_where_the_text_is(model):
    word = Image.open(io.BytesIO(base64.b64decode(EXAMPLE))).convert("L")
    sheet = Image.new("L", (2600, 1500), 255)
    sheet.paste(word.resize((word.width * 2, word.height * 2)), (1700, 900))
    [found] = model.predict(Input(image=encoded(saved(sheet)))).lines
    (left, top), _, (right, bottom), _ = found.box
    assert 1690 <= left < right <= 1710 + word.width * 2
    assert 890 <= top < bottom <= 910 + word.height * 2


@pytest.mark.parametrize("size", [(1, 1), (40, 2000), (800, 600)])
def test_an_empty_page_has_no_text(model, size):
    output = model.predict(Input(image=encoded(saved(Image.new("L", size, 255)))))
    assert output.lines == ()
    assert output.text == ""


def test_leaves_out_what_it_is_less_sure_of(model):
    assert model.predict(Input(image=EXAMPLE, min_confidence=1)).lines == ()


def test_goes_on_after_a_broken_image(model):
    data = base64.b64decode(EXAMPLE)
    with pytest.raises(ValueError, match="the image cannot be decoded"):
        model.predict(Input(image=encoded(data[: len(data) // 2])))
    assert model.predict(Input(image=EXAMPLE)).text == "Penstock reads this"


def test_the_reading_order_is_rows_from_the_top_and_each_from_the_left():
    lines = [
        line("below", 0, 40),
        line("right", 300, 4),
        line("middle", 150, 8, height=24),
        line("left", 0, 7),
        line("last", 0, 80),
    ]
    assert [each.text for each in in_reading_order(lines)] == ["left", "middle", "right", "below", "last"]


def test_no_lines_are_in_order():
    assert in_reading_order([]) == []


def test_a_line_stays_on_the_page():
    made = to_line([[[-3.0, -1.0], [120.26, 0.0], [120.26, 30.0], [0.0, 30.0]], " text ", 1.0000001], 100, 20)
    assert made == Line(text="text", confidence=1, box=((0, 0), (100, 0), (100, 20), (0, 20)))


@pytest.mark.parametrize(
    ("wanted", "cores", "threads"),
    [
        ("", 8, 1),
        ("1", 8, 1),
        ("4", 8, 4),
        ("64", 8, 8),
        ("0", 8, 1),
        ("4,2", 8, 4),
        (" 2 ", 8, 2),
        ("many", 8, 1),
        ("-3", 8, 1),
    ],
)
def test_the_number_of_threads_is_that_of_the_environment(wanted, cores, threads):
    assert thread_count(wanted, cores) == threads
