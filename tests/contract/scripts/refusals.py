"""What a client raises when the hub says no, with the hub's own words and the id of the request."""

from collections.abc import Callable
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import (
    BadRequestError,
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.contract.scripts.asking import answer, given, refused

asked = given()
api, repo = HfApi(), asked["repo"]
gated, private = f"{repo}-gated", f"{repo}-private"
bob, reader = HfApi(token="token-of-bob"), HfApi(token="token-of-rea")
stranger, forger = HfApi(token=False), HfApi(token="no-such-token")
said: dict[str, Any] = {}


def refuse(what: str, kind: type[Exception], call: Callable[[], Any]) -> None:
    """Note how the client reports that `call` was refused; the error must be of exactly this kind."""
    try:
        call()
    except HfHubHTTPError as error:
        if type(error) is not kind:
            raise
        status = error.response.status_code
        said[what] = {"status": status, "text": str(error), "id": error.request_id}
        return
    raise AssertionError(f"{what} was not refused")


def commit(*operations: Any, who: HfApi = api, **options: Any) -> None:
    who.create_commit(repo, list(operations), commit_message="Change", **options)


def metadata(name: str, path: str, who: HfApi = api) -> None:
    who.get_hf_file_metadata(url=f"{api.endpoint}/{name}/resolve/main/{path}", token=who.token)


for name in (repo, gated):
    api.create_repo(name)
    api.upload_file(path_or_fileobj=b"hello", path_in_repo="hello.txt", repo_id=name)
api.create_repo(private, private=True)
api.update_repo_settings(gated, gated="manual")
api.create_tag(repo, tag="once")
first = api.repo_info(repo).sha
commit(CommitOperationAdd("more.txt", b"more"))

missing: type[Exception] = RepositoryNotFoundError
refuse("repo", missing, lambda: api.model_info(f"{repo}-not"))
refuse("repo, by a HEAD", missing, lambda: metadata(f"{repo}-not", "a"))
refuse("private, no token", missing, lambda: stranger.model_info(private))
refuse("private, another's token", missing, lambda: bob.model_info(private))
refuse(
    "private, commit",
    missing,
    lambda: bob.upload_file(path_or_fileobj=b"", path_in_repo="a", repo_id=private),
)

missing = RevisionNotFoundError
refuse("revision", missing, lambda: api.model_info(repo, revision="nope"))
refuse("revision, tree", missing, lambda: list(api.list_repo_tree(repo, revision="nope")))
refuse("revision, tag", missing, lambda: api.create_tag(repo, tag="new", revision="nope"))
refuse("revision, commit", missing, lambda: commit(CommitOperationAdd("a", b"a"), revision="nope"))

missing = RemoteEntryNotFoundError
refuse("entry, by a HEAD", missing, lambda: metadata(repo, "nope"))
refuse("entry, tree", missing, lambda: list(api.list_repo_tree(repo, "nope")))
refuse("entry, commit", missing, lambda: commit(CommitOperationDelete("nope.txt")))

refuse("gated, no token", GatedRepoError, lambda: metadata(gated, "hello.txt", stranger))
refuse("gated, known", GatedRepoError, lambda: metadata(gated, "hello.txt", bob))
refuse("gated, auth check", GatedRepoError, lambda: bob.auth_check(gated))
assert bob.model_info(gated).gated == "manual", "that it exists is no secret"

refuse("token", HfHubHTTPError, lambda: forger.model_info(repo))
refuse("who am I", HfHubHTTPError, forger.whoami)
refuse("foreign namespace", HfHubHTTPError, lambda: bob.create_repo("alice/of-bob"))
refuse("read token", HfHubHTTPError, lambda: reader.create_repo("rea/of-rea"))
refuse("member who reads", HfHubHTTPError, lambda: reader.create_repo("lab/of-rea"))
refuse("foreign commit", HfHubHTTPError, lambda: commit(CommitOperationAdd("a", b"a"), who=bob))
refuse("write check", HfHubHTTPError, lambda: bob.auth_check(repo, write=True))

refuse("repo twice", HfHubHTTPError, lambda: api.create_repo(repo))
refuse("tag twice", HfHubHTTPError, lambda: api.create_tag(repo, tag="once"))
refuse("stale", HfHubHTTPError, lambda: commit(CommitOperationAdd("a", b"a"), parent_commit=first))
refuse("tag name", BadRequestError, lambda: api.create_tag(repo, tag="a name with spaces"))
refuse("branch name", BadRequestError, lambda: api.create_branch(repo, branch="bad..name"))
refuse("main stays", BadRequestError, lambda: api.delete_branch(repo, branch="main"))
refuse("not offered", HfHubHTTPError, lambda: api.create_discussion(repo, title="Hello"))

bad_card = CommitOperationAdd("README.md", b"---\nlicense: nobody-knows-it\n---\n")
told = refused(ValueError, lambda: commit(bad_card))
assert '"license" must be one of' in told, told

answer(said)
