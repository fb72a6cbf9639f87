"""The order of system calls behind an acknowledgement, proven from a trace of a real hub.

A sound order in a trace shows that what was acknowledged is durable if the disk keeps what it said it
synced. The checker itself is tested first: every pair that matters is swapped in a trace, and it must object.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hubs import RunningHub
from tests.system.publisher import RARE_SIZES, SETTINGS
from tests.system.syscalls import OutOfOrder, Place, check_commit, check_upload, command, read_trace
from tests.system.wire_client import Publication, WireClient, sha256_of

PORT = 40324
SHA = "85" + "25" + "f" * 60
OID = "ab" * 20
PLACE = Place(Path("/d/contents"), Path("/d/allmende.db-wal"))
PART = "/d/contents/incoming/e1.part"
LOCATION = f"85/25/{SHA}"
FINAL = f"/d/contents/{LOCATION}"
CLIENT = f"TCP:[127.0.0.1:8080->127.0.0.1:{PORT}]"

UPLOAD = {
    "open_log": '10 openat(AT_FDCWD</>, "/d/allmende.db-wal", O_RDWR|O_CREAT, 0600) = 24</d/allmende.db-wal>',
    "sync_log_name": "10 fdatasync(26</d>) = 0",
    "write_1": f'10 write(27<{PART}>, "\\207\\214(ab) = 1"..., 4000) = 4000',
    "write_2": f'10 write(27<{PART}>, "xyz"..., 1000) = 1000',
    "sync_file": f"10 fsync(27<{PART}>) = 0",
    "mkdir_1": '10 mkdir("/d/contents/85", 0700) = 0',
    "sync_root": "10 fsync(27</d/contents>) = 0",
    "mkdir_2": '10 mkdir("/d/contents/85/25", 0700) = 0',
    "sync_parent": "10 fsync(27</d/contents/85>) = 0",
    "rename": f'10 rename("{PART}", "{FINAL}") = 0',
    "sync_folder": "10 fsync(27</d/contents/85/25>) = 0",
    "row": f'10 pwrite64(24</d/allmende.db-wal>, "\\0\\7{LOCATION}\\0", 4096, 24) = 4096',
    "commit_frame": '10 pwrite64(24</d/allmende.db-wal>, "\\0\\0\\0F", 24, 4120) = 24',
    "sync_database": "10 fdatasync(24</d/allmende.db-wal>) = 0",
    "other_client": '11 writev(25<TCP:[127.0.0.1:8080->127.0.0.1:1]>, [{iov_base="HTTP/1.1 200"}], 1) = 12',
    "answer": f'11 writev(26<{CLIENT}>, [{{iov_base="HTTP/1.1 200 OK\\r\\n\\r\\n", iov_len=19}}], 1) = 19',
}
COMMIT = {name: line.replace(LOCATION, OID) for name, line in UPLOAD.items() if list(UPLOAD).index(name) > 10}

NEEDED = (
    "sync_log_name", "write_1", "write_2", "sync_file", "sync_root", "sync_parent", "rename", "sync_folder",
    "row", "sync_database", "answer",
)  # fmt: skip

SWAPPED = [
    ("write_2", "sync_file", "bytes after the sync of the file"),
    ("sync_file", "rename", "a name before the bytes are synced"),
    ("sync_root", "row", "the outer new folder not synced before the row"),
    ("mkdir_1", "sync_root", "the outer folder synced before the new one was in it"),
    ("sync_parent", "row", "the inner new folder not synced before the row"),
    ("mkdir_2", "sync_parent", "the inner folder synced before the new one was in it"),
    ("rename", "sync_folder", "the folder synced before the name was in it"),
    ("sync_folder", "row", "a row before the name is durable"),
    ("row", "answer", "the answer before the row"),
    ("commit_frame", "sync_database", "the end of the transaction after the sync of the database"),
    ("sync_database", "answer", "the answer before the database is synced"),
    ("open_log", "sync_log_name", "a new log whose name was not synced"),
]


def moved(lines: dict[str, str], name: str, behind: str) -> list[str]:
    """The trace with one call later than it was."""
    order = [each for each in lines if each != name]
    order.insert(order.index(behind) + 1, name)
    return [lines[each] for each in order]


def test_the_checker_accepts_a_sound_trace():
    check_upload(read_trace(UPLOAD.values()), PLACE, SHA, 5000, PORT)
    check_commit(read_trace(COMMIT.values()), PLACE, OID, PORT)


def test_a_connection_that_joins_in_owes_no_sync_of_the_log_s_name():
    joined = list(UPLOAD.values())
    joined.insert(list(UPLOAD).index("answer"), UPLOAD["open_log"].replace("10 ", "12 ", 1))
    check_upload(read_trace(joined), PLACE, SHA, 5000, PORT)


def test_a_log_made_anew_owes_another_sync_of_its_name():
    """The first connection's sync is of a name that is gone."""
    made_anew = list(UPLOAD.values())
    removed = '10 unlink("/d/allmende.db-wal") = 0'
    place = list(UPLOAD).index("write_1")
    made_anew[place:place] = [removed, UPLOAD["open_log"]]
    with pytest.raises(OutOfOrder):
        check_upload(read_trace(made_anew), PLACE, SHA, 5000, PORT)
    made_anew.insert(place + 2, UPLOAD["sync_log_name"])
    check_upload(read_trace(made_anew), PLACE, SHA, 5000, PORT)


