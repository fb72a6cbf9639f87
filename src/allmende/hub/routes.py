"""Every route of the Hugging Face protocol that this hub answers, in the order in which they are tried."""

from starlette.routing import Route

from allmende.hub import (
    accounts,
    commit,
    duplicate,
    info,
    lfs_batch,
    lfs_files,
    lfs_transfer,
    listing,
    not_offered,
    preupload,
    refs,
    repos,
    resolve,
    tree,
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
        *not_offered.routes(),
        *info.routes(),
        *preupload.routes(),
        *commit.routes(),
        *lfs_batch.routes(),
        *lfs_transfer.routes(),
        *resolve.routes(),
        *not_offered.fallback_routes(),
    ]
