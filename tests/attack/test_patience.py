"""Inputs made to take for ever: patterns, cards, headers of weights, huge folders. All end soon.

The bounds are generous, for machines are slow and shared; what they catch grows beyond any bound.
"""

import base64
import json
import struct

import pytest

from allmende.facts import content_facts
from tests.attack.arena import Arena, build, formed, sha256
from tests.patience import soon

SOON_S = 20.0


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    with build(tmp_path_factory.mktemp("patience")) as built:
        built.create("alice/repo")
        yield built


API = "/api/models/alice/repo"

PATTERNS = {
    "stars": "*a" * 200 + "b",
    "double stars": "**/" * 200 + "x",
    "double stars between": "**/a/" * 100 + "b",
    "brackets": "[" * 2000,
    "a bracket that stays open": "[!" + "a-" * 2000,
    "classes": "[[:alpha:]]*" * 200,
    "question marks": "?" * 3000 + "*" * 100,
    "backslashes": "\\" * 3001,
    "many rules": "\n".join(f"*a*{number}*b" for number in range(20_000)),
    "many rules of stars": "\n".join("**/*a*a*a*a*a*b" for _ in range(5000)),
    "a long rule": "a" * 1_000_000,
    "repetitions": "(a+)+$" * 100,
    "bytes": "\x00\x01\x02",
}


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS.keys())
def test_rules_for_paths(arena: Arena, pattern: str):
    lines = [line + " filter=lfs diff=lfs merge=lfs -text" for line in pattern.split("\n")]
    for path, text in ((".gitattributes", "\n".join(lines)), (".gitignore", pattern)):
        assert arena.commit(API, ("file", {"path": path, "content": text})).status == 200
    long = "/".join(["a" * 60] * 30)
    files = [{"path": f"{long}/{'a' * 200}{number}", "size": 3, "sample": "YWJj"} for number in range(64)]
    with soon(SOON_S):
        formed(arena.ask("POST", f"{API}/preupload/main", by="alice", json={"files": files}))
        asked = {"files": files, "gitIgnore": pattern}
        formed(arena.ask("POST", f"{API}/preupload/main", by="alice", json=asked))


def laughs(levels: int) -> str:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, levels)]
    return "\n".join(lines)


YAML = {
    "a billion laughs": laughs(12),
    "an alias to itself": "a: &a [*a]",
    "deep lists": "a: " + "[" * 50_000,
    "deep lists that close": "a: " + "[" * 20_000 + "]" * 20_000,
    "deep maps": "".join(" " * level + "a:\n" for level in range(500)),
    "deep in a line": "a: " + "{a: " * 20_000,
    "many keys": "\n".join(f"k{number}: v" for number in range(100_000)),
    "one key many times": "k: v\n" * 50_000,
    "a Python object": "a: !!python/object/apply:os.system ['true']",
    "a Python name": "a: !!python/name:os.system",
    "a long scalar": "a: " + "x" * 3_000_000,
    "a long number": "a: " + "9" * 500_000,
    "a long float": "a: 1." + "9" * 500_000 + "e999999999",
    "sexagesimal": "a: " + ":".join(["59"] * 50_000),
    "tabs": "a:\n" + "\t" * 100_000,
    "merges": "a: &a {b: c}\n" + "".join(f"k{number}: {{<<: *a}}\n" for number in range(10_000)),
    "many documents": "a: b\n---\n" * 20_000,
    "many anchors": "\n".join(f"k{number}: &a{number} v" for number in range(50_000)),
    "tags": "tags: [" + ", ".join(f"t{number}" for number in range(100_000)) + "]",
    "a list of base models": "base_model: [" + ", ".join(f"a/b{number}" for number in range(50_000)) + "]",
    "types turned round": "tags: {a: b}\nlicense: [mit]\nlanguage: 7\nbase_model: {}\nmodel-index: x",
    "bytes": "a: \x07\x1b\x00",
    "folded": "a: >\n" + " x\n\n" * 100_000,
}  # fmt: skip


@pytest.mark.parametrize("text", YAML.values(), ids=YAML.keys())
def test_cards(arena: Arena, text: str):
    card = f"---\n{text}\n---\n# x\n"
    with soon(SOON_S):
        answer = arena.ask(
            "POST", "/api/validate-yaml", json={"content": card[:4_000_000], "repoType": "model"}
        )
        formed_but_long(answer)
        assert answer.status in {200, 400, 413}
        done = arena.commit(API, ("file", {"path": "README.md", "content": card}))
        assert done.status in {200, 400}, done
        for target in (API, "/api/models?full=true", "/alice/repo"):
            shown = arena.ask("GET", target, by="alice", headers=[("accept", "text/html,*/*")])
            assert shown.status == 200
        arena.work()


def formed_but_long(answer) -> None:
    """A report on a card may list many things."""
    assert answer.status < 500
    assert len(answer.body) < 2_000_000


