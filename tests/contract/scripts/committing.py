"""Commits with every operation, branches, tags, pull requests, history and squashing."""

from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError, RevisionNotFoundError

from tests.contract.scripts.asking import answer, given, refused

asked = given()
api, repo = HfApi(), asked["repo"]
weights = b"\0\xff" * 50_000


def files(revision: str = "main") -> set[str]:
    return set(api.list_repo_files(repo, revision=revision)) - {".gitattributes"}


def content(path: str, revision: str = "main") -> bytes:
    return Path(api.hf_hub_download(repo, path, revision=revision)).read_bytes()


def commit(*operations, message: str = "Change", **options):
    return api.create_commit(repo, list(operations), commit_message=message, **options)


api.create_repo(repo)
first = commit(
    CommitOperationAdd("weights.bin", weights),
    CommitOperationAdd("a/one.txt", b"one"),
    CommitOperationAdd("a/two.txt", b"two"),
    CommitOperationAdd("b/three.txt", b"three"),
    CommitOperationAdd("empty.bin", b""),
    message="All at once",
    commit_description="With a description.",
)
assert files() == {"weights.bin", "a/one.txt", "a/two.txt", "b/three.txt", "empty.bin"}
assert first.repo_url.repo_id == repo

second = commit(
    CommitOperationDelete("a/", is_folder=True),
    CommitOperationDelete("empty.bin"),
    CommitOperationCopy(src_path_in_repo="weights.bin", path_in_repo="copies/weights.bin"),
    CommitOperationCopy(src_path_in_repo="b/three.txt", path_in_repo="copies/three.txt"),
    CommitOperationAdd("b/three.txt", b"three, changed"),
    parent_commit=first.oid,
)
assert files() == {"weights.bin", "b/three.txt", "copies/weights.bin", "copies/three.txt"}
assert content("copies/weights.bin") == weights
assert content("copies/three.txt") == b"three"
assert content("b/three.txt") == b"three, changed"
assert content("b/three.txt", first.oid) == b"three"

stale = refused(
    HfHubHTTPError, lambda: commit(CommitOperationAdd("late.txt", b"late"), parent_commit=first.oid)
)
assert "The branch was updated since you opened this page" in stale, stale
assert "late.txt" not in files()

api.create_branch(repo, branch="dev")
api.create_branch(repo, branch="dev", exist_ok=True)
exists = refused(HfHubHTTPError, lambda: api.create_branch(repo, branch="dev"))
assert "Reference refs/heads/dev already exists" in exists, exists
api.create_branch(repo, branch="feature/with-slash", revision=first.oid)
commit(CommitOperationAdd("only-dev.txt", b"dev"), revision="dev")
assert files("dev") - files() == {"only-dev.txt"}
assert files("feature/with-slash") == files(first.oid)

api.create_tag(repo, tag="v1", revision=first.oid, tag_message="First")
api.create_tag(repo, tag="v1", revision=first.oid, exist_ok=True)
api.create_tag(repo, tag="v1-short", revision=first.oid[:8])
assert files("v1") == files("v1-short") == files(first.oid)

pull = commit(CommitOperationAdd("proposed.txt", b"please"), message="Propose", create_pr=True)
assert pull.pr_num
assert pull.pr_revision == f"refs/pr/{pull.pr_num}"
assert pull.pr_url
assert "proposed.txt" in files(f"refs/pr/{pull.pr_num}") - files()
commit(CommitOperationAdd("proposed.txt", b"please!"), revision=pull.pr_revision)
assert content("proposed.txt", str(pull.pr_revision)) == b"please!"

refs = api.list_repo_refs(repo, include_pull_requests=True)
assert {ref.name for ref in refs.branches} == {"main", "dev", "feature/with-slash"}
assert {ref.name: ref.target_commit for ref in refs.tags} == {"v1": first.oid, "v1-short": first.oid}
assert refs.pull_requests is not None
assert [ref.ref for ref in refs.pull_requests] == [f"refs/pr/{pull.pr_num}"]
assert {ref.name: ref.target_commit for ref in refs.branches}["main"] == second.oid

for number in range(9):
    commit(CommitOperationAdd("log.txt", f"{number}".encode()), message=f"Log {number} <b>")
history = api.list_repo_commits(repo, formatted=True)
assert [entry.title for entry in history][:9] == [f"Log {number} <b>" for number in range(8, -1, -1)]
assert [entry.title for entry in history][-2:] == ["All at once", "initial commit"]
assert history[-2].message.strip() == "With a description.", history[-2].message
assert history[0].authors == ["alice"], history[0].authors
assert history[0].formatted_title == "Log 8 &lt;b&gt;", history[0].formatted_title

before = {path: content(path) for path in files()}
api.super_squash_history(repo, commit_message="One commit")
assert [entry.title for entry in api.list_repo_commits(repo)] == ["One commit"]
assert {path: content(path) for path in files()} == before

api.delete_tag(repo, tag="v1")
api.delete_branch(repo, branch="dev")
gone = refused(RevisionNotFoundError, lambda: api.delete_branch(repo, branch="gone"))
assert "Invalid rev id" in gone, gone
refs = api.list_repo_refs(repo)
assert {ref.name for ref in refs.branches} == {"main", "feature/with-slash"}
assert {ref.name for ref in refs.tags} == {"v1-short"}
answer({"commits": len(history)})
