"""Finding by meaning, where the operator chose a model for it: making vectors, and asking for the nearest."""

from allmende.flows.services import Services
from allmende.ids import RepoId
from allmende.jobs import JobContext, Schedule
from allmende.meaning import plain_text
from allmende.registry import Actor, Repo
from allmende.search import Found, RepoText, SearchQuery, nearest_repos, put_vectors, texts_without_vector
from allmende.storage import UnitOfWork

__all__ = ["MEANING", "also_by_meaning", "begin_meaning", "enqueue_meaning", "make_vectors"]

MEANING = Schedule("meaning", every_s=3600.0)

_PRIORITY = -7
"""Behind what people wait for: until it has run a repo is found by its words."""
_BATCH = 50
_MOST = 10


def also_by_meaning(
    services: Services, uow: UnitOfWork, viewer: Actor, query: SearchQuery, found: Found
) -> list[Repo]:
    """The ten nearest in meaning to a query, less what its words found; none where no model is chosen.

    They belong beneath the first page of what words find; beneath others there are none.
    """
    if services.meaning is None or query.page or not query.text:
        return []
    model = services.meaning.model()
    vector = model.encode(plain_text(query.text, (), ""))
    if vector is None:
        return []
    return nearest_repos(
        uow, services.loaded, services.vectors, viewer, query, found, model.id, vector, _MOST
    )


def enqueue_meaning(services: Services, uow: UnitOfWork) -> None:
    """Have the vectors made that are missing, once however often it is asked for meanwhile."""
    if services.meaning is not None:
        services.queue.enqueue(uow, MEANING.kind, {}, key=MEANING.kind, priority=_PRIORITY)


def begin_meaning(services: Services) -> None:
    """At a start: the operator may have named a model, or another one, since the last."""
    if services.meaning is not None:
        with services.database.write() as uow:
            enqueue_meaning(services, uow)


def make_vectors(services: Services, context: JobContext) -> None:
    """Make the vectors that are missing, or that another model made.

    Raises JobInterrupted when the job should stop; what is made by then stays.
    """
    if services.meaning is None:
        return
    model = services.meaning.model()
    after = RepoId(0)
    while True:
        context.checkpoint()
        with services.database.read() as uow:
            texts = texts_without_vector(uow, model.id, after, _BATCH)
        if not texts:
            return
        made = {one.repo_id: (one.change, model.encode(_text(one)) or b"") for one in texts}
        with services.database.write() as uow:
            put_vectors(uow, model.id, made)
        after = texts[-1].repo_id


def _text(one: RepoText) -> str:
    return plain_text(one.name, one.tags.split(), one.card)
