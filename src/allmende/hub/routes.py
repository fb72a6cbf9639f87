"""Every route of the Hugging Face protocol that this hub answers, in the order in which they are tried."""

from starlette.routing import Route

from allmende.hub import (
    accounts,
    commit,
    duplicate,
    info,
    lfs_batch,
    lfs_deltas,
    lfs_files,
    lfs_transfer,
    listing,
    not_offered,
    preupload,
    pull_requests,
    refs,
    repos,
    resolve,
    tree,
    xet_downloads,
    xet_tokens,
    xet_uploads,
)

__all__ = ["routes"]


def routes() -> list[Route]:
    """The routes; convertors must be registered before. What nothing answers comes last."""
    return [
        *accounts.routes(),
        *repos.routes(),
        *listing.routes(),
        *tree.routes(),
        *refs.routes(),
        *lfs_files.routes(),
        *duplicate.routes(),
        *pull_requests.routes(),
        *not_offered.routes(),
        *info.routes(),
        *preupload.routes(),
        *commit.routes(),
        *lfs_batch.routes(),
        *lfs_transfer.routes(),
        *lfs_deltas.routes(),
        *xet_tokens.routes(),
        *xet_uploads.routes(),
        *xet_downloads.routes(),
        *resolve.routes(),
        *not_offered.fallback_routes(),
    ]
