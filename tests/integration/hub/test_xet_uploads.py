"""From xorbs and a shard to a file of a repo, in this process."""

import json
from hashlib import sha256
from itertools import pairwise

import pytest

from allmende.flows.worker import handlers
from allmende.jobs import JobContext
from tests.integration.flows.weights import safetensors
from tests.xet_forge import File, Store, Xorb, chunks_in, entry, file_of, lines_of, pieces, shard_of

ONE, TWO, THREE = (Xorb(pieces(seed, 6)) for seed in (1, 2, 3))
KEPT = "alice/mm"


@pytest.fixture
def repo(hub):
    return hub.create(KEPT)


@pytest.fixture
def store(hub, repo):
    return Store.of(hub, repo, "alice")


@pytest.fixture
def xorb_files(hub):
    """What the store of xorbs keeps, by the hash in its name."""
    return lambda: [stored.location.split("/")[1].split(".")[0] for stored in hub.services.xorbs.iterate()]


def commit(hub, repo: str, *files: tuple[str, File], by: str = "alice"):
    lines = [{"key": "header", "value": {"summary": "by Xet"}}]
    lines += [
        {"key": "lfsFile", "value": {"path": path, "algo": "sha256", "oid": file.sha256}}
        for path, file in files
    ]
    body = "\n".join(json.dumps(line) for line in lines)
    return hub.call("POST", f"{repo}/commit/main", content=body, by=by)


@pytest.mark.parametrize("scheme", [0, 1, 2])
def test_a_xorb_in_each_compression_scheme(store, xorb_files, scheme):
    for _repeat in range(2):
        answer = store.put_xorb(ONE, scheme)
        assert (answer.status, answer.json) == (200, {"was_inserted": True})
        assert xorb_files() == [ONE.name]
    store.upload(file_of(ONE))
    assert xorb_files() == []


def test_chunks_of_one_xorb_in_several_schemes(store, hub, repo):
    body = b"".join(Xorb((piece,)).serialized(place % 3) for place, piece in enumerate(ONE.pieces))
    assert store.put_xorb(ONE, body=body).status == 200
    assert store.put_shard(shard_of([file_of(ONE)])).json == {"result": 1}
    assert commit(hub, repo, ("w.bin", file_of(ONE))).status_code == 200
    assert hub.get(f"/{KEPT}/resolve/main/w.bin").content == file_of(ONE).data


@pytest.mark.parametrize("version", [1, 2])
def test_the_whole_way_of_a_file(hub, repo, store, version, xorb_files):
    file = file_of((ONE, 2, 6), TWO, (ONE, 0, 3))
    store.upload(file, version=version)
    assert xorb_files() == []
    assert commit(hub, repo, ("dir/w.bin", file)).status_code == 200
    listed = hub.get(f"{repo}/tree/main/dir").json()
    assert listed == hub.post(f"{repo}/paths-info/main", {"paths": ["dir/w.bin"]}).json()
    assert listed[0]["xetHash"] == file.name
    assert listed[0]["lfs"]["oid"] == file.sha256
    assert listed[0]["size"] == len(file.data)
    address = f"http://testserver{repo}/xet-read-token/{hub.get(repo).json()['sha']}"
    head, whole = (hub.call(method, f"/{KEPT}/resolve/main/dir/w.bin") for method in ("HEAD", "GET"))
    for answer in (head, whole):
        assert answer.headers["x-xet-hash"] == file.name
        assert answer.headers["x-xet-refresh-route"] == address
        assert answer.headers["link"] == f'<{address}>; rel="xet-auth"'
        assert answer.headers["x-linked-etag"] == f'"{file.sha256}"'
        assert answer.headers["x-linked-size"] == str(len(file.data))
    assert whole.content == file.data
    assert hub.get(address).status_code == 200
    reader = Store.of(hub, repo, None, write=False)
    assert reader.read(file.name) == reader.read(file.name, version=2) == file.data


def test_the_lines_of_a_shard_say_how_far_it_is(store):
    file = file_of(ONE, TWO)
    for xorb in (ONE, TWO):
        store.put_xorb(xorb)
    lines = lines_of(store.put_shard(shard_of([file]), 2))
    assert lines[-1] == {"type": "result"}
    for line in lines[:-1]:
        assert line["type"] in {"validating", "committing"}
        if line["type"] == "validating":
            assert line.keys() == {"type", "verified", "total"}
            assert 0 <= line["verified"] <= line["total"] == len(file.data)
        else:
            assert line.keys() == {"type", "stage"}
    verified = [line.get("verified", len(file.data)) for line in lines[:-1]]
    assert all(before <= after for before, after in pairwise(verified))


def test_what_turns_out_later_is_the_last_line(store):
    last = lines_of(store.put_shard(shard_of([file_of(ONE)]), 2))[-1]
    assert last["type"] == "error"
    assert last["retryable"] is False
    assert ONE.name in last["message"]


