"""Reconstructions, and the bytes behind their addresses."""

import pytest

from tests.xet_forge import Store, Xorb, file_of, frames_in, local, parts_of, pieces

XORB = Xorb(pieces(1, 30))
FILE = file_of((XORB, 5, 30), (XORB, 0, 10))
SIZE = len(FILE.data)
MIB = 1024 * 1024


@pytest.fixture
def repo(hub):
    api = hub.create("alice/mm")
    Store.of(hub, api, "alice").upload(FILE)
    hub.link(api, "w.bin", FILE.data)
    return api


@pytest.fixture
def reader(hub, repo):
    return Store.of(hub, repo, None, write=False)


def starts() -> list[int]:
    found = [0]
    for chunk in FILE.chunks:
        found.append(found[-1] + chunk.size_bytes)
    return found


def test_both_versions_tell_the_same(reader):
    one, two = (reader.reconstruct(FILE.name, version=version).json for version in (1, 2))
    assert one["terms"] == two["terms"]
    assert one["offset_into_first_range"] == two["offset_into_first_range"] == 0
    assert one.keys() == {"offset_into_first_range", "terms", "fetch_info"}
    assert two.keys() == {"offset_into_first_range", "terms", "xorbs"}
    assert sum(term["unpacked_length"] for term in one["terms"]) == SIZE
    (info,) = one["fetch_info"][one["terms"][0]["hash"]]
    (other,) = two["xorbs"][one["terms"][0]["hash"]]
    assert other["ranges"] == [{"chunks": info["range"], "bytes": info["url_range"]}]
    assert info["url"].startswith("http://testserver/xet/fetch/")


RANGES = {
    "the whole": (0, SIZE - 1),
    "the first byte": (0, 0),
    "the last byte": (SIZE - 1, SIZE - 1),
    "the first chunk": (0, starts()[1] - 1),
    "the second chunk": (starts()[1], starts()[2] - 1),
    "around a border": (starts()[3] - 1, starts()[3]),
    "the last two chunks": (starts()[-3], SIZE - 1),
    "within a chunk": (starts()[4] + 10, starts()[4] + 20),
    "across many": (starts()[2] + 5, starts()[20] + 7),
    "beyond the end": (SIZE - 10, SIZE + 10),
    "far beyond the end": (5, 18446744073709551614),
}


@pytest.mark.parametrize("version", [1, 2])
def test_ranges_of_a_file(reader, version):
    for name, (first, last) in RANGES.items():
        asked = f"bytes={first}-{last}"
        wanted = FILE.data[first : last + 1]
        told = reader.reconstruct(FILE.name, asked, version).json
        assert reader.read(FILE.name, asked, version)[: len(wanted)] == wanted, name
        inside = [term for term in told["terms"] if term["range"]["start"] < term["range"]["end"]]
        assert inside == told["terms"] != []
        first_chunk = FILE.chunks[told["terms"][0]["range"]["start"]].size_bytes
        assert 0 <= told["offset_into_first_range"] < first_chunk
        # No chunk is told of that lies wholly outside.
        spare = sum(term["unpacked_length"] for term in told["terms"]) - len(wanted)
        assert spare < 2 * max(chunk.size_bytes for chunk in FILE.chunks), name


@pytest.mark.parametrize("version", [1, 2])
def test_a_range_past_the_end(reader, version):
    for first, last in ((SIZE, SIZE + 1), (SIZE, ""), (18446744073709551614, 18446744073709551615)):
        answer = reader.reconstruct(FILE.name, f"bytes={first}-{last}", version)
        assert (answer.status, answer.code) == (416, "range_not_satisfiable")
        assert answer.headers["content-range"] == f"bytes */{SIZE}"


def test_an_unknown_file(reader):
    for version in (1, 2):
        for name in ("0" * 64, "ab" * 32, XORB.name):
            answer = reader.reconstruct(name, version=version)
            assert (answer.status, answer.code) == (404, "file_unknown")


@pytest.fixture
def address(reader):
    """Where the one xorb of the file is."""
    (info,) = next(iter(reader.reconstruct(FILE.name).json["fetch_info"].values()))
    return info["url"]


SERIALIZED = Xorb(tuple(XORB.pieces[5:30] + XORB.pieces[:10])).serialized()


def test_a_xorb_whole(reader, address):
    answer = reader.fetch(address)
    assert (answer.status, answer.body) == (200, SERIALIZED)
    assert answer.headers["content-length"] == str(len(SERIALIZED))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["accept-ranges"] == "bytes"
    assert "public" not in answer.headers["cache-control"]
    assert b"".join(frames_in(answer.body)) == FILE.data


def test_one_range_of_a_xorb(reader, address):
    end = len(SERIALIZED) - 1
    for first, last in ((0, 0), (0, 7), (8, 8), (5, 20_000), (end, end), (9000, end)):
        assert parts_of(reader.fetch(address, f"bytes={first}-{last}")) == [
            (first, last, SERIALIZED[first : last + 1])
        ]


SPANS = {
    "two bytes": [(0, 0), (2, 2)],
    "one after the other": [(0, 9000), (9001, 9001)],
    "three": [(3, 10), (100, 200_000), (200_002, len(SERIALIZED) - 1)],
    "a thousand": [(place * 100, place * 100 + 50) for place in range(1000)],
}


