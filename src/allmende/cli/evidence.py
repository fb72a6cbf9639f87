"""`allmende evidence`: what an auditor keeps of a repo, a namespace or a hub, in one archive."""

import secrets
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from allmende.cli.output import note, say
from allmende.errors import BadRequest

__all__ = ["evidence"]

_RepoType = Literal["model", "dataset", "space"]


def evidence(
    of: Annotated[str | None, Parameter(help="namespace/name, or a namespace.")] = None,
    /,
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"), help="The archive to write.")],
    hub: Annotated[
        bool, Parameter(name="--hub", help="Of all repos of the hub, for its administrators.")
    ] = False,
    repo_type: Annotated[_RepoType, Parameter(name="--type", help="What kind of repo it is.")] = "model",
    endpoint: Annotated[str | None, Parameter(help="The hub's address; else HF_ENDPOINT.")] = None,
    token: Annotated[
        str | None, Parameter(help="Who asks; else HF_TOKEN or what `hf auth login` left.")
    ] = None,
) -> int:
    """Fetch an archive of evidence, verify it, and write it. `allmende verify FILE.zip` verifies it later."""
    from allmende.cli.first_contact import tell_first_contact
    from allmende.client import Connection, fetch_evidence, known_endpoint, known_token, meet
    from allmende.proof import EXIT_CODES, judge_evidence

    if (of is None) != hub:
        raise BadRequest("Name a repo or a namespace, or give --hub.")
    partial = output.with_name(f".{output.name}.{secrets.token_hex(4)}")
    try:
        with Connection(endpoint or known_endpoint(), token or known_token()) as connection:
            known = meet(connection)
            fetch_evidence(connection, of, repo_type, partial)
        with partial.open("rb") as archive:
            found = judge_evidence(archive, None if known is None else known.data)
        if found.verdict.state != "refused":
            partial.replace(output)
            say(str(output))
    finally:
        partial.unlink(missing_ok=True)
    tell_first_contact(known)
    note(f"{found.verdict.state}: {found.verdict.reason}")
    if found.without_proof:
        note(f"{found.without_proof} revisions have no proof; manifest.json says why of each.")
    return EXIT_CODES[found.verdict.state]
