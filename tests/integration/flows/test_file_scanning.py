"""Scanning the files of revisions: once for each content, name hint and rule set."""

import pytest

from allmende.facts import advance_scan_run, content_facts, last_scan_run, revision_facts, scan_changes
from allmende.flows import Services, file_scanning, rescan
from allmende.flows.file_scanning import verdict_fact
from allmende.flows.rescan import notice_new_rules, start_rescan
from allmende.flows.scan_summary import SCAN
from allmende.jobs import SqlJobQueue
from allmende.registry import Actor, AddFile, LinkContent, Repo
from allmende.scan import RULE_SET, FileReport, Source, scan_source
from allmende.storage import Database
from tests import scan_samples as samples
from tests.integration.flows.conftest import RunJobs
from tests.integration.registry.conftest import Commit, MakeRepo, Upload
from tests.scanners import InProcess


@pytest.fixture
def counted(services: Services) -> InProcess:
    """What the hub scans by."""
    counted = InProcess()
    services.scanner._start = lambda: counted
    return counted


@pytest.fixture
def repo(make_repo: MakeRepo, alice: Actor) -> Repo:
    return make_repo(alice)


def small(**files: bytes) -> list[AddFile]:
    return [AddFile(name.replace("__", "."), data) for name, data in files.items()]


def scan_of(database: Database, repo: Repo, commit_oid: str) -> dict:
    with database.read() as uow:
        value = revision_facts(uow, repo.id, commit_oid).value(SCAN)  # type: ignore[arg-type]
    assert isinstance(value, dict)
    return value


def test_a_revision_says_the_worst_of_its_files(
    database: Database, repo: Repo, alice: Actor, commit: Commit, run_jobs: RunJobs
) -> None:
    files = small(bad__pkl=samples.BLOCKED, odd__pkl=samples.WARNED, good__pkl=samples.CLEAN)
    head = commit(alice, repo, *files).commit_oid
    run_jobs()
    scan = scan_of(database, repo, head)
    assert (scan["status"], scan["rule_set"]) == ("blocked", RULE_SET)
    assert (scan["counts"]["blocked"], scan["counts"]["warned"]) == (1, 1)
    assert [(file["path"], file["status"]) for file in scan["files"]] == [
        ("bad.pkl", "blocked"),
        ("odd.pkl", "warned"),
    ]


def test_bytes_are_scanned_once_for_each_hint(
    repo: Repo,
    alice: Actor,
    make_repo: MakeRepo,
    commit: Commit,
    upload: Upload,
    run_jobs: RunJobs,
    counted: InProcess,
) -> None:
    data = b"some bytes " * 100
    sha256 = upload(alice, data)
    other = make_repo(alice, "other")
    commit(alice, repo, LinkContent("a.pkl", sha256, len(data)), LinkContent("sub/b.pkl", sha256, len(data)))
    run_jobs()
    assert [name[-4:] for name in counted.names if name != ".gitattributes"] == [".pkl"]
    commit(alice, other, LinkContent("c.pkl", sha256, len(data)), LinkContent("d.onnx", sha256, len(data)))
    run_jobs()
    assert [name[-4:] for name in counted.names if name != ".gitattributes"] == [".pkl", "onnx"]


def test_a_report_that_is_too_large_stops_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_scanning, "_MAX_REPORT_BYTES", 200)
    report = scan_source(Source.of_bytes(samples.BLOCKED), "a.pkl")
    bounded = file_scanning._bounded(report)
    rules = [finding.rule.id for finding in bounded.findings]
    assert set(rules) == {"pickle-refused-global", "limit-reached"}
    assert bounded.references == ()


