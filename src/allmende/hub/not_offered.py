"""What clients know of and this hub does not have (yet): 501 with a sentence, which they print.

The answer is the same whether the repo in the address exists or not. At the end stands what is left of
`/api/`: nothing is there, and that is said in the form of all other errors.
"""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from allmende.errors import NotOffered
from allmende.http import Endpoint, reading
from allmende.registry import RepoNotFound

__all__ = ["fallback_routes", "routes"]

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_REPO = "/api/{types:repotypes}/{namespace:segment}/{name:segment}"
_SPACE = "/api/spaces/{namespace:segment}/{name:segment}"

_DISCUSSIONS = (
    "This hub has no discussions and no pages for pull requests yet; pull requests can be opened.",
    "Commit to the branch refs/pr/N to change a pull request.",
)
_LIKES = ("This hub counts no likes.", None)
_FOLLOWERS = ("On this hub nobody follows anybody.", None)
_COLLECTIONS = ("This hub has no collections yet.", None)
_WEBHOOKS = ("This hub has no webhooks yet.", None)
_BUCKETS = ("This hub has no buckets.", "Use a dataset repo.")
_JOBS = ("This hub runs no jobs for its users.", None)
_HOSTING = ("This hub keeps the files of a space and does not run it.", "Download it, and run it yourself.")
_REQUESTS = (
    "On this hub nobody asks for access to a gated repo by a form.",
    "Its owner lets a user in with grant_access.",
)
_PAPERS = ("This hub has no papers.", None)
_LOGIN = ("This hub has no login by browser yet.", "Use an access token: hf auth login --token.")
_KERNELS = ("This hub has no kernels.", "It has models, datasets and spaces.")
_HEADERS = (
    "This hub does not read the headers of several files in one call.",
    "Use get_safetensors_metadata, which reads them from the files.",
)
_SEARCH = ("This hub does not search by meaning.", "Use the parameter search of the list.")

_Sentence = tuple[str, str | None]

_NOT_OFFERED: tuple[tuple[str, _Sentence], ...] = (
    (_REPO + "/discussions", _DISCUSSIONS),
    (_REPO + "/discussions/{rest:tail}", _DISCUSSIONS),
    (_REPO + "/like", _LIKES),
    (_REPO + "/likers", _LIKES),
    (_REPO + "/user-access-request/{rest:tail}", _REQUESTS),
    (_REPO + "/resource-group", ("This hub has no resource groups.", "Use an organisation.")),
    (_REPO + "/safetensors-metadata/{path:tail}", _HEADERS),
    ("/api/datasets/{namespace:segment}/{name:segment}/leaderboard", ("This hub has no leaderboards.", None)),
    *(
        (f"{_SPACE}/{call}", _HOSTING)
        for call in (
            "runtime",
            "secrets",
            "variables",
            "hardware",
            "sleeptime",
            "pause",
            "restart",
            "dev-mode",
            "volumes",
            "logs/{rest:tail}",
        )
    ),
    ("/api/spaces/semantic-search", _SEARCH),
    ("/api/spaces/templates", ("This hub has no templates for spaces.", None)),
    ("/api/spaces/hardware", _HOSTING),
    ("/api/spaces/zero-gpu/quota", _HOSTING),
    ("/api/users/{user:segment}/likes", _LIKES),
    ("/api/users/{user:segment}/followers", _FOLLOWERS),
    ("/api/users/{user:segment}/following", _FOLLOWERS),
    ("/api/organizations/{organization:segment}/followers", _FOLLOWERS),
    ("/api/collections", _COLLECTIONS),
    ("/api/collections/{rest:tail}", _COLLECTIONS),
    ("/api/settings/webhooks", _WEBHOOKS),
    ("/api/settings/webhooks/{rest:tail}", _WEBHOOKS),
    ("/api/buckets/{rest:tail}", _BUCKETS),
    ("/api/jobs/{rest:tail}", _JOBS),
    ("/api/scheduled-jobs/{rest:tail}", _JOBS),
    ("/api/papers/{rest:tail}", _PAPERS),
    ("/api/daily_papers", _PAPERS),
    ("/api/kernels", _KERNELS),
    ("/api/kernels/{rest:tail}", _KERNELS),
    ("/oauth/{rest:tail}", _LOGIN),
    ("/.well-known/openid-configuration", _LOGIN),
    ("/uploads", ("This hub takes no images for discussions.", None)),
)

_CALLS_ON_REPOS = frozenset(
    {
        "branch",
        "commit",
        "commits",
        "discussions",
        "paths-info",
        "preupload",
        "revision",
        "super-squash",
        "tag",
        "tree",
        "xet-read-token",
        "xet-write-token",
    }
)
"""Third segments that show that a name without a namespace stood before them."""


def routes() -> list[Route]:
    """The addresses of what is not offered."""
    return [Route(path, _refusing(sentence), methods=_METHODS) for path, sentence in _NOT_OFFERED]


def fallback_routes() -> list[Route]:
    """The rest of `/api/`: to be tried after every other route of the hub."""
    return [Route("/api/{rest:tail}", reading(nothing_here), methods=_METHODS)]


def nothing_here(request: Request) -> Response:
    """Raises RepoNotFound for a repo without a namespace, else what says 405 or 404."""
    segments = request.scope["path"].split("/")
    if (
        len(segments) > 5
        and segments[2] in {"models", "datasets", "spaces"}
        and segments[4] in _CALLS_ON_REPOS
    ):
        raise RepoNotFound
    allowed: set[str] = set()
    for route in request.app.routes:
        match, _scope = route.matches(request.scope)
        if match is Match.PARTIAL and isinstance(route, Route):
            allowed |= route.methods or set()
    if allowed:
        raise HTTPException(405, headers={"Allow": ", ".join(sorted(allowed))})
    raise HTTPException(404)


def _refusing(sentence: _Sentence) -> Endpoint:
    words, hint = sentence

    def not_offered(_request: Request) -> Response:
        raise NotOffered(words, hint=hint)

    return reading(not_offered)
