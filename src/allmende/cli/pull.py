"""`allmende pull`: a revision of a repo, with as few bytes over the network as what is here allows."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from allmende.cli.output import AsJson, note, say, say_json, size_text

__all__ = ["pull"]

_RepoType = Literal["model", "dataset", "space"]


def pull(
    repo: Annotated[str, Parameter(help="namespace/name, or namespace/name@revision.")],
    /,
    *,
    into: Annotated[
        Path | None, Parameter(help="A folder for plain files; else the Hugging Face cache is filled.")
    ] = None,
    repo_type: Annotated[_RepoType, Parameter(name="--type", help="What kind of repo it is.")] = "model",
    include: Annotated[
        list[str] | None, Parameter(help="Only files that match, such as '*.safetensors'; may be repeated.")
    ] = None,
    exclude: Annotated[list[str] | None, Parameter(help="No files that match; may be repeated.")] = None,
    endpoint: Annotated[str | None, Parameter(help="The hub's address; else HF_ENDPOINT.")] = None,
    token: Annotated[
        str | None, Parameter(help="Who asks; else HF_TOKEN or what `hf auth login` left.")
    ] = None,
    verify_present: Annotated[
        bool, Parameter(name="--verify", help="Read files that are here already, and compare them.")
    ] = False,
    proof: Annotated[
        bool, Parameter(negative="--no-proof", help="Fetch the proof of the revision, for `allmende verify`.")
    ] = True,
    witness: Annotated[
        list[str] | None,
        Parameter(help="A witness to ask at the first contact: 'KEY URL'; may be repeated."),
    ] = None,
    jobs: Annotated[int, Parameter(help="Files at a time.")] = 4,
    as_json: AsJson = False,
) -> None:
    """Fetch a revision, verified. What an interrupted pull has fetched is not fetched again.

    Of files that the hub stores as what is new in them, only that is fetched when their base is on this
    machine: in the Hugging Face cache, or pulled into a folder before.
    """
    from allmende.cli.progress import ByteProgress
    from allmende.cli.pulled_proof import keep_checked_proof
    from allmende.client import (
        CachePlace,
        Connection,
        FolderPlace,
        LocalFiles,
        RemoteRepo,
        hub_cache,
        known_endpoint,
        known_token,
        links_folder,
        list_snapshot,
        named_witnesses,
        wanted_files,
    )
    from allmende.client import pull as fetch

    asked = None if witness is None else named_witnesses(witness)
    name, _, revision = repo.partition("@")
    with Connection(endpoint or known_endpoint(), token or known_token(), connections=max(1, jobs)) as hub:
        snapshot = list_snapshot(hub, RemoteRepo(repo_type, name), revision or "main")
        files = wanted_files(snapshot.files, include or (), exclude or ())
        place = CachePlace(hub_cache(), snapshot) if into is None else FolderPlace(into)
        local = LocalFiles(hub_cache(), links_folder())
        with ByteProgress(sum(file.size_bytes for file in files)) as progress:
            pulled = fetch(
                hub, snapshot, files, place, local, progress.add, verify_present=verify_present, jobs=jobs
            )
        kept = keep_checked_proof(hub, snapshot, place.folder, asked) if proof else None
    savings = pulled.savings
    if as_json:
        say_json(
            "allmende.pull/1",
            {
                "repo": name,
                "commit": pulled.commit,
                "folder": str(pulled.folder),
                "files": pulled.files,
                "size_bytes": pulled.size_bytes,
                "moved_bytes": savings.moved_bytes,
                "present_bytes": pulled.present_bytes,
                "copied_bytes": savings.copied_bytes,
                "decoded_bytes": savings.decoded_bytes,
                "plain_bytes": savings.plain_bytes,
                "proof": None if kept is None else str(kept),
            },
        )
        return
    say(str(pulled.folder))
    note(
        f"{pulled.files} files, {size_text(pulled.size_bytes)}, of which {size_text(savings.moved_bytes)} "
        f"came over the network ({size_text(pulled.present_bytes + savings.copied_bytes)} were here, "
        f"{size_text(savings.decoded_bytes)} were decoded from what is new)."
    )
