"""Request lines, headers and framing that no honest client sends."""

from uuid import uuid4

from tests.integration.api.hostile_bodies import CANARY
from tests.integration.api.raw import HOST, JSON, chunked, get, post

C = CANARY.encode()
OK = b'{"text": "a"}'
TASK = b"/task/" + str(uuid4()).encode()
SMUGGLED = b"GET /" + C + b" HTTP/1.1\r\n" + HOST + b"\r\n"

MALFORMED = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "Redis": b"*1\r\n$4\r\nPING\r\n",
    "a version that is none": b"GET /livez HTTP/9.9\r\n" + HOST + b"\r\n",
    "a method that is none": b"%b /livez HTTP/1.1\r\n%b\r\n" % (C, HOST),
    "a method in lower case": b"get /livez HTTP/1.1\r\n" + HOST + b"\r\n",
    "CONNECT": b"CONNECT example.com:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "no path": b"GET http://example.com HTTP/1.1\r\n" + HOST + b"\r\n",
    "no Host": get(b"/livez", host=b""),
    "two Hosts": get(b"/livez", HOST[:-2]),
    "bytes in the path": get(b"/task/\xff"),
    "a control character in the path": get(b"/task/\x01"),
    "bytes in the query": get(b"/task?\xff=1"),
    "a folded header": get(b"/livez", b"X-A: b\r\n " + C),
    "CR in a header": get(b"/livez", b"X-A: b\r" + C),
    "LF in a header": get(b"/livez", b"X-A: b\n" + C),
    "NUL in a header": get(b"/livez", b"X-A: b\x00" + C),
    "a space before the colon": get(b"/livez", b"X-A : b"),
    "bytes in a header's name": get(b"/livez", b"X-\xff: b"),
    "no colon": get(b"/livez", C),
    "LF for CRLF": b"GET /livez HTTP/1.1\nHost: a\n\n",
    "both lengths": post(b"0\r\n\r\n" + SMUGGLED, b"Transfer-Encoding: chunked"),
    "both lengths, chunked first": chunked(b"0\r\n\r\n" + SMUGGLED, b"Content-Length: 5"),
    "two lengths": post(OK, b"Content-Length: 5"),
    "one length twice": post(OK, b"Content-Length: %d" % len(OK)),
    **{
        f"length {length[:20]!r}": b"POST /task/echo HTTP/1.1\r\n%b%bContent-Length: %b\r\n\r\n%b"
        % (HOST, JSON, length, OK)
        for length in (b"-1", b"+13", b"0x0d", b"13, 13", b"1 3", b"", b"1e1", b"9" * 30, b"9" * 5000, b"\xd9\xa1")
    },
    "two codings": chunked(b"0\r\n\r\n").replace(b"chunked", b"chunked, identity"),
    "an escape in a header": get(b"/livez", b"X-Request-ID: " + C + b"\x1b[31m"),
    **{
        f"chunks {chunks[:20]!r}": chunked(chunks + SMUGGLED)
        for chunks in (
            b"zz\r\n",
            b"-2\r\n{}\r\n",
            b"f" * 17 + b"\r\n",
            b"2\r\n{}XX0\r\n\r\n",
            b"0x2\r\n{}\r\n",
            b" 2\r\n{}\r\n",
            b"2\n{}\n0\n\n",
            b"\r\n",
        )
    },
}

