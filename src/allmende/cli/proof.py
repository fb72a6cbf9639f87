"""`allmende proof`: the proof of a revision as a file, to verify with where there is no network."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from allmende.cli.output import note, say

__all__ = ["proof"]

_RepoType = Literal["model", "dataset", "space"]


def proof(
    repo: Annotated[str, Parameter(help="namespace/name, or namespace/name@revision.")],
    /,
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"), help="The file to write.")],
    repo_type: Annotated[_RepoType, Parameter(name="--type", help="What kind of repo it is.")] = "model",
    endpoint: Annotated[str | None, Parameter(help="The hub's address; else HF_ENDPOINT.")] = None,
    token: Annotated[
        str | None, Parameter(help="Who asks; else HF_TOKEN or what `hf auth login` left.")
    ] = None,
) -> int:
    """Fetch the proof of a revision, check it, and write it. Exit codes as of `allmende verify`."""
    from allmende.cli.first_contact import tell_first_contact
    from allmende.client import (
        Connection,
        RemoteRepo,
        fetch_proof,
        known_endpoint,
        known_token,
        list_snapshot,
        meet,
    )
    from allmende.proof import EXIT_CODES, judge_bundle

    name, _, revision = repo.partition("@")
    with Connection(endpoint or known_endpoint(), token or known_token()) as hub:
        known = meet(hub)
        remote = RemoteRepo(repo_type, name)
        snapshot = list_snapshot(hub, remote, revision or "main")
        data = fetch_proof(hub, remote, snapshot.commit)
    verdict = judge_bundle(data, None if known is None else known.data)
    if verdict.state != "refused":
        output.write_bytes(data)
        say(str(output))
    note(f"{verdict.state}: {verdict.reason}")
    tell_first_contact(known)
    return EXIT_CODES[verdict.state]
