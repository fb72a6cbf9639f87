"""The search's entry of a repo: made from its card and from the facts of the head of `main`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from allmende.facts import revision_facts
from allmende.flows.meaning import enqueue_meaning
from allmende.flows.scan_summary import SCAN
from allmende.flows.services import Services
from allmende.formats import JsonValue
from allmende.ids import RepoId
from allmende.jobs import JobContext, Schedule
from allmende.law import law_pack
from allmende.record import licence_class
from allmende.registry import card_at, find_repo_by_id, heads_of, tags_by_repo
from allmende.search import SearchEntry, put_entry, repos_without_entry
from allmende.storage import UnitOfWork

__all__ = ["INDEXING", "index_for_search", "index_missing"]

INDEXING = Schedule("index_missing", every_s=3600.0)

_BATCH = 100
_LICENCE = "license:"
_SIZES = ((10**8, "s"), (10**9, "m"), (10**10, "l"), (10**11, "xl"))
"""Classes of models by parameters: below a hundred million, a billion, ten, a hundred billion."""
_LARGEST = "xxl"
_MOST = 2**62
"""Headers may claim more; that is no number to order by, nor one that a column holds."""


def index_for_search(uow: UnitOfWork, repo_id: RepoId) -> None:
    """Bring the entry of a repo up to its head; a repo without one has an empty entry."""
    repo = find_repo_by_id(uow, repo_id)
    if repo is None:
        return
    head = heads_of(uow, [repo_id]).get(repo_id)
    tags = tags_by_repo(uow, [repo_id]).get(repo_id, [])
    facts = {} if head is None else revision_facts(uow, repo_id, head)
    card = None if head is None else card_at(uow, repo_id, head)
    declared: Mapping[str, Any] = (card.data if card is not None else None) or {}
    status = _of(facts, SCAN, "status")
    parameters = _parameters(facts)
    licences = [tag.removeprefix(_LICENCE) for tag in tags if tag.startswith(_LICENCE)]
    facets: dict[str, Sequence[str]] = {
        "task": _some(repo.pipeline_tag),
        "library": _some(repo.library_name),
        "licence": licences,
        "licence_class": [found for word in licences if (found := licence_class(word)) is not None],
        "open": _open(licences),
        "language": _texts(declared.get("language")),
        "status": _some(status if isinstance(status, str) else None),
        "size": _some(_size(parameters)),
    }
    text = "" if card is None else card.body
    put_entry(uow, repo_id, SearchEntry(tags, text, facets, parameters))


def index_missing(services: Services, context: JobContext) -> None:
    """Enter the repos that are in no index: those that an earlier version examined.

    Raises JobInterrupted when the job should stop; what is entered by then stays.
    """
    while True:
        context.checkpoint()
        with services.database.write() as uow:
            missing = repos_without_entry(uow, _BATCH)
            for repo_id in missing:
                index_for_search(uow, repo_id)
            enqueue_meaning(services, uow)
        if not missing:
            return


def _open(licences: Iterable[str]) -> list[str]:
    """Whether all these licences are free and open-source by their texts, as the law pack reads them.

    One that is not decides; of one that the pack does not know nothing is said.
    """
    rows = law_pack().licences
    found = [rows[word].free if word in rows else None for word in licences]
    for word in ("not_free", None, "disputed", "free"):
        if word in found:
            return _some(word)
    return []


def _parameters(facts: Mapping[str, Any]) -> int | None:
    totals = (_of(facts, name, "total") for name in ("safetensors", "gguf"))
    return next((one for one in totals if isinstance(one, int) and 0 < one <= _MOST), None)


def _size(parameters: int | None) -> str | None:
    if parameters is None:
        return None
    return next((word for most, word in _SIZES if parameters < most), _LARGEST)


def _of(facts: Mapping[str, Any], name: str, key: str) -> JsonValue:
    fact = facts.get(name)
    value: JsonValue = None if fact is None else fact.value
    return value.get(key) if isinstance(value, dict) else None


def _some(value: str | None) -> list[str]:
    return [] if not value else [value]


def _texts(value: object) -> list[str]:
    found: Iterable[object] = value if isinstance(value, list) else [value]
    return [one for one in found if isinstance(one, str) and one]