MARKDOWN = {
    "quotes": ">" * 20_000 + "x",
    "lists": "- " * 5000 + "x",
    "lists indented": "".join("  " * level + "- x\n" for level in range(500)),
    "brackets": "[" * 50_000,
    "brackets closed": "[" * 20_000 + "]" * 20_000,
    "links in links": "[a](" * 20_000,
    "pictures": "![" * 20_000,
    "stars": "*a " * 50_000,
    "stars and lines": "*_" * 30_000,
    "stars closed": "**" * 10_000 + "x" + "**" * 10_000,
    "backticks": "".join("`" * number + "a" for number in range(1, 600)),
    "angle brackets": "<" * 50_000,
    "tags open": "<div>" * 20_000,
    "attributes": "<a " + "x=y " * 50_000,
    "comments": "<!--" * 20_000,
    "instructions": "<?" * 50_000,
    "tables": "|" * 20_000 + "\n" + "|-" * 20_000 + "\n" + "|" * 20_000,
    "a wide table": "|a" * 2000 + "|\n" + "|-" * 2000 + "|\n" + ("|b" * 2000 + "|\n") * 100,
    "definitions": "".join(f"[{number}]: x\n" for number in range(20_000)),
    "definitions that refer": "[a]: x\n" + "[a]" * 50_000,
    "entities": "&#x1F600;" * 30_000,
    "addresses": "https://a.b/" * 20_000,
    "mail": "a@" * 50_000,
    "blanks": "a" + " " * 200_000 + "b",
    "a long line": "x" * 1_000_000,
    "many lines": "x\n" * 200_000,
    "headings": "# x\n" * 20_000,
    "fences": "```\n" * 20_000,
    "rules": "---\n" * 20_000,
    "escapes": "\\*" * 50_000,
    "mathematics": "$" * 50_000,
}  # fmt: skip


@pytest.mark.parametrize("text", MARKDOWN.values(), ids=MARKDOWN.keys())
@pytest.mark.timeout(60)
def test_pages_of_cards(arena: Arena, text: str):
    assert arena.commit(API, ("file", {"path": "README.md", "content": text})).status == 200
    with soon(SOON_S):
        page = arena.ask("GET", "/alice/repo", headers=[("accept", "text/html")])
        assert page.status == 200
        assert len(page.body) < 20_000_000
        for view in ("blob/main/README.md", "commits/main"):
            assert arena.ask("GET", f"/alice/repo/{view}", headers=[("accept", "text/html")]).status == 200


def safetensors(header: bytes, length: int | None = None, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def tensor(**more: object) -> dict[str, object]:
    return {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], **more}


def one(**more: object) -> bytes:
    return safetensors(json.dumps({"a": tensor(**more)}).encode(), data=b"\0" * 4)


GGUF = b"GGUF" + struct.pack("<I", 3)

