"""Finding repos: by words of their names, tags and cards, and by what is known of them in one word."""

from allmende.search.finding import (
    FACETS,
    MAX_PAGES,
    FacetCount,
    Found,
    SearchOrder,
    SearchQuery,
    base_links,
    find_repos,
)
from allmende.search.index import SearchEntry, forget_repo, put_entry, repos_without_entry, tidy
from allmende.search.loaded import LoadedRepos
from allmende.search.meaning import RepoText, nearest_repos, put_vectors, texts_without_vector
from allmende.search.similar import similar_repos
from allmende.search.vectors import LoadedVectors

__all__ = [
    "FACETS",
    "MAX_PAGES",
    "FacetCount",
    "Found",
    "LoadedRepos",
    "LoadedVectors",
    "RepoText",
    "SearchEntry",
    "SearchOrder",
    "SearchQuery",
    "base_links",
    "find_repos",
    "forget_repo",
    "nearest_repos",
    "put_entry",
    "put_vectors",
    "repos_without_entry",
    "similar_repos",
    "texts_without_vector",
    "tidy",
]
