"""What a user reads when the hub says no: the right error class, our words, the id that is in our log."""

from tests.contract.clients import Client
from tests.hubs import RunningHub

EXPECTED = {
    "repo": (404, "Repository Not Found"),
    "repo, by a HEAD": (404, "Repository Not Found"),
    "private, no token": (404, "Repository Not Found"),
    "private, another's token": (404, "Repository Not Found"),
    "private, commit": (404, "Repository Not Found"),
    "revision": (404, "Invalid rev id: nope"),
    "revision, tree": (404, "Invalid rev id: nope"),
    "revision, tag": (404, "Invalid rev id: nope"),
    "revision, commit": (404, "Invalid rev id: nope"),
    "entry, by a HEAD": (404, "Entry Not Found"),
    "entry, tree": (404, 'nope does not exist on "refs/heads/main"'),
    "entry, commit": (404, "A file with the path 'nope.txt' doesn't exist"),
    "gated, no token": (401, "is restricted and you are not in the authorized list"),
    "gated, known": (403, "is restricted and you are not in the authorized list"),
    "gated, auth check": (403, "Ask its owner for access."),
    "token": (401, "Check HF_TOKEN, or make a new token."),
    "who am I": (401, "Invalid user token."),
    "foreign namespace": (403, "You don't have the rights to create a model under the namespace 'alice'"),
    "read token": (403, "Your token may not write here."),
    "member who reads": (403, "Ask an owner of its namespace for the write role."),
    "foreign commit": (403, "Ask an owner of its namespace for the write role."),
    "write check": (403, "You may not change model"),
    "repo twice": (409, "already exists"),
    "tag twice": (409, "Reference refs/tags/once already exists"),
    "stale": (412, "The branch was updated since you opened this page. Please refresh and try again."),
    "tag name": (400, "is not a valid name for a branch or tag"),
    "branch name": (400, "is not a valid name for a branch or tag"),
    "main stays": (400, "Cannot delete refs/heads/main"),
    "not offered": (501, "This hub has no discussions"),
}
"""What is refused in `scripts/refusals.py`: the status, and words that the client must show."""

OWN_WORDS = {"who am I"}
"""The client replaces the whole text by its own."""


def test_what_a_client_says_when_the_hub_refuses(hub: RunningHub, client: Client, name: str):
    said = client.run("refusals", repo=f"alice/{name}")
    assert set(said) == set(EXPECTED)
    for what, (status, words) in EXPECTED.items():
        assert said[what]["status"] == status, (what, said[what])
        assert words in said[what]["text"], (what, said[what])
        assert said[what]["id"] in hub.log, "the operator finds the request by the id that the user sees"
        assert what in OWN_WORDS or f"(Request ID: {said[what]['id']})" in said[what]["text"]
    for what in ("gated, auth check", "token", "not offered"):
        words = EXPECTED[what][1]
        assert said[what]["text"].count(words) == 1, "what the hub says is shown once"