def test_several_ranges_of_a_xorb(reader, address):
    for name, spans in SPANS.items():
        asked = "bytes=" + ",".join(f"{first}-{last}" for first, last in spans)
        for spelling in (asked, asked.replace(",", ", ")):
            answer = reader.fetch(address, spelling)
            assert answer.headers["content-type"].startswith("multipart/byteranges; boundary="), name
            assert parts_of(answer) == [(first, last, SERIALIZED[first : last + 1]) for first, last in spans]


def test_ranges_of_which_some_lie_past_the_end(reader, address):
    size = len(SERIALIZED)
    answer = reader.fetch(address, f"bytes=0-3,{size - 2}-{size + 9},{size + 20}-{size + 30}")
    assert parts_of(answer) == [(0, 3, SERIALIZED[:4]), (size - 2, size - 1, SERIALIZED[-2:])]
    answer = reader.fetch(address, f"bytes={size}-{size},{size + 1}-{size + 2}")
    assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{size}")


def test_ranges_that_would_send_more_than_there_is_get_the_whole(reader, address):
    too_many = "bytes=" + ",".join(f"{place * 2}-{place * 2}" for place in range(1001))
    for asked in ("bytes=5-9,0-3", "bytes=0-5,3-9", "bytes=0-5,0-5", "bytes=9-5,10-11", too_many):
        answer = reader.fetch(address, asked)
        assert (answer.status, answer.body) == (200, SERIALIZED), asked


def test_heads_have_no_bytes(reader, address):
    answer = reader.ask("HEAD", local(address))
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-length"] == str(len(SERIALIZED))
    assert reader.call("HEAD", f"/v1/reconstructions/{FILE.name}").body == b""


def test_an_address_altered_anywhere_opens_nothing(reader, address):
    plain = local(address)
    query = plain.partition("?")[2]
    for altered in (
        plain.partition("?")[0],
        plain[:-1] + ("A" if plain[-1] != "A" else "B"),
        plain + "x",
        f"/xet/fetch/{'ab' * 32}?{query}",
        f"/xet/fetch/{FILE.name}?{query}",
        plain.replace("token=", "token=x"),
    ):
        answer = reader.ask("GET", altered)
        assert (answer.status, answer.code) == (403, "link_invalid"), altered


def test_an_address_that_names_what_is_not_so_any_more(hub, reader, address):
    """Such as we might have signed before: for another serialisation, or a xorb that is not there now."""
    signer = hub.services.signer
    claims = signer.open("xet-fetch", local(address).partition("token=")[2])
    path = local(address).partition("?")[0]
    assert reader.ask("GET", f"{path}?token={signer.sign('xet-fetch', claims, 600)}").status == 200
    for change in (
        {"number": 1},
        {"number": -1},
        {"serialization": 0},
        {"serialization": 2},
        {"xet_hash": "ab" * 32},
    ):
        stale = signer.sign("xet-fetch", {**claims, **change}, 600)
        answer = reader.ask("GET", f"{path}?token={stale}")
        assert (answer.status, answer.code) == (403, "link_invalid"), change


def test_a_download_is_counted_once(hub, repo, reader):
    def counted() -> int:
        hub.services.downloads.flush(hub.services.database)
        return hub.get(repo).json()["downloads"]

    reader.read(FILE.name, f"bytes=10-{SIZE}")
    assert counted() == 0
    for version in (1, 2, 1):
        reader.read(FILE.name, version=version)
    assert counted() == 1


@pytest.fixture(scope="module")
def zeros():
    """A file of which every part is the same: 1,030 chunks of 128 KiB, and a shorter one."""
    zero, rest = Xorb((bytes(128 * 1024),)), Xorb((bytes(1000),))
    return file_of(*[zero.whole()] * 1030, rest)


def test_a_file_of_zeros_is_one_xorb_again_and_again(hub, zeros):
    api = hub.create("alice/zeros")
    Store.of(hub, api, "alice").upload(zeros)
    hub.link(api, "z.bin", zeros.data)
    reader = Store.of(hub, api, None, write=False)
    told = reader.reconstruct(zeros.name).json
    names = [term["hash"] for term in told["terms"]]
    assert len(names) == 3
    assert names[0] == names[1] != names[2]
    assert len(told["fetch_info"][names[0]]) == 1, "equal xorbs are fetched once"
    size = len(zeros.data)
    assert sum(term["unpacked_length"] for term in told["terms"]) == size
    for version in (1, 2):
        assert reader.read(zeros.name, version=version) == zeros.data
    # The end of the first xorb and the beginning of the second one: two ranges of what is the same xorb.
    asked = f"bytes={62 * MIB + 5}-{66 * MIB + 7}"
    told = reader.reconstruct(zeros.name, asked, 2).json
    ((info,),) = told["xorbs"].values()
    assert [each["chunks"] for each in info["ranges"]] == [
        {"start": 0, "end": 17},
        {"start": 496, "end": 512},
    ]
    for version in (1, 2):
        assert len(reader.read(zeros.name, asked, version)) >= 4 * MIB + 3
