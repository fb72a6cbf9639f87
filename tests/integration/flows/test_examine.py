"""Examining revisions: from files to facts, with real git objects and stored contents."""

import json
from dataclasses import replace
from typing import BinaryIO

import pytest

from allmende.errors import NotFound
from allmende.facts import RevisionFacts, content_facts, is_examined, revision_facts
from allmende.flows import Services, content_examination
from allmende.flows.examine import examine
from allmende.ids import GitOid, RepoId, Sha256
from allmende.jobs import JobContext, JobInterrupted
from allmende.registry import (
    Actor,
    AddFile,
    LinkContent,
    Remove,
    Repo,
    create_branch,
    delete_contents,
    delete_repo,
    find_repo_by_id,
    tags_by_repo,
)
from allmende.storage import Database, LocalContentStore
from tests.integration.flows.conftest import RunJobs
from tests.integration.flows.weights import gguf, safetensors
from tests.integration.registry.conftest import Commit, MakeRepo, Upload

TOOLS = 2
"""How many tools open a content: what reads headers, and the scan."""

CONFIG = {"architectures": ["BertForMaskedLM"], "model_type": "bert", "vocab_size": 7}


class WatchedStore(LocalContentStore):
    """Notes which contents are opened, and that no transaction is open meanwhile."""

    def __init__(self, inner: LocalContentStore, database: Database) -> None:
        super().__init__(inner.root)
        self.opened: list[str] = []
        self._database = database

    def open_read(self, location: str) -> BinaryIO:
        assert self._database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        self.opened.append(location.rsplit("/", 1)[-1])
        return super().open_read(location)


@pytest.fixture
def contents(contents: LocalContentStore, database: Database) -> WatchedStore:
    return WatchedStore(contents, database)


@pytest.fixture
def facts_of(database: Database) -> "FactsOf":
    return FactsOf(database)