# What is answered, though it is odd: the first status, on a connection that stays.
ODD = {
    "TRACE": (b"TRACE /livez HTTP/1.1\r\n" + HOST + b"X-A: " + C + b"\r\n\r\n", 405),
    "PROPFIND": (b"PROPFIND /task HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    "OPTIONS *": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    "HTTP/1.0": (b"GET /livez HTTP/1.0\r\n\r\n", 200),
    "another's host": (get(b"/livez", host=b"Host: %b.example\r\n" % C), 200),
    "an empty host": (get(b"/livez", host=b"Host:\r\n"), 200),
    "a forwarded host": (
        get(b"/", b"X-Forwarded-Host: " + C, b"Forwarded: host=" + C, b"X-Forwarded-Prefix: /" + C),
        307,
    ),
    "a whole URL": (get(b"http://%b.example/livez" % C), 200),
    "1000 headers": (get(b"/livez", *[b"X-A: " + C] * 1000), 200),
    "60 KB in a header": (get(b"/livez", b"X-A: " + C * 10_000), 200),
    "bytes in a header": (get(b"/livez", b"X-A: \xff\xfe\x80"), 200),
    "a path of 60 KB": (get(b"/task/" + b"a" * 60_000), 422),
    **{
        f"path {path!r}": (get(path), status)
        for path, status in {
            b"/task/%0aFORGED": 422,
            b"/task/%0d%0aX-A:%20b": 422,
            b"/task/%00": 422,
            b"/task/%ff": 422,
            b"/task/%ed%a0%80": 422,
            b"/task/%zz%": 422,
            b"/task/%1b[31m": 422,
            b"/task/..%2f..%2fetc%2fpasswd": 404,
            b"/docs/%2e%2e/%2e%2e/etc/passwd": 404,
            b"/task/%2e%2e": 422,
            b"//livez": 404,
            b"//example.com/livez": 404,
            b"/livez/": 404,
            b"/livez;a=b": 404,
            b"/livez#x": 200,
            b"/models/%0a": 404,
            b"/models/__proto__": 404,
            b"/task/{}": 422,
            b"/task/" + b"0" * 32: 404,
            b"/task/%EF%BC%91" + b"0" * 31: 404,
        }.items()
    },
    **{
        f"query {query[:30]!r}": (get(b"/task?" + query), 422)
        for query in (
            b"&".join(b"a%d=1" % n for n in range(8_000)),
            b"&".join([b"limit=1"] * 8_000),
            b"&".join([b"a="] * 16_000),
            b"limit=%",
            b"limit=%zz",
            b"limit=%ff",
            b"%ff=1",
            b"=",
            b"limit=1&limit=1",
            b"limit=1%00",
            b"limit=" + b"9" * 5_000,
            b"limit=-1",
            b"limit=\xef\xbc\x91".replace(b"\xef\xbc\x91", b"1e1"),
            b"cursor=%0a1",
            b"cursor=1%0a",
            b"status=" + C,
            b"__class__=1",
            b"model=" + b"a" * 65,
        )
    },
    **{
        f"{header[:40]!r}": (get(TASK, header), 404)
        for header in (
            b"X-Request-ID: " + C * 2_000,
            b'X-Request-ID: {"event":"' + C + b'"}',
            b"X-Request-ID: \xff",
            b"Prefer: wait=" + b"9" * 5_000,
            b"Prefer: wait=-1, wait=nan, " + C,
            b"Prefer: " + b"," * 50_000,
            b"Prefer: wait" + b" " * 50_000 + b"x",
            b"If-None-Match: " + b'"a",' * 10_000,
            b"If-None-Match: " + b'"' * 50_001,
            b"If-None-Match: W/" + b"W/" * 20_000,
            b"Authorization: Bearer " + C * 5_000,
            b"Authorization: \xff",
            b"Authorization: Basic !!!",
            b"X-API-Key: \xff",
            b"Range: bytes=0-",
            b"Accept: " + C,
            b"Accept-Encoding: " + C,
            b"Cookie: " + C,
            b"Expect: " + C,
            b"Connection: " + C,
            b"TE: trailers",
            b"Upgrade: websocket\r\nConnection: Upgrade",
            b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: " + C,
        )
    },
    "Last-Event-ID": (get(TASK + b"/events", b"Last-Event-ID: " + C + b"\xff" * 1000), 404),
    **{
        f"Idempotency-Key {key[:20]!r}": (post(OK, b"Idempotency-Key: " + key), 400)
        for key in (
            b"",
            b'""',
            b'"',
            C + b"\xff",
            b'"' + C + b'\\x"',
            C + b" " + C,
            C * 100,
            b"a\r\nIdempotency-Key: b",
        )
    },
    "gzip and chunked": (chunked(b"2\r\n{}\r\n0\r\n\r\n", b"Content-Encoding: gzip"), 415),
    "a chunk's extension": (chunked(b"d;%b=%b\r\n%b\r\n0\r\n\r\n" % (C, C, OK)), 202),
    "HTTP/1.1 with a length, and a body too short to come": (post(b"", b"X-A: b"), 400),
}
