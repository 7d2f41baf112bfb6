"""Bodies that are wrong, or mean harm, each with the kind of problem that it is."""

import gzip
import json
from dataclasses import dataclass, field

from tests.integration.api.process import MAX_BODY_BYTES

CANARY = "cAn4rY"
BROKEN, INVALID, UNSUPPORTED, LARGE = "broken-json", "invalid-input", "unsupported-media-type", "body-too-large"
STATUS = {BROKEN: 400, INVALID: 422, UNSUPPORTED: 415, LARGE: 413, None: 202}
PLAIN = {"Content-Type": "application/json"}
DIGITS = [0] * 63


@dataclass(frozen=True)
class Row:
    """A body, and the kind of problem that it is; None: it is in order."""

    name: str
    body: bytes
    kind: str | None
    model: str = "echo"
    headers: dict[str, str] = field(default_factory=lambda: PLAIN)


def text(value: str) -> bytes:
    return b'{"text": "%b", "note": "%b"}' % (value.encode(), CANARY.encode())


def number(value: str, model: str = "shape") -> bytes:
    if model == "digits":
        return f'{{"pixels": [{",".join(map(str, DIGITS))},{value}]}}'.encode()
    return f'{{"shape": {{"kind": "circle", "radius": {value}}}, "note": "{CANARY}"}}'.encode()


def nested(opening: str, closing: str, depth: int, inner: str = "") -> bytes:
    return (opening * depth + inner + closing * depth).encode()


def typed(name: str, value: str | None, kind: str | None) -> Row:
    return Row(
        f"content-type {name}", b'{"text": "fine"}', kind, headers={} if value is None else {"Content-Type": value}
    )


NUMBERS = [
    *(
        Row(f"{word} in {model}", number(word, model), BROKEN, model)
        for word in ("NaN", "Infinity", "-Infinity")
        for model in ("shape", "digits")
    ),
    *(
        Row(f"{word}, no word of JSON", number(word), BROKEN, "shape")
        for word in ("nan", "inf", "-NaN", "+1", "01", "0x1", "1.", ".5", "1e", "1_0")
    ),
    Row("NaN where a text belongs", b'{"text": NaN}', BROKEN),
    Row("NaN as an unknown field", b'{"text": "a", "x": NaN}', BROKEN),
    Row("NaN within a text", b'{"text": "NaN and Infinity"}', None),
    Row("NaN as a text for a number", number('"NaN"', "digits"), INVALID, "digits"),
    Row("1e999", number("1e999", "digits"), INVALID, "digits"),
    Row("-1e999", number("-1e999", "digits"), INVALID, "digits"),
    Row("1e-999 is 0", number("1e-999", "digits"), None, "digits"),
    Row("400 digits and a point", number("1" * 400 + ".0", "digits"), INVALID, "digits"),
    Row("400 digits", number("1" * 400, "digits"), INVALID, "digits"),
    Row("5000 digits", number("1" * 5000, "digits"), BROKEN, "digits"),
    Row("5000 digits where a text belongs", b'{"text": %b}' % (b"1" * 5000), BROKEN),
    Row("5000 digits after the point", number("1." + "1" * 5000, "digits"), None, "digits"),
    Row("400 digits for a small number", b'{"text": "a", "times": %b}' % (b"1" * 400), INVALID),
    Row("wait_time 1e400", b'{"wait_time": 1e400}', INVALID, "wait"),
    Row("wait_time true", b'{"wait_time": true}', INVALID, "wait"),
    Row("-0", number("-0.0", "digits"), None, "digits"),
]