WEIGHTS = {
    "nothing.safetensors": b"",
    "short.safetensors": b"\x01",
    "length-beyond.safetensors": safetensors(b"{}", 2**63),
    "length-of-all-ones.safetensors": safetensors(b"{}", 2**64 - 1),
    "length-of-a-gigabyte.safetensors": safetensors(b"{}", 2**30),
    "no-json.safetensors": safetensors(b"x" * 100),
    "deep.safetensors": safetensors(b'{"a":' * 50_000),
    "deep-list.safetensors": safetensors(b'{"a":' + b"[" * 100_000),
    "huge-number.safetensors": safetensors(b'{"a":' + b"9" * 10_000 + b"}"),
    "twice.safetensors": safetensors(b'{"a":1,"a":2}'),
    "negative-shape.safetensors": one(shape=[-1]),
    "huge-shape.safetensors": one(shape=[2**62, 2**62, 2**62]),
    "long-shape.safetensors": one(shape=[1] * 10_000),
    "overlap.safetensors": safetensors(json.dumps({"a": tensor(), "b": tensor()}).encode(), data=b"\0" * 4),
    "beyond.safetensors": one(data_offsets=[0, 2**60]),
    "turned.safetensors": one(data_offsets=[4, 0]),
    "unknown-type.safetensors": one(dtype="F" * 10_000),
    "type-of-a-list.safetensors": one(dtype=["F32"]),
    "half-a-pair.safetensors": safetensors(
        b'{"\\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', data=b"1234"
    ),
    "many.safetensors": safetensors(
        json.dumps({f"t{n}": tensor(data_offsets=[0, 0], shape=[0]) for n in range(50_000)}).encode()
    ),
    "metadata.safetensors": safetensors(json.dumps({"__metadata__": {"a": {"b": []}}}).encode()),
    "large-metadata.safetensors": safetensors(
        json.dumps({"__metadata__": {"a": "x" * 2_000_000}}).encode()
    ),
    "short.gguf": b"GGUF",
    "no-version.gguf": b"GGUF" + b"\xff" * 4,
    "many-tensors.gguf": GGUF + struct.pack("<QQ", 2**63, 0),
    "many-keys.gguf": GGUF + struct.pack("<QQ", 0, 2**63),
    "long-key.gguf": GGUF + struct.pack("<QQQ", 0, 1, 2**62) + b"a" * 100,
    "long-array.gguf": GGUF + struct.pack("<QQQ", 0, 1, 1) + b"a" + struct.pack("<IIQ", 9, 4, 2**62),
    "nested-arrays.gguf": GGUF + struct.pack("<QQQ", 0, 1, 1) + b"a" + struct.pack("<I", 9)
    + struct.pack("<IQ", 9, 1) * 20_000,
    "unknown-type.gguf": GGUF + struct.pack("<QQQ", 0, 1, 1) + b"a" + struct.pack("<I", 99),
    "many-dimensions.gguf": GGUF + struct.pack("<QQQ", 1, 0, 1) + b"a" + struct.pack("<I", 2**31),
    "pytorch_model.bin": b"PK\x03\x04" + b"\xff" * 100,
    "many-entries.pt": b"PK\x05\x06" + b"\xff" * 18,
    "pickle.pkl": b"\x80\x04" + b"(" * 100_000 + b".",
    "code.pkl": b"cos\nsystem\n(S'touch pwned'\ntR.",
    "memo.pkl": b"\x80\x04" + b"r\xff\xff\xff\x7f" * 1000 + b".",
    "long-string.pkl": b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"x",
    "model.onnx": b"\x08" + b"\xff" * 1000,
    "config.json": b'{"a":' * 50_000,
    "model.safetensors.index.json": b'{"weight_map":' + b"[" * 50_000,
    "array.npy": b"\x93NUMPY\x01\x00" + struct.pack("<H", 65_535) + b"{" * 100,
}  # fmt: skip


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("way", ["large", "inline"])
def test_examining_ends_and_says_why(arena: Arena, name: str, way: str):
    data = WEIGHTS[name]
    api = arena.create(f"alice/{way}-{name.replace('..', '.')}"[:90])
    if way == "large" and data:
        value: dict[str, object] = {"path": name, "oid": arena.upload(api, data)}
        done = arena.commit(api, ("lfsFile", value))
    else:
        value = {"path": name, "content": base64.b64encode(data).decode(), "encoding": "base64"}
        done = arena.commit(api, ("file", value))
    assert done.status == 200, done
    with soon(SOON_S):
        arena.work()
    info = arena.ask("GET", api, by="alice")
    assert info.status == 200
    answer = arena.ask(
        "GET", f"/{api.removeprefix('/api/models/')}/blob/main/{name}", headers=[("accept", "text/html")]
    )
    assert answer.status == 200
    formed(answer)
    if name.endswith((".safetensors", ".gguf")) and name not in {
        "many.safetensors",
        "large-metadata.safetensors",
    }:
        assert "safetensors" not in info.json
        assert "gguf" not in info.json
        assert said_why(arena, api, name, data), name
    assert not list(arena.folder.rglob("pwned"))


def said_why(arena: Arena, api: str, name: str, data: bytes) -> bool:
    """Whether some fact about the bytes tells that they cannot be read as what they claim to be."""
    tree = {item["path"]: item for item in arena.ask("GET", f"{api}/tree/main", by="alice").json}
    key = tree[name]["lfs"]["oid"] if "lfs" in tree[name] else tree[name]["oid"]
    assert "lfs" not in tree[name] or key == sha256(data)
    with arena.services.database.read() as uow:
        facts = content_facts(uow, [key]).get(key, {})
    values = [fact.value for fact in facts.values() if isinstance(fact.value, dict)]
    return any(
        "error" in value or value.get("name_disagrees") or value.get("name") == "empty" for value in values
    )


def test_a_folder_of_a_hundred_thousand_files(arena: Arena):
    api = arena.create("alice/many")
    lines = [b'{"key":"header","value":{"summary":"many"}}']
    with soon(60.0):
        for batch in range(4):
            more = [
                b'{"key":"file","value":{"path":"d/f%06d","content":""}}' % (batch * 25_000 + number)
                for number in range(25_000)
            ]
            assert (
                arena.ask("POST", f"{api}/commit/main", by="alice", body=b"\n".join(lines + more)).status
                == 200
            )
    with soon(30.0):
        page = arena.ask("GET", f"{api}/tree/main/d", by="alice")
        assert len(page.json) == 1000
        assert 'rel="next"' in page.headers["link"]
        assert len(arena.ask("GET", f"{api}/tree/main?recursive=1&limit=7", by="alice").json) == 7
        shown = arena.ask("GET", "/alice/many/tree/main/d", headers=[("accept", "text/html")])
        assert shown.status == 200
        assert len(shown.body) < 2_000_000
    with soon(30.0):
        paths = [f"d/f{number:06d}" for number in range(0, 100_000, 11)]
        found = arena.ask("POST", f"{api}/paths-info/main", by="alice", json={"paths": paths})
        assert len(found.json) == len(paths)
