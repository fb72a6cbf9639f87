"""`allmende push`: files into a repo, with as few bytes over the network as what the hub has allows."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from allmende.cli.output import AsJson, note, say, say_json, size_text

__all__ = ["push"]

_RepoType = Literal["model", "dataset", "space"]


def push(
    path: Annotated[Path, Parameter(help="A folder or a file.")],
    repo: Annotated[str, Parameter(help="namespace/name.")],
    /,
    *,
    repo_type: Annotated[_RepoType, Parameter(name="--type", help="What kind of repo it is.")] = "model",
    revision: Annotated[str, Parameter(help="The branch.")] = "main",
    message: Annotated[str | None, Parameter(help="Of the commit.")] = None,
    path_in_repo: Annotated[str, Parameter(help="Where in the repo; else at its root.")] = "",
    include: Annotated[
        list[str] | None, Parameter(help="Only files that match, such as '*.safetensors'; may be repeated.")
    ] = None,
    exclude: Annotated[list[str] | None, Parameter(help="No files that match; may be repeated.")] = None,
    create: Annotated[bool, Parameter(negative="", help="Make the repo if it is not there.")] = False,
    private: Annotated[
        bool, Parameter(negative="", help="Make it as a private one if it is not there.")
    ] = False,
    base: Annotated[
        list[str] | None,
        Parameter(help="A repo whose files lie here, or a folder, to build upon; may be repeated."),
    ] = None,
    endpoint: Annotated[str | None, Parameter(help="The hub's address; else HF_ENDPOINT.")] = None,
    token: Annotated[
        str | None, Parameter(help="Who pushes; else HF_TOKEN or what `hf auth login` left.")
    ] = None,
    jobs: Annotated[int, Parameter(help="Files at a time.")] = 4,
    as_json: AsJson = False,
) -> None:
    """Send what the hub lacks, and commit it. What has arrived of an interrupted push is not sent again.

    Of weights whose base is on the hub and on this machine only what is new is sent. Bases are looked for in
    the repo itself, in what its card calls its base, and where --base says.
    """
    from allmende.cli.progress import ByteProgress
    from allmende.client import (
        Connection,
        LocalFiles,
        RemoteRepo,
        card_bases,
        create_repo,
        files_to_push,
        find_bases,
        hub_cache,
        known_endpoint,
        known_token,
        links_folder,
    )
    from allmende.client import push as send

    files = files_to_push(path, path_in_repo, include or (), exclude or ())
    target = RemoteRepo(repo_type, repo)
    local = LocalFiles(hub_cache(), links_folder())
    guessed = [*([repo] if repo_type == "model" else []), *card_bases(path / "README.md")]
    size_bytes = sum(file.size_bytes for file in files)
    with Connection(endpoint or known_endpoint(), token or known_token(), connections=max(1, jobs)) as hub:
        if create or private:
            create_repo(hub, target, private=True if private else None)
        with ByteProgress(2 * size_bytes) as progress:
            pushed = send(
                hub,
                target,
                revision,
                files,
                message or f"Push {path.name or repo}",
                lambda stop: find_bases(hub, target, base or (), guessed, local, stop),
                progress.add,
                jobs=jobs,
            )
    if as_json:
        say_json(
            "allmende.push/1",
            {
                "repo": repo,
                "commit": pushed.commit,
                "files": pushed.files,
                "size_bytes": pushed.size_bytes,
                "sent_bytes": pushed.sent_bytes,
                "present_bytes": pushed.present_bytes,
                "delta_bytes": pushed.delta_bytes,
                "plain_bytes": pushed.plain_bytes,
            },
        )
        return
    say(pushed.commit or "Nothing is new.")
    note(
        f"{pushed.files} files, {size_text(pushed.size_bytes)}, of which {size_text(pushed.sent_bytes)} went "
        f"over the network ({size_text(pushed.present_bytes)} were there, {size_text(pushed.delta_bytes)} "
        "went as what is new)."
    )
    if pushed.knows_deltas is False:
        note("This hub takes no deltas: what it lacked went as it is.")