TEXTS = [
    *(
        Row(f"lone surrogate {escape}", text(escape), BROKEN)
        for escape in (r"\ud800", r"\udfff", r"\ud800\ud800", r"\udc00\ud800", r"\ud800x")
    ),
    Row("a pair of surrogates", rb'{"text": "\ud83d\ude00"}', None),
    Row("lone surrogate in a name", rb'{"text": "a", "\ud800": 1}', BROKEN),
    Row("invalid UTF-8", b'{"text": "\xff"}', BROKEN),
    Row("invalid UTF-8 in a name", b'{"text": "a", "\xff": 1}', BROKEN),
    Row("overlong /", b'{"text": "\xc0\xaf"}', BROKEN),
    Row("surrogate in UTF-8", b'{"text": "\xed\xa0\x80"}', BROKEN),
    Row("beyond Unicode", b'{"text": "\xf4\x90\x80\x80"}', BROKEN),
    Row("latin-1", '{"text": "ä"}'.encode("latin-1"), BROKEN),
    Row("a byte order mark", b'\xef\xbb\xbf{"text": "a"}', BROKEN),
    *(Row(name, '{"text": "a"}'.encode(name), BROKEN) for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32")),
    Row("UTF-7", b'{"text": +AGEA-}', BROKEN),
    Row("NUL escaped", rb'{"text": "\u0000"}', None),
    Row("NUL", b'{"text": "\x00"}', BROKEN),
    Row("NUL after the end", b'{"text": "a"}\x00', BROKEN),
    Row("a line break in a text", b'{"text": "a\nb"}', BROKEN),
    Row("an escape that is none", rb'{"text": "\x41"}', BROKEN),
    Row("a short escape", rb'{"text": "\u00"}', BROKEN),
]

SHAPES = [
    Row("2000 arrays", nested("[", "]", 2000), BROKEN),
    Row("2000 objects", nested('{"text":', "}", 2000, "1"), BROKEN),
    Row("2000 arrays in a field", b'{"text": %b}' % nested("[", "]", 2000), BROKEN),
    Row(
        "2000 nodes",
        b'{"shape": {"kind": "circle", "radius": 1}, "node": %b}' % nested('{"children": [', "]}", 2000),
        BROKEN,
        "shape",
    ),
    Row(
        "100 nodes, more than pydantic follows",
        b'{"shape": {"kind": "circle", "radius": 1}, "node": %b}' % nested('{"children": [', "]}", 150),
        BROKEN,
        "shape",
    ),
    Row(
        "10 nodes",
        b'{"shape": {"kind": "circle", "radius": 1}, "node": %b}' % nested('{"children": [', "]}", 10, "{}"),
        None,
        "shape",
    ),
    Row("30000 arrays that never end", b"[" * 30_000, BROKEN),
    Row("30000 ends", b"]" * 30_000, BROKEN),
    Row("cut off", b'{"text": "%b' % CANARY.encode(), BROKEN),
    Row("a comma too much", b'{"text": "a",}', BROKEN),
    Row("a comment", b'{"text": "a"} // ' + CANARY.encode(), BROKEN),
    Row("single quotes", b"{'text': 'a'}", BROKEN),
    Row("two documents", b'{"text": "a"}{"text": "b"}', BROKEN),
    Row("JSON lines", b'{"text": "a"}\n{"text": "b"}\n', BROKEN),
    Row("a form", b"text=" + CANARY.encode(), BROKEN),
    Row("XML", b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', BROKEN),
    Row("a pickle", b"\x80\x04\x95\x0a\x00\x00\x00\x00\x00\x00\x00}\x94.", BROKEN),
    Row("nothing", b"", BROKEN),
    Row("spaces", b" \r\n\t", BROKEN),
    *(
        Row(f"{value!r} alone", value, INVALID)
        for value in (b"null", b"true", b"5", b"[]", b'"%b"' % CANARY.encode(), b'["%b"]' % CANARY.encode())
    ),
    Row("null for a text", b'{"text": null}', INVALID),
    Row("an object for a text", b'{"text": {"%b": 1}}' % CANARY.encode(), INVALID),
    Row("another tag", b'{"shape": {"kind": "%b", "radius": 1}}' % CANARY.encode(), INVALID, "shape"),
    Row(
        "another word", b'{"shape": {"kind": "circle", "radius": 1}, "color": "%b"}' % CANARY.encode(), INVALID, "shape"
    ),
    Row("no image", json.dumps({"image": CANARY}).encode(), INVALID, "ocr"),
    Row(
        "a URL where none is fetched", json.dumps({"url": f"http://169.254.169.254/{CANARY}"}).encode(), INVALID, "ocr"
    ),
]

FIELDS = [
    *(
        Row(f"field {name}", json.dumps({"text": "a", name: CANARY}).encode(), INVALID)
        for name in (
            "other",
            "__proto__",
            "__class__",
            "__init__",
            "constructor",
            "model_config",
            "self",
            "",
            "text ",
            "Text",
            "\x00",
            "\x1b[31m",
            "\n",
            "\U0001f600",
            "a.b",
            "$ref",
        )
    ),
    Row("a field of 10000 letters", json.dumps({"text": "a", "x" * 10_000 + CANARY: 1}).encode(), INVALID),
    Row("3000 unknown fields", json.dumps({f"{n:04}": CANARY for n in range(3000)}).encode(), INVALID),
    Row("20000 wrong elements", b'{"pixels": [%b]}' % b",".join([b'""'] * 20_000), INVALID, "digits"),
    Row("the first of two is wrong", b'{"text": %b, "text": "a"}' % b"5", None),
    Row("the last of two is wrong", b'{"text": "a", "text": 5}', INVALID),
    Row("60 of the same", b"{%b}" % b",".join([b'"text": "a"'] * 60), None),
    Row("a name that is escaped", rb'{"\u0074ext": "a"}', None),
    Row(
        "unknown fields where they are passed over",
        b'{"shape": {"kind": "circle", "radius": 1}, "__proto__": {"x": 1}}',
        None,
        "shape",
    ),
]

TYPES = [
    typed("none", None, UNSUPPORTED),
    *(
        typed(value or "empty", value, UNSUPPORTED)
        for value in (
            "",
            "text/plain",
            "text/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/xml",
            "application/x-ndjson",
            "application/json-seq",
            "application/json, text/plain",
            "application/jsonx",
            "application",
            "application/",
            "*/*",
            "application/*",
            ";",
            "application/json; charset=latin-1",
            "application/json; charset=utf-16",
            "application/json; charset=",
            "application/json; charset=utf-8; charset=latin-1",
            "application/json;charset=UTF-7",
            f"{CANARY}/json",
            "x" * 10_000,
        )
    ),
    *(
        typed(value, value, None)
        for value in (
            "application/json",
            "APPLICATION/JSON",
            "application/json; charset=utf-8",
            'application/json;charset="UTF-8"',
            "application/json ; Charset=Utf8",
            "application/json; odata=verbose",
            "application/json-patch+json",
            "application/vnd.example+json",
        )
    ),
    *(
        Row(
            f"content-encoding {coding}",
            gzip.compress(b'{"text": "a"}'),
            UNSUPPORTED,
            headers={**PLAIN, "Content-Encoding": coding},
        )
        for coding in ("gzip", "deflate", "br", "identity, gzip", CANARY)
    ),
    Row("content-encoding identity", b'{"text": "a"}', None, headers={**PLAIN, "Content-Encoding": "Identity"}),
]

LENGTHS = [
    Row("as large as allowed", b'{"text": "%b"}' % (b"a" * (MAX_BODY_BYTES - 12)), None),
    Row("one byte more", b'{"text": "%b"}' % (b"a" * (MAX_BODY_BYTES - 11)), LARGE),
    Row("100000 arrays", nested("[", "]", 100_000), LARGE),
    Row("100000 objects", nested('{"a":', "}", 100_000, "1"), LARGE),
    Row("spaces without end", b" " * (2 * MAX_BODY_BYTES), LARGE),
]
ROWS = [*NUMBERS, *TEXTS, *SHAPES, *FIELDS, *TYPES, *LENGTHS]