class TestRescan:
    """New rules: everything is looked at again, and what changed is told."""

    @staticmethod
    def raise_rule_set(monkeypatch: pytest.MonkeyPatch, to: str = "next") -> None:
        from allmende.flows import scan_summary

        for module in (file_scanning, rescan, scan_summary):
            monkeypatch.setattr(module, "RULE_SET", to, raising=False)

    def test_a_new_hub_has_nothing_to_do(self, services: Services, database: Database) -> None:
        assert notice_new_rules(services)
        with database.read() as uow:
            run = last_scan_run(uow)
        assert run is not None
        assert run.finished_at is not None
        assert not notice_new_rules(services)

    def test_what_changed_is_reported_for_every_repo(
        self,
        services: Services,
        database: Database,
        repo: Repo,
        alice: Actor,
        make_repo: MakeRepo,
        commit: Commit,
        upload: Upload,
        run_jobs: RunJobs,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        data = samples.BLOCKED
        sha256 = upload(alice, data)
        other = make_repo(alice, "other")
        for place in (repo, other):
            commit(alice, place, LinkContent("w.bin", sha256, len(data)), AddFile("good.pkl", samples.CLEAN))
        commit(alice, repo, AddFile("later.txt", b"the file above is in an older revision too"))
        monkeypatch.setattr(
            services.scanner, "scan", lambda file, size, name: FileReport(RULE_SET, ("pickle",), ())
        )
        run_jobs()
        monkeypatch.undo()
        assert scan_of(database, repo, self.head(database, repo))["status"] == "clean"
        notice_new_rules(services)
        run_jobs()
        self.raise_rule_set(monkeypatch)
        assert notice_new_rules(services)
        run_jobs()
        with database.read() as uow:
            run = last_scan_run(uow)
            assert run is not None
            changes = scan_changes(uow, run.id)
        assert run.finished_at is not None
        assert run.repos == 2
        told = {(change.repo_id, change.path): change for change in changes}
        for place in (repo, other):
            change = told[place.id, "w.bin"]
            assert (change.before, change.after) == ("clean", "blocked")
            assert change.rules == ("pickle-refused-global",)
        assert all(change.path != "good.pkl" for change in changes)
        assert scan_of(database, repo, self.head(database, repo))["status"] == "blocked"
        assert not notice_new_rules(services)

    def test_an_old_verdict_stands_until_the_new_one_is_there(
        self,
        services: Services,
        database: Database,
        repo: Repo,
        alice: Actor,
        commit: Commit,
        run_jobs: RunJobs,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        from allmende.flows.file_verdicts import file_verdict
        from allmende.registry import find_entry, read_commit

        head = commit(
            alice, repo, AddFile("a.pkl", samples.BLOCKED), AddFile("b", samples.BLOCKED)
        ).commit_oid
        run_jobs()
        self.raise_rule_set(monkeypatch)
        with database.read() as uow:
            entry = find_entry(uow, read_commit(uow, head).tree_oid, "a.pkl")
            assert entry is not None
            verdict = file_verdict(services, uow, repo.id, "a.pkl", entry.oid)
            facts = content_facts(uow, [entry.oid])[entry.oid]
        assert verdict.word == "blocked"
        assert {"verdict.pickle", "verdict", "scan.pickle", "scan"} <= set(facts)

    def test_a_crash_costs_one_repo(
        self,
        services: Services,
        database: Database,
        queue: SqlJobQueue,
        repo: Repo,
        alice: Actor,
        make_repo: MakeRepo,
        commit: Commit,
        run_jobs: RunJobs,
        counted: InProcess,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for number in range(3):
            place = make_repo(alice, f"other{number}")
            commit(alice, place, AddFile(f"{number}.pkl", samples.CLEAN + bytes([number])))
        run_jobs()
        self.raise_rule_set(monkeypatch)
        run_id = start_rescan(services)
        counted.names.clear()
        calls: list[int] = []

        def fails_once(*arguments: object) -> None:
            calls.append(1)
            if len(calls) == 3:
                raise RuntimeError("a crash")
            advance_scan_run(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(rescan, "advance_scan_run", fails_once)
        with pytest.raises(RuntimeError, match="a crash"):
            run_jobs()
        with database.write() as uow:
            queue.enqueue(uow, "rescan", {"run_id": run_id})
        run_jobs()
        with database.read() as uow:
            run = last_scan_run(uow)
        assert run is not None
        assert run.finished_at is not None
        assert (run.repos, len(set(counted.names))) == (4, len(counted.names))

    def test_a_newer_run_replaces_one_that_is_under_way(
        self, services: Services, database: Database, repo: Repo, run_jobs: RunJobs
    ) -> None:
        from allmende.facts import find_scan_run

        first, second = start_rescan(services), start_rescan(services)
        run_jobs()
        with database.read() as uow:
            old, new = find_scan_run(uow, first), find_scan_run(uow, second)
        assert old is not None
        assert new is not None
        assert (old.repos, new.repos) == (0, 1)
        assert old.finished_at is not None

    @staticmethod
    def head(database: Database, repo: Repo) -> str:
        from allmende.registry import MAIN, read_ref

        with database.read() as uow:
            ref = read_ref(uow, repo.id, MAIN)
        assert ref is not None
        return ref.commit_oid


def test_the_bytes_of_an_older_revision_are_scanned_again_too(
    services: Services,
    database: Database,
    repo: Repo,
    alice: Actor,
    commit: Commit,
    upload: Upload,
    run_jobs: RunJobs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from allmende.registry import Remove

    sha256 = upload(alice, samples.BLOCKED)
    commit(alice, repo, LinkContent("w.bin", sha256, len(samples.BLOCKED)))
    commit(alice, repo, Remove("w.bin", folder=False))
    run_jobs()
    TestRescan.raise_rule_set(monkeypatch)
    start_rescan(services)
    run_jobs()
    with database.read() as uow:
        facts = content_facts(uow, [sha256], [verdict_fact("w.bin")])[sha256]
    assert facts[verdict_fact("w.bin")].tool_version == "next"
