"""Mirrors grow, go on where they stopped, notice a fork, and are checked without their log."""

import base64
import json

import pytest

from allmende.client import FolderLog, LogForked, LogMirror, LogWatch, UnexpectedAnswer, check_mirror
from allmende.errors import AllmendeError, NotFound, TooLarge
from allmende.merkle import (
    EMPTY_ROOT,
    Checkpoint,
    KnownLog,
    TileMissing,
    bundle_names,
    grow,
    leaf_hash,
    make_bundle,
    read_equivocation,
    read_policy,
    signed_checkpoint,
)
from tests.unit.proof.made_bundles import LOG_KEY, NOW, ORIGIN, OTHER_KEY, SUBJECT, MadeHub, policy_of

POLICY = read_policy(policy_of(witnesses=()))


class Served:
    """A log in memory, with an entry about a repo at every tenth place; may stop in the middle."""

    def __init__(self, fork_at: int | None = None, key=LOG_KEY) -> None:
        self.files: dict[str, bytes] = {}
        self.statements: dict[int, bytes] = {}
        self.fork_at = fork_at
        self.key = key
        self.size, self.root = 0, EMPTY_ROOT
        self.left: int | None = None
        self.all: list[bytes] = []

    def make(self, index: int) -> bytes:
        if index % 10 == 3:
            return MADE[index // 10 % len(MADE)][1]
        branch = "" if self.fork_at is None or index < self.fork_at else "forked"
        return f"entry {index} {branch}".encode()

    def grow_to(self, size: int) -> "Served":
        fresh = [self.make(at) for at in range(self.size, size)]
        for at in range(self.size, size):
            if at % 10 == 3:
                self.statements[at] = served(at, *MADE[at // 10 % len(MADE)][1:])
        growth = grow(self.size, self.root, lambda name: self.files[name.path], map(leaf_hash, fresh))
        self.all += fresh
        self.files |= {name.path: data for name, data in growth.tiles.items()}
        self.files |= {name.path: make_bundle(name, self) for name in bundle_names(size, self.size)}
        self.size, self.root = growth.size, growth.root
        note = signed_checkpoint(Checkpoint(ORIGIN, self.size, self.root), [self.key], NOW)
        self.files["checkpoint"] = bytes(note)
        return self

    def entries(self, begin: int, end: int) -> list[bytes]:
        return self.all[begin:end]

    def fetch(self, path: str, at_most_bytes: int, /) -> bytes:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise ConnectionError
        if path not in self.files:
            raise TileMissing(path)
        return self.files[path][: at_most_bytes + 1]

    def statement(self, index: int, /) -> bytes | None:
        return self.statements.get(index)


def made() -> list[tuple[int, bytes, bytes, bytes]]:
    hub = MadeHub()
    hub.log_publish("0" * 64)
    hub.log_publish("1" * 64, commit="1" * 40)
    return hub.kept


MADE = made()


def served(index: int, entry: bytes, statement: bytes, salt: bytes) -> bytes:
    return json.dumps(
        {
            "index": index,
            "entry": base64.b64encode(entry).decode(),
            "statement": base64.b64encode(statement).decode(),
            "salt": salt.hex(),
        }
    ).encode()


def all_files(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("steps", [(1,), (255, 256, 257), (3, 70, 600, 1030), (513, 513)])
def test_it_grows_with_the_log(tmp_path, steps):
    log = Served()
    checked = None
    for size in steps:
        log.grow_to(size)
        assert LogMirror(tmp_path, log, POLICY).step().size == size
        checked = check_mirror(tmp_path, POLICY)
        assert (checked.entries, checked.statements) == (size, len(log.statements))
    assert checked is not None
    assert checked.checkpoints == len(set(steps))
    kept = all_files(tmp_path)
    tiles = {path for path in kept if path.startswith("tile/")}
    fresh = all_files_of_a_fresh_mirror(tmp_path / "fresh", log)
    assert tiles == {path for path in fresh if path.startswith("tile/")}, "nothing is left of older states"
    assert {path: kept[path] for path in tiles} == {path: fresh[path] for path in tiles}


def all_files_of_a_fresh_mirror(folder, log) -> dict[str, bytes]:
    LogMirror(folder, log, POLICY).step()
    return all_files(folder)


def test_a_mirror_is_mirrored(tmp_path):
    LogMirror(tmp_path / "one", Served().grow_to(700), POLICY).step()
    assert LogMirror(tmp_path / "two", FolderLog(tmp_path / "one"), POLICY).step().statements == 70
    assert check_mirror(tmp_path / "two", POLICY).entries == 700


@pytest.mark.parametrize("left", [0, 1, 5, 6, 9, 12])
def test_an_interrupted_step_goes_on(tmp_path, left):
    log = Served().grow_to(300)
    LogMirror(tmp_path, log, POLICY).step()
    log.grow_to(2500)
    log.left = left
    with pytest.raises(ConnectionError):
        LogMirror(tmp_path, log, POLICY).step()
    assert check_mirror(tmp_path, POLICY).entries == 300
    log.left = None
    log.grow_to(2501)
    assert LogMirror(tmp_path, log, POLICY).step().size == 2501
    assert check_mirror(tmp_path, POLICY).entries == 2501


@pytest.mark.parametrize(("old", "new"), [(100, 100), (100, 300), (300, 100), (300, 257)])
def test_a_fork_leaves_evidence(tmp_path, old, new):
    LogMirror(tmp_path, Served().grow_to(old), POLICY).step()
    with pytest.raises(LogForked) as forked:
        LogMirror(tmp_path, Served(fork_at=50).grow_to(new), POLICY).step()
    assert "evidence" in (forked.value.hint or "")
    (evidence,) = tmp_path.glob("*.equivocation")
    read_equivocation(evidence.read_bytes()).check(KnownLog.of_key(LOG_KEY.verifier))
    assert check_mirror(tmp_path, POLICY).entries == old, "the fork was not followed"


def test_an_older_checkpoint_is_no_fork(tmp_path):
    LogMirror(tmp_path, Served().grow_to(400), POLICY).step()
    step = LogMirror(tmp_path, Served().grow_to(300), POLICY).step()
    assert (step.is_behind, step.size) == (True, 400)


def test_another_key_is_refused(tmp_path):
    with pytest.raises(AllmendeError) as refused:
        LogMirror(tmp_path, Served(key=OTHER_KEY).grow_to(10), POLICY).step()
    assert refused.value.code == "log_signature_refused"
    assert not any(tmp_path.iterdir())


def test_a_log_without_end(tmp_path):
    with pytest.raises(TooLarge):
        LogMirror(tmp_path, Served().grow_to(3000), POLICY, limit_bytes=10_000).step()


def test_a_statement_that_is_not_the_one(tmp_path):
    log = Served().grow_to(20)
    log.statements[3] = log.statements[13]
    with pytest.raises(UnexpectedAnswer):
        LogMirror(tmp_path, log, POLICY).step()
    log.statements[3] = b'{"statement": 3}'
    with pytest.raises(UnexpectedAnswer):
        LogMirror(tmp_path, log, POLICY).step()


def test_a_folder_without_a_mirror(tmp_path):
    with pytest.raises(NotFound):
        check_mirror(tmp_path, POLICY)


def test_every_change_in_a_mirror_is_found(tmp_path):
    log = Served()
    for size in (200, 600):
        LogMirror(tmp_path, log.grow_to(size), POLICY).step()
    for name, data in all_files(tmp_path).items():
        if name == "mirror.json":
            continue
        for at in {0, len(data) // 2, len(data) - 1}:
            if name.startswith("statements/") and data[at : at + 1] in b'{}" ,:':
                continue
            (tmp_path / name).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            with pytest.raises(AllmendeError):
                check_mirror(tmp_path, POLICY)
        (tmp_path / name).write_bytes(data)
    assert check_mirror(tmp_path, POLICY).entries == 600


class TestWatch:
    def test_the_entries_of_a_repo(self):
        log = Served().grow_to(300)
        watch = LogWatch(log, POLICY)
        seen = list(watch.entries({SUBJECT: "model lab/base"}, 0))
        assert [one.index for one in seen] == list(range(3, 300, 10))
        assert seen[1].act is not None
        assert seen[1].act.text("commit") == "1" * 40
        log.grow_to(310)
        assert [one.index for one in watch.entries({SUBJECT: "model lab/base"}, watch.size)] == [303]
        assert list(watch.entries({"0" * 64: "model lab/other"}, 0)) == []

    def test_what_has_no_statement_is_still_told(self):
        log = Served().grow_to(30)
        log.statements.clear()
        seen = list(LogWatch(log, POLICY).entries({SUBJECT: "x"}, 5))
        assert [(one.index, one.entry.kind, one.act) for one in seen] == [
            (13, "publish", None),
            (23, "publish", None),
        ]

    def test_a_fork_between_two_looks(self):
        log = Served().grow_to(100)
        watch = LogWatch(log, POLICY)
        list(watch.entries({}, 0))
        watch._source = Served(fork_at=50).grow_to(120)
        with pytest.raises(LogForked):
            list(watch.entries({}, 100))
        assert watch.evidence is not None
        watch.evidence.check(KnownLog.of_key(LOG_KEY.verifier))
