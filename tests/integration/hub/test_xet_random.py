"""Whatever a shard says: it is refused, or the content has exactly the bytes of the chunks that it names."""

from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from allmende.ids import Sha256
from allmende.storage import find_content, metadata
from tests.integration.hub.conftest import Hub
from tests.xet_forge import File, Store, Xorb, chunks_in, entry, file_of, lines_of, pieces, shard_of

XORBS = [Xorb(pieces(seed, 3 + seed)) for seed in range(4)]
BY_HASH = {chunk.hash: piece for xorb in XORBS for chunk, piece in zip(xorb.chunks, xorb.pieces, strict=True)}
QUICK = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def api(hub: Hub) -> str:
    return hub.create("alice/mm")


@pytest.fixture
def staged(hub: Hub, api: str) -> None:
    """The xorbs are there; what is made of them is found in its content from then on."""
    store = Store.of(hub, api, "alice")
    for xorb in XORBS:
        assert store.put_xorb(xorb).status == 200


@st.composite
def runs(draw: st.DrawFn) -> tuple[Xorb, int, int]:
    xorb = draw(st.sampled_from(XORBS))
    first = draw(st.integers(0, len(xorb.pieces) - 1))
    return xorb, first, draw(st.integers(first + 1, len(xorb.pieces)))


files = st.lists(runs(), min_size=1, max_size=8).map(lambda terms: file_of(*terms))


@QUICK
@given(data=st.data(), file=files)
def test_a_file_of_any_terms_is_what_it_should_be(
    hub: Hub, api: str, data: st.DataObject, file: File
) -> None:
    store = Store.of(hub, api, "alice")
    store.upload(
        file, scheme=data.draw(st.sampled_from([0, 1, 2])), version=data.draw(st.sampled_from([1, 2]))
    )
    hub.link(api, "w.bin", file.data)
    assert content_bytes(hub, file.sha256) == file.data
    reader = Store.of(hub, api, None, write=False)
    version = data.draw(st.sampled_from([1, 2]))
    assert reader.read(file.name, version=version) == file.data
    first = data.draw(st.integers(0, len(file.data) - 1))
    last = data.draw(st.integers(first, len(file.data) + 10))
    got = reader.read(file.name, f"bytes={first}-{last}", version)
    wanted = file.data[first : last + 1]
    assert got[: len(wanted)] == wanted
    for xorb, infos in reader.reconstruct(file.name).json["fetch_info"].items():
        whole = reader.fetch(infos[0]["url"]).body
        start = data.draw(st.integers(0, len(whole) - 1))
        end = data.draw(st.integers(start, len(whole) - 1))
        assert reader.fetch(infos[0]["url"], f"bytes={start}-{end}").body == whole[start : end + 1], xorb


def content_bytes(hub: Hub, digest: Sha256) -> bytes | None:
    with hub.services.database.read() as uow:
        found = find_content(uow, digest)
    if found is None:
        return None
    with hub.services.contents.open_read(found.location) as reader:
        return reader.read()


@st.composite
def claims(draw: st.DrawFn) -> bytes:
    """The entry of a file in a shard, with what may be false in it."""
    file = draw(files)
    terms = [(xorb.raw, sum(map(len, xorb.pieces[first:end])), first, end) for xorb, first, end in file.terms]
    raw, digest = file.raw, str(file.sha256)
    lie = draw(st.sampled_from(["nothing", "hash", "sha256", "terms", "size", "range", "order", "swap"]))
    other = draw(files)
    place = draw(st.integers(0, len(terms) - 1))
    xorb, size, first, end = terms[place]
    if lie == "hash":
        raw = other.raw
    elif lie == "sha256":
        digest = str(other.sha256)
    elif lie == "terms":
        terms[place] = (draw(st.sampled_from(XORBS)).raw, size, first, end)
    elif lie == "size":
        terms[place] = (xorb, max(1, size + draw(st.integers(-5, 5))), first, end)
    elif lie == "range":
        step = draw(st.integers(-2, 2))
        terms[place] = (xorb, size, max(0, first + step), max(1, end + step))
    elif lie == "order":
        terms.reverse()
    elif lie == "swap":
        raw, digest = other.raw, str(other.sha256)
    return entry(file, raw=raw, sha256=digest, terms=terms)


@pytest.mark.usefixtures("staged")
@settings(QUICK, max_examples=60)
@given(body=st.lists(claims(), min_size=1, max_size=3), version=st.sampled_from([1, 2]))
def test_whatever_is_claimed(hub: Hub, api: str, body: list[bytes], version: int) -> None:
    store = Store.of(hub, api, "alice")
    answer = store.put_shard(shard_of(body, []), version)
    if answer.status == 200 and version == 2:
        assert lines_of(answer)[-1]["type"] in {"result", "error"}
    else:
        assert answer.status == 200 or (answer.status == 400 and answer.code), answer
    for stored in hub.services.contents.iterate():
        with hub.services.contents.open_read(stored.location) as reader:
            assert sha256(reader.read()).hexdigest() == Path(stored.location).name
    assert_maps_are_true(hub, api)


def assert_maps_are_true(hub: Hub, api: str) -> None:
    """Every file that counts can be read over Xet and gives the bytes of its content."""
    with hub.services.database.read() as uow:
        table = metadata.tables["xet_file"]
        known = uow.all(select(table.c.xet_hash, table.c.sha256).where(table.c.complete))
    for row in sorted(known)[:2]:
        data = content_bytes(hub, row.sha256)
        assert data is not None
        hub.link(api, "w.bin", data)
        assert Store.of(hub, api, None, write=False).read(row.xet_hash) == data


@QUICK
@given(history=st.lists(st.tuples(files, st.booleans(), st.booleans()), min_size=1, max_size=6))
def test_a_history_of_uploads_that_build_on_each_other(
    hub: Hub, api: str, history: list[tuple[File, bool, bool]]
) -> None:
    """A client that remembers what it sent, asks for chunks, and builds on what it was told of."""
    remembered: dict[bytes, tuple[Xorb, int]] = {}
    store = Store.of(hub, api, "alice")
    for file, asks, forgets in history:
        if forgets:
            store, remembered = Store.of(hub, api, "alice"), {}
        if asks:
            answer = store.call("GET", f"/v1/chunks/default/{Xorb(file.terms[0][0].pieces[:1]).name}")
            for name, chunks in chunks_in(answer.body).items() if answer.status == 200 else ():
                told = Xorb(tuple(BY_HASH[chunk.hash] for chunk in chunks))
                assert told.name == name
                remembered.update({chunk.hash: (told, place) for place, chunk in enumerate(chunks)})
        terms = []
        for xorb, first, end in file.terms:
            for place in range(first, end):
                known = remembered.get(xorb.chunks[place].hash)
                if known is None:
                    assert store.put_xorb(xorb).status == 200
                    remembered.update({chunk.hash: (xorb, at) for at, chunk in enumerate(xorb.chunks)})
                    known = (xorb, place)
                terms.append((known[0], known[1], known[1] + 1))
        built = file_of(*terms)
        assert built.data == file.data
        answer = store.put_shard(shard_of([built], []))
        assert (answer.status, answer.code) == (200, ""), answer
        assert content_bytes(hub, built.sha256) == file.data
    assert_maps_are_true(hub, api)
    # All that the account uploaded can be named still, wherever its bytes are by now.
    for xorb in {xorb for xorb, _place in remembered.values()}:
        assert store.put_shard(shard_of([file_of(xorb)], [])).status == 200
        assert content_bytes(hub, file_of(xorb).sha256) == file_of(xorb).data