class FactsOf:
    """What is known of a revision, in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __call__(self, repo: Repo, commit_oid: GitOid) -> RevisionFacts:
        with self._database.read() as uow:
            return revision_facts(uow, repo.id, commit_oid)


class Publish:
    """Upload weight files and commit them with small ones."""

    def __init__(self, commit: Commit, upload: Upload, actor: Actor) -> None:
        self._commit, self._upload, self._actor = commit, upload, actor

    def __call__(self, repo: Repo, revision: str = "main", **files: object) -> GitOid:
        return self.files(repo, {name.replace("__", "."): data for name, data in files.items()}, revision)

    def files(self, repo: Repo, files: dict[str, object], revision: str = "main") -> GitOid:
        operations: list[AddFile | LinkContent] = []
        for path, data in files.items():
            if isinstance(data, bytes):
                sha256 = self._upload(self._actor, data)
                operations.append(LinkContent(path, sha256, len(data)))
            else:
                text = data if isinstance(data, str) else json.dumps(data)
                operations.append(AddFile(path, text.encode()))
        return self._commit(self._actor, repo, *operations, revision=revision).commit_oid


@pytest.fixture
def publish(commit: Commit, upload: Upload, alice: Actor) -> Publish:
    return Publish(commit, upload, alice)


@pytest.fixture
def repo(make_repo: MakeRepo, alice: Actor) -> Repo:
    return make_repo(alice)


def payload_context(context: JobContext, repo_id: RepoId, commit_oid: GitOid) -> JobContext:
    payload = {"repo_id": repo_id, "commit_oid": commit_oid}
    return JobContext(context._queue, replace(context.run, payload=payload))


def test_a_model_is_examined_from_commit_to_index(
    database: Database, repo: Repo, publish: Publish, run_jobs: RunJobs, facts_of: FactsOf
) -> None:
    head = publish(repo, config__json=CONFIG, model__safetensors=safetensors(a=(2, 3), b=(5,)))
    with database.read() as uow:
        assert not is_examined(uow, repo.id, head)
    run_jobs()
    facts = facts_of(repo, head)
    assert facts.value("safetensors") == {"parameters": {"F32": 11}, "total": 11}
    assert facts.value("config") == {"architectures": ["BertForMaskedLM"], "model_type": "bert"}
    assert facts.value("library_name") == "transformers"
    assert facts.value("pipeline_tag") == "fill-mask"
    assert facts.value("tags") == ["transformers", "safetensors", "bert", "fill-mask"]
    assert "unreadable" not in facts
    assert facts["safetensors"].source == "derived"
    assert facts["config"].source == "declared"
    with database.read() as uow:
        assert is_examined(uow, repo.id, head)
        assert set(tags_by_repo(uow, [repo.id])[repo.id]) == {
            "transformers",
            "safetensors",
            "bert",
            "fill-mask",
        }
        found = find_repo_by_id(uow, repo.id)
    assert found is not None
    assert (found.library_name, found.pipeline_tag) == ("transformers", "fill-mask")


def test_files_are_counted_by_what_they_are_and_wrong_names_are_told(
    repo: Repo, publish: Publish, run_jobs: RunJobs, facts_of: FactsOf
) -> None:
    weights = safetensors(a=(1,))
    head = publish.files(
        repo, {"model.safetensors": weights, "sub/really.gguf": weights, "notes.md": "# x\n", "a.json": {}}
    )
    run_jobs()
    files = facts_of(repo, head).value("files")
    assert isinstance(files, dict)
    assert files["count"] == 5
    assert files["formats"]["safetensors"] == {"count": 2, "size_bytes": 2 * len(weights)}  # type: ignore[index,call-overload]
    assert files["formats"]["json"]["count"] == 1  # type: ignore[index,call-overload]
    assert files["misnamed"] == {"count": 1, "first": ["sub/really.gguf"]}


def test_the_card_goes_before_what_the_files_say(
    database: Database, repo: Repo, publish: Publish, run_jobs: RunJobs, facts_of: FactsOf
) -> None:
    card = "---\npipeline_tag: text-classification\nlibrary_name: keras\n---\n"
    head = publish(repo, config__json=CONFIG, README__md=card)
    run_jobs()
    facts = facts_of(repo, head)
    assert [(facts[name].value, facts[name].source) for name in ("pipeline_tag", "library_name")] == [
        ("text-classification", "declared"),
        ("keras", "declared"),
    ]
    with database.read() as uow:
        assert "fill-mask" not in tags_by_repo(uow, [repo.id])[repo.id]


def test_shards_are_added_up_as_the_index_names_them(
    repo: Repo, publish: Publish, run_jobs: RunJobs, facts_of: FactsOf
) -> None:
    names = [f"model-{n:05}-of-00002.safetensors" for n in (1, 2)]
    index = {"weight_map": {"a": names[0], "b": names[1], "c": names[1]}}
    files: dict[str, object] = {
        names[0]: safetensors(a=(10,)),
        names[1]: safetensors(b=(20,), c=(3,)),
        "model.fp16.safetensors": safetensors(a=(1000,)),
        "model.safetensors.index.json": index,
    }
    head = publish.files(repo, files)
    run_jobs()
    fact = facts_of(repo, head)["safetensors"]
    assert fact.value == {"parameters": {"F32": 33}, "total": 33}
    assert [each["path"] for each in fact.evidence["files"]] == names


def test_a_sum_without_all_shards_is_not_told(
    repo: Repo, publish: Publish, run_jobs: RunJobs, facts_of: FactsOf
) -> None:
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    head = publish.files(
        repo, {"model-1.safetensors": safetensors(a=(10,)), "model.safetensors.index.json": index}
    )
    run_jobs()
    facts = facts_of(repo, head)
    assert facts.examined
    assert "safetensors" not in facts


def test_headers_that_cannot_be_read_are_facts_and_the_rest_goes_on(
    repo: Repo, publish: Publish, run_jobs: RunJobs, facts_of: FactsOf
) -> None:
    good = safetensors(a=(4,))
    files: dict[str, object] = {
        "model.safetensors": good,
        "broken.safetensors": good[:-4],
        "broken.gguf": gguf(32)[:-100],
        "config.json": '{"a": 1, "a": 2}',
    }
    head = publish.files(repo, files)
    run_jobs()
    facts = facts_of(repo, head)
    unreadable = facts.value("unreadable")
    assert isinstance(unreadable, list)
    told = {str(each["path"]): (each["code"], each["error"]) for each in unreadable if isinstance(each, dict)}
    assert set(told) == {"broken.safetensors", "broken.gguf", "config.json"}
    assert told["broken.safetensors"][0] == "malformed_safetensors"
    assert told["broken.safetensors"][1] == "The tensors take 16 bytes, the file has 12 for them."
    assert told["config.json"][0] == "json_named_twice"
    assert facts.value("safetensors") == {"parameters": {"F32": 4}, "total": 4}


def test_a_gguf_model_is_described_and_its_parts_added_up(
    repo: Repo, publish: Publish, run_jobs: RunJobs, facts_of: FactsOf
) -> None:
    files: dict[str, object] = {
        "m-00001-of-00002.gguf": gguf(32),
        "m-00002-of-00002.gguf": gguf(64),
        "z-q4.gguf": gguf(1024),
    }
    head = publish.files(repo, files)
    run_jobs()
    assert facts_of(repo, head).value("gguf") == {
        "total": 96,
        "architecture": "llama",
        "context_length": 2048,
        "quantization": "F32",
        "chat_template": "{{ messages }}",
    }


def test_a_content_is_read_once_for_all_revisions_and_repos(
    make_repo: MakeRepo,
    repo: Repo,
    alice: Actor,
    publish: Publish,
    run_jobs: RunJobs,
    contents: WatchedStore,
    facts_of: FactsOf,
) -> None:
    weights = safetensors(a=(6,))
    publish(repo, model__safetensors=weights)
    run_jobs()
    assert len(contents.opened) == TOOLS
    head = publish(repo, README__md="# more\n")
    copy = make_repo(alice, "copy")
    other = publish(copy, model__safetensors=weights)
    run_jobs()
    assert len(contents.opened) == TOOLS
    assert facts_of(repo, head).value("safetensors") == facts_of(copy, other).value("safetensors")


def test_a_new_version_of_the_reader_examines_anew(
    repo: Repo,
    publish: Publish,
    run_jobs: RunJobs,
    contents: WatchedStore,
    services: Services,
    context: JobContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    head = publish(repo, model__safetensors=safetensors(a=(6,)))
    run_jobs()
    monkeypatch.setattr(content_examination, "TOOL_VERSION", "2")
    examine(services, payload_context(context, repo.id, head))
    assert len(contents.opened) == TOOLS + 1
    with services.database.read() as uow:
        found = content_facts(uow, [Sha256(contents.opened[0])])
    measured = [fact for facts in found.values() for fact in facts.values()]
    assert {fact.tool_version for fact in measured if fact.tool == content_examination.TOOL} == {"2"}


def test_only_the_head_of_main_goes_into_the_index(
    database: Database, repo: Repo, alice: Actor, publish: Publish, run_jobs: RunJobs, facts_of: FactsOf
) -> None:
    with database.write() as uow:
        create_branch(uow, alice, repo, "dev", None)
    head = publish(repo, revision="dev", config__json=CONFIG)
    run_jobs()
    assert facts_of(repo, head).value("library_name") == "transformers"
    with database.read() as uow:
        found = find_repo_by_id(uow, repo.id)
        assert tags_by_repo(uow, [repo.id]) == {}
    assert found is not None
    assert found.library_name is None


def test_what_the_repo_no_longer_holds_is_absent_and_nothing_is_told_of_it(
    database: Database,
    services: Services,
    context: JobContext,
    repo: Repo,
    alice: Actor,
    publish: Publish,
    run_jobs: RunJobs,
    contents: WatchedStore,
    facts_of: FactsOf,
) -> None:
    weights = safetensors(a=(6,))
    head = publish(repo, model__safetensors=weights)
    run_jobs()
    sha256 = Sha256(contents.opened[0])
    with database.write() as uow:
        delete_contents(uow, services.queue, alice, repo, [sha256], rewrite=False)
    examine(services, payload_context(context, repo.id, head))
    facts = facts_of(repo, head)
    files = facts.value("files")
    assert isinstance(files, dict)
    assert files["absent"] == {"count": 1, "first": ["model.safetensors"]}
    assert facts.examined
    assert "safetensors" not in facts


def test_a_repo_that_is_gone_is_no_failure(
    database: Database,
    services: Services,
    context: JobContext,
    repo: Repo,
    alice: Actor,
    publish: Publish,
    run_jobs: RunJobs,
) -> None:
    head = publish(repo, config__json=CONFIG)
    with database.write() as uow:
        delete_repo(uow, alice, repo)
    assert len(run_jobs()) == 2
    examine(services, payload_context(context, RepoId(999), head))
    with database.read() as uow:
        assert not is_examined(uow, repo.id, head)


def test_a_commit_of_another_repo_is_not_examined(
    services: Services, context: JobContext, make_repo: MakeRepo, alice: Actor, repo: Repo, publish: Publish
) -> None:
    secret = publish(make_repo(alice, "secret", private=True), model__safetensors=safetensors(a=(6,)))
    examine(services, payload_context(context, repo.id, secret))
    with services.database.read() as uow:
        assert not is_examined(uow, repo.id, secret)


def test_bytes_that_the_store_has_lost_leave_the_revision_unexamined(
    database: Database, services: Services, repo: Repo, publish: Publish, run_jobs: RunJobs
) -> None:
    head = publish(repo, model__safetensors=safetensors(a=(6,)))
    for stored in services.contents.iterate():
        services.contents.delete(stored.location)
    with pytest.raises(NotFound):
        run_jobs()
    with database.read() as uow:
        assert not is_examined(uow, repo.id, head)


def test_an_interrupted_examination_goes_on_where_it_was(
    services: Services, context: JobContext, repo: Repo, publish: Publish, contents: WatchedStore
) -> None:
    files: dict[str, object] = {f"{n}.safetensors": safetensors(a=(n + 1,)) for n in range(6)}
    head = publish.files(repo, files)
    job = payload_context(context, repo.id, head)
    opens = contents.open_read

    def stops_at_the_third(location: str) -> BinaryIO:
        if len(contents.opened) == 2:
            job.ask_to_stop()
        return opens(location)

    contents.open_read = stops_at_the_third  # type: ignore[method-assign]
    with pytest.raises(JobInterrupted):
        examine(services, job)
    with services.database.read() as uow:
        assert not is_examined(uow, repo.id, head)
    first = contents.opened[:2]
    examine(services, payload_context(context, repo.id, head))
    with services.database.read() as uow:
        assert is_examined(uow, repo.id, head)
    assert [contents.opened.count(name) for name in first] == [TOOLS, TOOLS]


def test_a_dataset_has_no_facts_of_models(
    make_repo: MakeRepo, alice: Actor, publish: Publish, run_jobs: RunJobs, facts_of: FactsOf
) -> None:
    data = make_repo(alice, "data", kind="dataset")
    head = publish(data, model__safetensors=safetensors(a=(6,)), config__json=CONFIG)
    run_jobs()
    assert set(facts_of(data, head)) == {"files", "scan", "examined"}


def test_a_removed_file_leaves_the_facts_of_the_next_revision(
    repo: Repo, alice: Actor, commit: Commit, publish: Publish, run_jobs: RunJobs, facts_of: FactsOf
) -> None:
    publish(repo, model__safetensors=safetensors(a=(6,)))
    head = commit(alice, repo, Remove("model.safetensors", folder=False)).commit_oid
    run_jobs()
    assert "safetensors" not in facts_of(repo, head)
