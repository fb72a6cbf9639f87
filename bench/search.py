"""Pages of a hub with ten thousand models: finding some among them, and the page of one."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from starlette.testclient import TestClient

from allmende.app import create_app
from allmende.flows import Services, open_services
from allmende.flows.search_index import index_for_search
from allmende.log import waiting_acts
from allmende.registry import (
    Actor,
    AddFile,
    Submission,
    authenticate,
    create_account,
    create_repo,
    issue_token,
    prepare,
    receive,
)
from allmende.search import SearchEntry, put_entry
from allmende.settings import Settings
from allmende.storage import migrate
from bench.findings import Finding, percentile
from bench.place import Place
from bench.plain_http import BenchFailed

__all__ = ["measure_pages"]

REPOS = 10_000
_BATCH = 200
_WARM = 3
"""Answers that are not counted: the first ones read what is kept in memory afterwards."""
_LOG_PATIENCE_S = 120.0
_OWNERS = 50
_WITH_CARD = 20
"""Of so many models one is published with a card, and asked for; the others are in the index alone."""
_SECRET = "token-of-the-bench"
_LICENCES = ("apache-2.0", "mit", "gpl-3.0", "cc-by-4.0", "openrail", "other")
_TASKS = ("text-generation", "feature-extraction", "image-classification", "automatic-speech-recognition")
_LIBRARIES = ("transformers", "sentence-transformers", "diffusers", "gguf")
_LANGUAGES = ("en", "de", "fr", "it", "pl", "es")


def measure_pages(place: Place, rounds: int) -> list[Finding]:
    """Times inside the hub's process, of whole pages: from the request to the last byte of the answer."""
    chance = random.Random(9)
    words = ["".join(chance.choices("abcdefghiklmnoprstuw", k=chance.randint(3, 9))) for _ in range(3000)]
    with _full_hub(place.folder / "pages", chance, words) as (services, client, names):
        asked = 40 * rounds
        searches = [_search_address(chance, words) for _ in range(asked)]
        beside = _timed(client, searches)
        _until_logged(services)
        found = _timed(client, searches)
        models = _timed(client, [f"/{chance.choice(names)}" for _ in range(asked)])
        lists = _timed(client, ["/models"] * rounds)
        commons = _asked(client, "/glance")
    details = {"repos": REPOS, "asked": asked}
    return [
        Finding(
            "search",
            f"Search among {REPOS:,} models with facets, p95",
            1000 * percentile(found, 95),
            "ms",
            50.0,
            details={**details, "p50_ms": 1000 * median(found)},
        ),
        Finding(
            "search_beside",
            "The same while the log takes in the models, p95",
            1000 * percentile(beside, 95),
            "ms",
            50.0,
            details={**details, "p50_ms": 1000 * median(beside)},
        ),
        Finding(
            "model_page",
            f"Page of one of {REPOS:,} models, p50",
            1000 * median(models),
            "ms",
            40.0,
            details={**details, "p95_ms": 1000 * percentile(models, 95)},
        ),
        Finding(
            "models_page", f"List of {REPOS:,} models, p50", 1000 * median(lists), "ms", 50.0, details=details
        ),
        Finding(
            "commons_page",
            f"The commons of {REPOS:,} models, first view",
            1000 * commons,
            "ms",
            500.0,
            details={"repos": REPOS, "views": 1},
        ),
    ]


def _until_logged(services: Services) -> None:
    """The log takes in what was done, in a thread beside the pages; wait until it has."""
    give_up = time.monotonic() + _LOG_PATIENCE_S
    while time.monotonic() < give_up:
        with services.database.read() as uow:
            acts, _ = waiting_acts(uow)
        if not acts:
            return
        time.sleep(0.1)
    raise BenchFailed("the log did not take in what was done")


def _search_address(chance: random.Random, words: list[str]) -> str:
    text = "+".join(word[: chance.choice((3, 20))] for word in chance.sample(words, chance.randint(1, 3)))
    narrowed = f"&licence={chance.choice(_LICENCES)}" if chance.random() < 1 / 3 else ""
    return f"/models?search={text}{narrowed}"


def _timed(client: TestClient, addresses: list[str]) -> list[float]:
    return [_asked(client, address) for address in addresses[:_WARM] + addresses][_WARM:]


def _asked(client: TestClient, address: str) -> float:
    """Seconds of one answer."""
    began = time.perf_counter()
    answer = client.get(address)
    took = time.perf_counter() - began
    if not answer.is_success:
        raise BenchFailed(f"{address} answers {answer.status_code}")
    return took


@contextmanager
def _full_hub(
    folder: Path, chance: random.Random, words: list[str]
) -> Iterator[tuple[Services, TestClient, list[str]]]:
    services = open_services(Settings(data=folder / "data", workers=0))
    migrate(services.database)
    actors = _people(services)
    starts = range(0, REPOS, _BATCH)
    names = [name for start in starts for name in _batch(services, chance, words, actors, start)]
    try:
        with TestClient(create_app(services), base_url="http://127.0.0.1") as client:
            client.headers["Accept"] = "text/html"
            yield services, client, names
    finally:
        services.close()


def _people(services: Services) -> list[Actor]:
    with services.database.write() as uow:
        for number in range(_OWNERS):
            owner = create_account(uow, f"lab-{number}", "user")
            issue_token(uow, owner, "bench", "write", secret=f"{_SECRET}-{number}")
        return [authenticate(uow, f"{_SECRET}-{number}") for number in range(_OWNERS)]


def _batch(
    services: Services, chance: random.Random, words: list[str], actors: list[Actor], start: int
) -> list[str]:
    """Some more models, in one transaction; returns the names of those that have a card."""
    names = []
    with services.database.write() as uow:
        for number in range(start, start + _BATCH):
            actor = actors[number % _OWNERS]
            owner = actor.require_account().name
            repo = create_repo(uow, services.queue, actor, "model", owner, f"{chance.choice(words)}-{number}")
            if number % _WITH_CARD:
                put_entry(uow, repo.id, _entry(chance, words))
                continue
            operations = [AddFile("README.md", _card(chance, words).encode())]
            prepared = prepare(Submission("main", "card", "", operations, None, create_pr=False), 10**6)
            receive(uow, services.queue, actor, repo, prepared)
            index_for_search(uow, repo.id)
            names.append(repo.full_name)
    return names


def _card(chance: random.Random, words: list[str]) -> str:
    front = {
        "license": chance.choice(_LICENCES),
        "pipeline_tag": chance.choice(_TASKS),
        "library_name": chance.choice(_LIBRARIES),
        "language": chance.choice(_LANGUAGES),
        "tags": f"[{', '.join(chance.sample(words, 3))}]",
    }
    lines = "\n".join(f"{key}: {value}" for key, value in front.items())
    return f"---\n{lines}\n---\n# A model\n\n{' '.join(chance.choices(words, k=300))}\n"


def _entry(chance: random.Random, words: list[str]) -> SearchEntry:
    facets = {
        "task": [chance.choice(_TASKS)],
        "library": [chance.choice(_LIBRARIES)],
        "licence": [chance.choice(_LICENCES)],
        "language": [chance.choice(_LANGUAGES)],
        "status": ["clean"],
        "size": [chance.choice("sml")],
    }
    return SearchEntry(chance.sample(words, 3), " ".join(chance.choices(words, k=300)), facets)