def test_what_is_wrong_with_a_shard_as_such_is_an_ordinary_error(store):
    for version in (1, 2):
        answer = store.put_shard(b"no shard", version)
        assert (answer.status, answer.code) == (400, "shard_malformed")


def test_a_shard_of_nothing(store):
    for version in (1, 2):
        assert store.put_shard(shard_of([], []), version).status == 200


def test_a_repeat_of_a_shard_is_answered_alike(store, hub):
    file = file_of(ONE, TWO)
    store.upload(file)
    for version in (1, 2, 1):
        assert store.put_shard(shard_of([file]), version).status == 200
    assert len(list(hub.services.contents.iterate())) == 1


def test_a_shard_that_lists_files_alone(store):
    store.upload(file_of(ONE))
    again = file_of((ONE, 1, 4))
    assert store.put_shard(shard_of([again], [])).status == 200
    assert store.put_shard(shard_of([file_of(ONE), again], [])).status == 200


def test_three_hundred_small_files_in_one_xorb(hub, repo, store, xorb_files):
    small = tuple(b"%03d" % number * (number + 1) for number in range(300))
    xorb = Xorb(small)
    files = [file_of((xorb, number, number + 1)) for number in range(300)]
    store.upload(*files)
    assert xorb_files() == []
    done = commit(hub, repo, *((f"f/{number}.bin", file) for number, file in enumerate(files)))
    assert done.status_code == 200, done.text
    listed = {item["path"]: item for item in hub.get(f"{repo}/tree/main/f").json()}
    assert {listed[f"f/{n}.bin"]["xetHash"] for n in range(300)} == {file.name for file in files}
    reader = Store.of(hub, repo, None, write=False)
    for number in (0, 7, 299):
        assert reader.read(files[number].name) == small[number]
        assert hub.get(f"/{KEPT}/resolve/main/f/{number}.bin").content == small[number]


def test_terms_that_go_to_and_fro(hub, repo, store):
    xorbs = [Xorb(pieces(seed, 3)) for seed in range(20)]
    runs = [(xorbs[place * 7 % 20], place % 3, 3) for place in range(120)]
    file = file_of(*runs)
    store.upload(file)
    assert commit(hub, repo, ("w.bin", file)).status_code == 200
    assert hub.get(f"/{KEPT}/resolve/main/w.bin").content == file.data
    assert Store.of(hub, repo, None, write=False).read(file.name) == file.data


def test_the_empty_file(hub, repo, store):
    store.upload(file_of())
    assert commit(hub, repo, ("empty.bin", file_of())).status_code == 200
    assert hub.get(f"/{KEPT}/resolve/main/empty.bin").content == b""
    told = Store.of(hub, repo, None, write=False).reconstruct("0" * 64)
    assert (told.status, told.json["terms"]) == (200, [])


def test_a_file_that_is_committed_elsewhere_later(hub, store):
    """The right comes with the upload, not with the repo whose token was used."""
    file = file_of(ONE)
    store.upload(file)
    other = hub.create("alice/other")
    assert commit(hub, other, ("w.bin", file)).status_code == 200
    assert hub.get("/alice/other/resolve/main/w.bin").content == file.data


def test_a_file_must_be_committed_before_it_is_read(hub, repo, store):
    file = file_of(ONE)
    store.upload(file)
    for reader in (store, Store.of(hub, repo, "alice", write=False)):
        answer = reader.reconstruct(file.name)
        assert (answer.status, answer.code) == (404, "file_unknown")


def test_new_chunks_on_top_of_what_the_hub_has(hub, repo, store):
    """A second version: most of it is asked for by its first chunk, and only what is new is sent."""
    first = file_of(ONE, TWO)
    store.upload(first)
    assert commit(hub, repo, ("w.bin", first)).status_code == 200
    fresh = Store.of(hub, repo, "alice")
    answer = fresh.call("GET", f"/v1/chunks/default/{Xorb(ONE.pieces[:1]).name}")
    assert answer.status == 200
    ((name, chunks),) = chunks_in(answer.body).items()
    assert chunks == first.chunks
    whole = Xorb(ONE.pieces + TWO.pieces)
    assert whole.name == name
    second = file_of((whole, 0, 10), THREE)
    assert fresh.put_xorb(THREE).status == 200
    assert fresh.put_shard(shard_of([second], [THREE])).json == {"result": 1}
    assert commit(hub, repo, ("w.bin", second)).status_code == 200
    assert hub.get(f"/{KEPT}/resolve/main/w.bin").content == second.data