@pytest.mark.parametrize(("name", "behind", "fault"), SWAPPED, ids=[fault for *_, fault in SWAPPED])
def test_the_checker_objects_to_each_swapped_pair_of_an_upload(name, behind, fault):
    with pytest.raises(OutOfOrder):
        check_upload(read_trace(moved(UPLOAD, name, behind)), PLACE, SHA, 5000, PORT)


@pytest.mark.parametrize(
    ("name", "behind"), [("row", "answer"), ("commit_frame", "sync_database"), ("sync_database", "answer")]
)
def test_the_checker_objects_to_each_swapped_pair_of_a_commit(name, behind):
    with pytest.raises(OutOfOrder):
        check_commit(read_trace(moved(COMMIT, name, behind)), PLACE, OID, PORT)


@pytest.mark.parametrize("name", NEEDED)
def test_the_checker_objects_to_each_call_that_is_absent(name):
    with pytest.raises(OutOfOrder):
        check_upload(read_trace(line for key, line in UPLOAD.items() if key != name), PLACE, SHA, 5000, PORT)


@pytest.mark.parametrize("name", ["sync_file", "sync_root", "sync_parent", "sync_folder", "sync_database"])
def test_a_sync_that_failed_or_goes_on_proves_nothing(name):
    failed = {**UPLOAD, name: UPLOAD[name].replace("= 0", "= -1 EIO (Input/output error)")}
    begun, resumed = UPLOAD[name].partition(")")[0], UPLOAD[name].partition("(")[0].partition(" ")[2]
    ongoing = [*({**UPLOAD, name: f"{begun} <unfinished ...>"}).values(), f"10 <... {resumed} resumed>) = 0"]
    for lines in (failed.values(), ongoing):
        with pytest.raises(OutOfOrder):
            check_upload(read_trace(lines), PLACE, SHA, 5000, PORT)


@pytest.fixture
def traced(tmp_path: Path, require_tool: Callable[[str], str]):
    """A hub under strace; leaving it alone ends both."""
    require_tool("strace")
    hub = RunningHub(tmp_path / "data", environment=SETTINGS, options=("--workers", "0"))
    hub.start(wrapper=command(tmp_path / "trace"))
    try:
        yield hub
    finally:
        hub.kill()


def end(hub: RunningHub) -> list[str]:
    """Stop the hub and return its trace; strace itself ends with it, and has then written everything."""
    children = Path(f"/proc/{hub.pid}/task/{hub.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGTERM)
    assert hub.process is not None
    hub.process.wait(60)
    return (hub.data.parent / "trace").read_text("utf-8", "replace").splitlines()


def test_upload_and_commit_are_durable_before_they_are_answered(traced):
    place = Place(traced.data / "contents", traced.data / "allmende.db-wal")
    first, second, in_parts = (os.urandom(size_bytes) for size_bytes in (300_000, *RARE_SIZES))
    contents = (first, second, in_parts)
    found_folder = place.contents / sha256_of(second)[:2] / sha256_of(second)[2:4]
    ports: dict[str, int] = {}
    with WireClient(traced.url) as client:
        client.create_repo()
        actions = client.wanted({sha256_of(data): len(data) for data in contents})
    # A folder that is there may have been made by a thread that has not come to syncing it: the hub must not
    # rely on that.
    found_folder.mkdir(parents=True)
    for data in (first, second):
        with WireClient(traced.url) as client:
            ports[sha256_of(data)] = client.port
            client.ask("PUT", actions[sha256_of(data)]["upload"]["href"], data)
    with WireClient(traced.url) as client:
        completion = client.upload_parts(in_parts, actions[sha256_of(in_parts)]["upload"])
    with WireClient(traced.url) as client:
        ports[sha256_of(in_parts)] = client.port
        client.ask("POST", actions[sha256_of(in_parts)]["upload"]["href"], completion)
    large = {"a.bin": first, "b.bin": second, "c.bin": in_parts}
    publication = Publication("all", {"README.md": b"# All\n"}, large)
    with WireClient(traced.url) as client:
        commit_port = client.port
        answer = client.commit(publication)
    assert answer.status == 200, answer.body
    calls = read_trace(end(traced))
    for data in contents:
        check_upload(calls, place, sha256_of(data), len(data), ports[sha256_of(data)])
    check_commit(calls, place, answer.json["commitOid"], commit_port)
