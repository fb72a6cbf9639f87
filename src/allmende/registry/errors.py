"""What can go wrong in the registry. Codes of the Hugging Face protocol are spelt as clients know them."""

from allmende.errors import BadRequest, Conflict, Forbidden, NotFound, Stale, Unauthorized
from allmende.ids import RepoType

__all__ = [
    "AccessDenied",
    "AccountExists",
    "AccountNotFound",
    "ContentNotPossessed",
    "CredentialsInvalid",
    "EntryNotFound",
    "HeadMoved",
    "NameInvalid",
    "PathInvalid",
    "RefExists",
    "RepoDisabled",
    "RepoExists",
    "RepoGated",
    "RepoMoved",
    "RepoNotFound",
    "RevisionNotFound",
    "SignInRequired",
]


class CredentialsInvalid(Unauthorized):
    """The token is unknown, revoked or expired."""

    code = "credentials_invalid"

    def __init__(self) -> None:
        super().__init__(
            "Invalid credentials in Authorization header", hint="Check HF_TOKEN, or make a new token."
        )


class SignInRequired(Unauthorized):
    """The act needs a token and none was sent."""

    code = "sign_in_required"

    def __init__(self) -> None:
        super().__init__(
            "This needs a token and none was sent.", hint="Set HF_TOKEN, or run `hf auth login`."
        )


class AccessDenied(Forbidden):
    """The caller's role or the token's scope does not allow the act."""

    code = "access_denied"


class RepoNotFound(NotFound):
    """There is no such repo, or the caller may not know of it. The words are what clients compare."""

    code = "RepoNotFound"

    def __init__(self) -> None:
        super().__init__("Repository not found")


class RepoMoved(Exception):
    """The repo has another name now. Not an error: an edge answers with a redirect."""

    def __init__(self, repo_type: RepoType, full_name: str) -> None:
        super().__init__(full_name)
        self.repo_type = repo_type
        self.full_name = full_name


class RepoGated(Forbidden):
    """The files of the repo are for those who were let in."""

    code = "GatedRepo"

    def __init__(self, repo_type: RepoType, full_name: str, *, known: bool) -> None:
        super().__init__(
            f"Access to {repo_type} {full_name} is restricted and you are not in the authorized list.",
            hint="Ask its owner for access." if known else "Sign in, and ask its owner for access.",
            places={"name": full_name},
        )
        self.known = known


class RepoDisabled(Forbidden):
    """The operator has switched the repo off. The words are what clients compare."""

    code = "repo_disabled"

    def __init__(self) -> None:
        super().__init__("Access to this resource is disabled.")


class RepoExists(Conflict):
    """The name is taken."""

    code = "repo_exists"

    def __init__(self, repo_type: RepoType, full_name: str) -> None:
        super().__init__(f"A {repo_type} repository called {full_name} already exists")
        self.repo_type = repo_type
        self.full_name = full_name


class RevisionNotFound(NotFound):
    """The repo has no such branch, tag or commit."""

    code = "RevisionNotFound"

    def __init__(self, revision: str) -> None:
        super().__init__(f"Invalid rev id: {revision}", places={"revision": revision})


class EntryNotFound(NotFound):
    """The revision has no such path. `commit_oid` lets clients remember the absence."""

    code = "EntryNotFound"

    def __init__(self, message: str = "Entry not found", commit_oid: str | None = None) -> None:
        super().__init__(message)
        self.commit_oid = commit_oid


class RefExists(Conflict):
    """The branch or tag is there already."""

    code = "ref_exists"

    def __init__(self, name: str) -> None:
        super().__init__(f"Reference {name} already exists")


class HeadMoved(Stale):
    """The commit names a parent that is not the head any more."""

    code = "head_moved"

    def __init__(self) -> None:
        super().__init__("The branch was updated since you opened this page. Please refresh and try again.")


class ContentNotPossessed(BadRequest):
    """A commit names bytes that its author has neither uploaded nor may read; equal whether they exist."""

    code = "content_not_uploaded"

    def __init__(self, path: str, sha256: str) -> None:
        super().__init__(
            f"The bytes of {path!r} (SHA-256 {sha256}) have not been uploaded by you.",
            hint="Upload the file's bytes first, then commit.",
        )


class NameInvalid(BadRequest):
    """Not a possible name for an account or repo."""

    code = "name_invalid"


class PathInvalid(BadRequest):
    """Not a possible path of a file in a repo."""

    code = "path_invalid"


class AccountNotFound(NotFound):
    """There is no such user or organisation."""

    code = "account_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no user or organisation called {name!r}.")


class AccountExists(Conflict):
    """The name belongs to another kind of account."""

    code = "account_exists"
