"""Malformed requests, made from good ones; the same for the same seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any, cast

from exchanges import JSON, Case, request

Place = tuple[str | int, ...]


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Where every value in a JSON value stands, the whole of it last."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*at, key))
    yield at


def put(body: Any, at: Place, value: Any) -> Any:
    """A copy of `body` that has `value` at a place."""
    if not at:
        return value
    changed = deepcopy(body)
    parent = changed
    for key in at[:-1]:
        parent = parent[key]
    parent[at[-1]] = value
    return changed


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


WRONG: list[Any] = [
    None, True, False, 0, -1, 1, 1.5, -0.0, 1e308, 5e-324, 2**31, 2**63, -(2**64), 10**400, 7 * 10**4000,
    "", " ", "\0", "\n", "a", "0", "-1", "null", "\ud800", "a\udfff", "\ud83d\ude00", "\u202e", "\ufeff",
    "e\u0301" * 50, "\U0010ffff", "\x1b[2J", "%s%n{0}{{x}}", "a" * 100_000, "/", "/etc/passwd", "/\0", "~", "~nobody/x",
    "~no-such-user/x", "~\0", "../x", "./" + "x" * 300, ".", "C:\\x", "package:os", "package:os/path", "a/b/c", "a@b=c",
    "package:llamafarm_universal/../x", "x/y@dtype=fp8", "x/y@trust_remote_code=true", "x/y@revision=..",
    "x/y@options.a=1", "x/y@signed=0", "x/y@dtype=NaN",
    "http://127.0.0.1/", "file:///etc/passwd", "data:text/plain;base64,%%", "<|im_start|>", "{{ 7*7 }}", "{% raw %}",
    [], [[]], [None], [True], [1], [-1], [1.5], [2**31], [2**70], ["a", 1], [[1], "a"], [{}], [""], ["\ud800"], ["\0"],
    [1] * 5000, ["a"] * 5000, {}, {"": None}, {"a": {}}, {"type": "text"}, {"\ud800": 1}, {"a" * 5000: 1}, {"-1": 1},
    {"1": "a"}, {"1": 10**400}, {"999999999": 1}, {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}},
    nested(150), nested(500),
]  # fmt: skip
KEYS = ["", "x", "Model", "modell", "\0", "\ud800", "__class__", "a.b", "messages[0]", "a" * 3000, "\u202e", "ｍodel"]


def wrong_values(valid: dict[str, Any], chance: random.Random, untouched: Place = ()) -> Iterator[Case]:
    """Valid requests with something else at one place, without end. untouched: fields that stay as they are."""
    while True:
        path = chance.choice(sorted(valid))
        body = valid[path]
        changed, what = chance.choice(CHANGES)(body, chance, untouched)
        content = json.dumps(changed).encode()
        yield Case(f"{path}: {what}", request(path, content))


def _replaced(body: Any, chance: random.Random, untouched: Place) -> tuple[Any, str]:
    at, value = _place(body, chance, untouched), chance.choice(WRONG)
    return put(body, at, value), f"{at} is {value!r:.60}"


def _wrapped(body: Any, chance: random.Random, untouched: Place) -> tuple[Any, str]:
    at = _place(body, chance, untouched)
    value = _at(body, at)
    wrapped: Any = chance.choice([[value], {"a": value}, [value] * 3, json.dumps(value)])
    return put(body, at, wrapped), f"{at} is wrapped: {wrapped!r:.60}"


def _without(body: Any, chance: random.Random, untouched: Place) -> tuple[Any, str]:
    at = _place(body, chance, untouched)
    if not at:
        return {}, "nothing in it"
    parent = deepcopy(_at(body, at[:-1]))
    del parent[at[-1]]
    return put(body, at[:-1], parent), f"{at} is gone"


def _more(body: Any, chance: random.Random, untouched: Place) -> tuple[Any, str]:
    objects = [at for at in places(body) if isinstance(_at(body, at), dict)]
    at, key = chance.choice(objects), chance.choice(KEYS)
    value = chance.choice(WRONG)
    return put(body, at, {**_at(body, at), key: value}), f"{at} has {key!r:.20} too: {value!r:.40}"


CHANGES: list[Callable[[Any, random.Random, Place], tuple[Any, str]]] = [
    _replaced, _replaced, _replaced, _replaced, _wrapped, _without, _more
]  # fmt: skip


def _place(body: Any, chance: random.Random, untouched: Place) -> Place:
    return chance.choice([at for at in places(body) if not at or at[0] not in untouched])


def _at(body: Any, at: Place) -> Any:
    for key in at:
        body = body[key]
    return body


def wrong_texts(valid: dict[str, Any], chance: random.Random) -> Iterator[Case]:
    """Valid requests whose text is damaged, without end."""
    while True:
        path = chance.choice(sorted(valid))
        text = json.dumps(valid[path]).encode()
        damage = chance.choice(DAMAGES)
        yield Case(f"{path}: {damage.__name__.strip('_')}", request(path, damage(text, chance)))


def _cut(text: bytes, chance: random.Random) -> bytes:
    return text[: chance.randrange(len(text))]


def _flipped(text: bytes, chance: random.Random) -> bytes:
    changed = bytearray(text)
    for _ in range(chance.randint(1, 5)):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _spliced(text: bytes, chance: random.Random) -> bytes:
    start, end = sorted(chance.sample(range(len(text)), 2))
    return text[:end] + text[start:] if chance.random() < 0.5 else text[:start] + text[end:]


def _inserted(text: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(text))
    return text[:at] + chance.choice(PIECES) + text[at:]


def _recoded(text: bytes, chance: random.Random) -> bytes:
    coding = chance.choice(["utf-16", "utf-32-be", "utf-8-sig", "cp037", "utf-7"])
    return cast("str", json.loads(json.dumps(text.decode()))).encode(coding)


def _said_twice(text: bytes, _: random.Random) -> bytes:
    return text[:-1] + b', "model": "other/model"}'


PIECES = [b"\0", b"\xff", b"\xed\xa0\x80", b"NaN", b"-Infinity", b"1e999", b"\\ud800", b"\\u", b'"', b"{", b"]", b",,",
          b"[" * 100_000, b"9" * 5000, b"//", b"\xf0\x9f", b"\xef\xbb\xbf", b"'", b"\r\n\r\n"]  # fmt: skip
DAMAGES: list[Callable[[bytes, random.Random], bytes]] = [_cut, _flipped, _spliced, _inserted, _inserted, _recoded,
                                                          _said_twice]  # fmt: skip


def wrong_heads(path: str, body: dict[str, Any]) -> Iterator[Case]:
    """A valid body under headers that are wrong."""
    content = json.dumps(body).encode()
    kinds = ["", "text/plain", "application/json; charset=utf-16", "application/jsonx", "a" * 5000, "\xff\xfe", ";",
             "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "x" * 300,
             "application/x-www-form-urlencoded", "application/json, application/json"]  # fmt: skip
    for kind in kinds:
        yield Case(f"content type {kind!r:.50}", request(path, content, (("Content-Type", kind),)))
    yield Case("no content type", request(path, content, ()))
    extra = [("Content-Encoding", "gzip"), ("Content-Encoding", "\xe9"), ("Origin", "http://evil.example"),
             ("Origin", "http://[::1"), ("Origin", "null"), ("Origin", "\xff"), ("X-Request-ID", "\xff" * 300),
             ("X-LF-Service-Token", "\xe9"), ("Authorization", "Basic \xff"), ("Accept", "text/html"),
             ("Expect", "100-continue"), ("Expect", "magic"), ("Upgrade", "websocket"), ("Upgrade", "h2c"),
             ("Accept-Encoding", "\x01"), ("Cookie", "=" * 3000), ("Range", "bytes=5-1")]  # fmt: skip
    for name, value in extra:
        shown = request(path, content, (*JSON, (name, value)))
        yield Case(f"{name}: {value!r:.40}", shown, is_http="\x01" not in value)
    many = tuple((f"X-{number}", "y") for number in range(2000))
    yield Case("two thousand headers", request(path, content, (*JSON, *many)), is_http=False)
    yield Case("a header of 200 KB", request(path, content, (*JSON, ("X-Long", "y" * 200_000))), is_http=False)
    for host in ("evil.example", "127.0.0.1:99999", "[::1", "", "localhost.evil.example", "a" * 3000, "\xff"):
        shown = request(path, content).replace(b"Host: 127.0.0.1", b"Host: " + host.encode("latin-1"))
        yield Case(f"host {host!r:.30}", shown)
    yield Case("two hosts", request(path, content, (*JSON, ("Host", "127.0.0.1"))), is_http=False)


def wrong_frames(path: str, body: dict[str, Any]) -> Iterator[Case]:
    """A valid body that is framed wrongly, or does not come to its end."""
    content = json.dumps(body).encode()
    half = content[: len(content) // 2]
    yield Case("half of the body, then nothing", request(path, half, length=len(content)), leaves=True)
    yield Case("no body at all", request(path, length=len(content)), leaves=True)
    yield Case("half of the head", request(path, content)[:40], leaves=True)
    yield Case("an empty body", request(path, length=0))
    yield Case("a body longer than it says", request(path, content, length=len(half)))
    for length in ("-1", "1e3", "0x10", " ", "9" * 30, "9" * 5000, "+5", "\xb2", "1,1"):
        yield Case(f"length {length[:9]!r}", request(path, content, length=length), leaves=True, is_http=False)
    yield Case("more than it takes", request(path, b"", length=10**11), leaves=True)
    yield Case("two lengths", request(path, content, (*JSON, ("Content-Length", "3"))), leaves=True, is_http=False)
    chunked = (*JSON, ("Transfer-Encoding", "chunked"))
    whole = b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)
    small = b"".join(b"1\r\n%c\r\n" % byte for byte in content) + b"0\r\n\r\n"
    framed = request(path, b"", chunked)
    yield Case("chunked, in single bytes", framed + small)
    yield Case("chunked, with extensions", framed + whole.replace(b"\r\n", b";a=b\r\n", 1))
    yield Case("chunked, with trailers", framed + whole[:-2] + b"X-Late: 1\r\n\r\n")
    for name, rest in {
        "no end": whole[:-5], "no size": b"\r\n" + content, "a size below zero": b"-5\r\n" + content,
        "a size too large": b"f" * 30 + b"\r\n" + content, "a size that is none": b"zz\r\n" + content,
        "less than its size": b"ffff\r\n" + content, "more than its size": b"3\r\n" + content + b"\r\n0\r\n\r\n",
    }.items():  # fmt: skip
        yield Case(f"chunked, {name}", framed + rest, leaves=True, is_http=False)
    both = request(path, b"", chunked, length=5) + whole
    yield Case("chunked, with a length", both, leaves=True, is_http=False)
    twice = request(path, b"", (*JSON, ("Transfer-Encoding", "chunked, chunked")))
    yield Case("chunked twice", twice + whole, leaves=True, is_http=False)
    gzipped = request(path, b"", (*JSON, ("Transfer-Encoding", "gzip")))
    yield Case("another transfer encoding", gzipped + content, leaves=True, is_http=False)


def wrong_lines(path: str) -> Iterator[Case]:
    """First lines with a method or a path that nobody takes, or that are none."""
    for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "post", "LLAMA", "PROPFIND"):
        yield Case(f"{method} {path}", request(path, b"{}", method=method), is_http=method not in ("post", "LLAMA"))
    paths = ["/", "//", "/v1", "/v1/", path + "/", path.upper(), "/" + path, "/v1/../v1/models", "/%2e%2e/%2e%2e/etc",
             "/v1/models/%00", "/v1/models/%ff%fe", "/v1/models/", "/v1/models//", "/v1/models/..%2f..%2fetc%2fpasswd",
             "/v1/models/%2Fetc", "/v1/models/~", "/v1/models/~nobody%2Fx", "/v1/models/%2F%00", "/v1/models/%ED%A0%80",
             "/v1/models/" + "x" * 5000, "/v1/models/%2F" + "x" * 5000, "/v1/models/a%40b%3Dc",
             "/v1/models/%0d%0aX:%20y", "/v1/models/x%2Fy%40dtype%3Dfp8", "/v1/models/package:os%2Fx",
             "/v1/models/%F0%9F%A6%99", "/%", "/%zz",
             "/v1/models?x=%00", "/v1/models?" + "a=b&" * 3000, "/" + "x" * 60_000, "/v1/models#a",
             "http://evil.example/v1/models", "*", "/health/live/x", "/docs", "/openapi.json"]  # fmt: skip
    for path in paths:
        yield Case(f"GET {path[:60]}", request(path, method="GET", headers=()), is_http=len(path) < 50_000)
    for name in ("%00", "a%2Fb", "%2Fetc%2Fpasswd", "..", "x" * 3000, "package:os%2Fx", "%ff", "a%40b%3D1"):
        yield Case(f"DELETE {name[:30]}", request(f"/v1/models/{name}", method="DELETE", headers=()))
    lines = [b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"\0" * 100,
             b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /\xff\xfe HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"{}\r\n\r\n",
             b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost 127.0.0.1\r\n\r\n",
             b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n folded: 1\r\n\r\n"]  # fmt: skip
    for line in lines:
        yield Case(f"{line[:40]!r}", line, leaves=True, is_http=False)


def wrong_forms(path: str) -> Iterator[Case]:
    """Forms, where JSON is taken."""
    part = b'--lf\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
    forms = {
        "a file": part % (b"file", b'; filename="../../x"', b"\x89PNG"),
        "odd names": part % (b'"";=\xff', b"", b"x") + part % (b"", b"", b""),
        "no parts": b"",
    }
    for name, parts in forms.items():
        kind = (("Content-Type", "multipart/form-data; boundary=lf"),)
        yield Case(f"a form, {name}", request(path, parts + b"--lf--\r\n", kind))


def heavy(model: str) -> Iterator[Case]:
    """Requests that would take long, were they not refused or read beside everything else."""
    asked = b'{"model": "%s", "input": ' % model.encode()
    ids = b"[" + b"1," * 4_900_000 + b"1]}"
    yield Case("five million token ids", request("/v1/embeddings", asked + ids))
    lists = b"[" + b"[1]," * 2_000_000 + b"[1]]}"
    yield Case("two million lists", request("/v1/embeddings", asked + lists))
    yield Case("a million brackets", request("/v1/embeddings", asked + b"[" * 1_000_000))
    yield Case("a million closed brackets", request("/v1/embeddings", asked + b"[" * 10**6 + b"]" * 10**6 + b"}"))
    yield Case("more than ten megabytes", request("/v1/embeddings", asked + b'"' + b"a" * 10_600_000 + b'"}'))
    keys = b",".join(b'"%d": 1' % number for number in range(100_000))
    yield Case("many keys", request("/v1/embeddings", b"{" + keys + b"}"))
    yield Case("a number of four million digits", request("/v1/embeddings", asked + b"9" * 4_000_000 + b"}"))
    yield Case("many halves of pairs", request("/v1/embeddings", asked + b'"' + b"\\ud800" * 500_000 + b'"}'))