def test_a_file_that_came_by_lfs_has_the_hash_that_clients_compute(hub, repo, tmp_path):
    import hf_xet  # type: ignore[import-untyped]

    data = b"".join(pieces(9, 40, 20_000)) + safetensors(a=(500, 7))
    oid = hub.link(repo, "w.bin", data)
    assert "xetHash" not in hub.get(f"{repo}/tree/main").json()[-1]
    services = hub.services
    with services.database.write() as uow:
        services.queue.enqueue(uow, "chunk", {}, key="chunk")
    while (job := services.queue.claim(("chunk",), 1e6, "test")) is not None:
        handlers(services)["chunk"](JobContext(services.queue, job))
        assert services.queue.finish(job)
    (tmp_path / "w.bin").write_bytes(data)
    (said,) = hf_xet.hash_files([str(tmp_path / "w.bin")])
    item = hub.get(f"{repo}/tree/main").json()[-1]
    assert (item["xetHash"], item["lfs"]["oid"]) == (said.hash, oid)
    reader = Store.of(hub, repo, None, write=False)
    told = reader.reconstruct(said.hash).json
    chunks = reader.fetched(told)
    assert reader.read(said.hash) == data
    store = Store.of(hub, repo, "alice")
    first = Xorb((chunks[told["terms"][0]["hash"], 0],))
    assert store.call("GET", f"/v1/chunks/default-merkledb/{first.name}").status == 200
    inner = Xorb((chunks[told["terms"][0]["hash"], 1],))
    assert store.call("GET", f"/v1/chunks/default-merkledb/{inner.name}").status == 404


def test_an_upload_by_lfs_has_the_job_cut_it(hub, repo):
    data = b"by LFS"
    asked = {"operation": "upload", "objects": [{"oid": sha256(data).hexdigest(), "size": len(data)}]}
    answer = hub.post("/alice/mm.git/info/lfs/objects/batch", asked, by="alice").json()
    href = answer["objects"][0]["actions"]["upload"]["href"]
    assert hub.client.put(href, content=data).status_code == 200
    waiting = [job.kind for job in hub.services.queue.list_jobs()]
    assert waiting.count("chunk") == 1


def test_two_cuts_of_the_same_bytes(hub, repo, store):
    joined = Xorb((ONE.pieces[0] + ONE.pieces[1], *ONE.pieces[2:]))
    first, second = file_of(ONE), file_of(joined)
    assert first.data == second.data
    assert first.name != second.name
    store.upload(first)
    store.upload(second)
    assert commit(hub, repo, ("w.bin", first)).status_code == 200
    assert len(list(hub.services.contents.iterate())) == 1
    reader = Store.of(hub, repo, None, write=False)
    assert reader.read(first.name) == reader.read(second.name) == first.data
    assert hub.get(f"{repo}/tree/main").json()[-1]["xetHash"] in {first.name, second.name}


def test_an_upload_goes_on_where_it_broke_off(hub, repo, store):
    """The xorbs are there, the shard was never sent, and the client begins anew."""
    store.put_xorb(ONE)
    fresh = Store.of(hub, repo, "alice")
    answer = fresh.call("GET", f"/v1/chunks/default/{Xorb(ONE.pieces[3:4]).name}")
    assert chunks_in(answer.body) == {ONE.name: ONE.chunks}
    assert fresh.put_shard(shard_of([file_of(ONE)], [])).status == 200


def test_the_entry_of_a_file_may_come_without_that_of_its_xorb(store):
    store.put_xorb(ONE)
    assert store.put_shard(shard_of([entry(file_of((ONE, 0, 2)))], [])).status == 200


def run_chunk_jobs(services) -> int:
    ran = 0
    while (job := services.queue.claim(("chunk",), 1e6, "test")) is not None:
        handlers(services)["chunk"](JobContext(services.queue, job))
        assert services.queue.finish(job)
        ran += 1
    return ran


def test_how_one_account_cuts_its_bytes_is_not_shown_to_another(hub, repo, tmp_path):
    """Else an unusual cut would tell the second who uploads the same bytes that there was a first."""
    import hf_xet

    unusual = file_of(Xorb(pieces(21, 40)))
    (tmp_path / "w.bin").write_bytes(unusual.data)
    (said,) = hf_xet.hash_files([str(tmp_path / "w.bin")])
    assert said.hash != unusual.name
    hidden = hub.create("alice/hidden", private=True)
    Store.of(hub, hidden, "alice").upload(unusual)
    assert commit(hub, hidden, ("w.bin", unusual)).status_code == 200
    assert run_chunk_jobs(hub.services) == 0, "nobody else has these bytes"
    assert hub.get(f"{hidden}/tree/main", by="alice").json()[-1]["xetHash"] == unusual.name

    theirs = hub.create("bob/theirs", by="bob")
    bobs = file_of((Xorb(unusual.xorbs[0].pieces[:20])), Xorb(unusual.xorbs[0].pieces[20:]))
    Store.of(hub, theirs, "bob").upload(bobs)
    assert commit(hub, theirs, ("w.bin", bobs), by="bob").status_code == 200
    assert run_chunk_jobs(hub.services) == 1
    for api, by in ((theirs, "bob"), (hidden, "alice")):
        assert hub.get(f"{api}/tree/main", by=by).json()[-1]["xetHash"] == said.hash
    assert Store.of(hub, theirs, "bob", write=False).read(said.hash) == unusual.data
    assert Store.of(hub, hidden, "alice", write=False).read(unusual.name) == unusual.data
