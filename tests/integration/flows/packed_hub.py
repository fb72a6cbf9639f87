"""A hub whose files are packed at once, for tests: publishing families, packing, and reading back."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from allmende.flows import Services, note_scopes_changed, open_content
from allmende.flows.worker import handlers
from allmende.ids import Sha256
from allmende.jobs import Job, JobContext
from allmende.registry import Actor, LinkContent, Repo, delete_repo, find_repo_by_id, update_repo
from allmende.settings import load_settings
from allmende.storage import Content, Database, find_content, recipe_scopes
from tests.integration.conftest import HeldClock
from tests.integration.flows.families import safetensors_of
from tests.integration.registry.conftest import Commit, MakeRepo, Upload

__all__ = ["PackedHub", "family", "packed", "settings_of_packing"]

ROWS, WIDTH = 96, 256


def settings_of_packing(services: Services, **more: object) -> Services:
    """The same hub, which packs what is larger than a few KB without waiting."""
    given = {"pack_min_bytes": 10_000, "pack_quiet_s": 0, **more}
    kept = services.settings.model_dump(exclude_none=True)
    return replace(services, settings=load_settings({**kept, **given}, {}))


def family(seed: int, *drifts: float) -> list[bytes]:
    """A model in float32, and fine-tunes of it that have moved so far from it."""
    random = np.random.default_rng(seed)
    base = {
        f"model.layers.{n}.mlp.up_proj.weight": random.normal(0, 0.05, (ROWS, WIDTH)).astype("<f4")
        for n in range(3)
    }
    files = [safetensors_of(base)]
    for drift in drifts:
        moved = {
            name: (values + random.normal(0, drift, values.shape)).astype("<f4")
            for name, values in base.items()
        }
        files.append(safetensors_of(moved))
    return files


@dataclass
class PackedHub:
    """Every call is a transaction of its own."""

    services: Services
    database: Database
    clock: HeldClock
    make_repo: MakeRepo
    commit: Commit
    upload: Upload
    run_jobs: Callable[[], list[Job]]

    def publish(
        self, actor: Actor, name: str, data: bytes, *, private: bool = False, file: str = "model.safetensors"
    ) -> tuple[Repo, Sha256]:
        """A new repo with one large file."""
        repo = self.make_repo(actor, name, private=private)
        return repo, self.add(actor, repo, data, file)

    def add(self, actor: Actor, repo: Repo, data: bytes, file: str = "model.safetensors") -> Sha256:
        """One more revision of a repo."""
        sha256 = self.upload(actor, data)
        self.commit(actor, repo, LinkContent(file, sha256, len(data)))
        return sha256

    def pack(self) -> list[str]:
        """Run all jobs, also those that are put off for a moment; returns the kinds that ran."""
        ran = [job.kind for job in self.run_jobs()]
        self.clock.advance(seconds=2)
        ran += [job.kind for job in self.run_jobs()]
        return ran

    def content(self, sha256: Sha256) -> Content:
        """The row of a content."""
        with self.database.read() as uow:
            found = find_content(uow, sha256)
        assert found is not None
        return found

    def scopes(self, sha256: Sha256) -> set[int]:
        """In which scopes it has a recipe."""
        with self.database.read() as uow:
            return set(recipe_scopes(uow, [sha256]).get(sha256, ()))

    def read(self, sha256: Sha256) -> bytes:
        """Its bytes, as any reader gets them."""
        with open_content(self.services, self.content(sha256)) as reader:
            return reader.read()

    def is_right(self, sha256: Sha256) -> bool:
        """Whether its bytes are its own."""
        return hashlib.sha256(self.read(sha256)).hexdigest() == sha256

    def show(self, actor: Actor, repo: Repo, *, private: bool) -> None:
        """Change who sees a repo."""
        with self.database.write() as uow:
            update_repo(uow, actor, repo, private=private)
            note_scopes_changed(self.services, uow)

    def delete(self, actor: Actor, repo: Repo) -> None:
        """Delete a repo."""
        with self.database.write() as uow:
            found = find_repo_by_id(uow, repo.id)
            assert found is not None
            delete_repo(uow, actor, found)

    def age_files(self) -> None:
        """Let all plain files be as old as the clock of the test says."""
        for found in self.services.contents.iterate():
            os.utime(self.services.settings.contents_dir / found.location, (1, 1))

    def plain_files(self) -> int:
        """How many files the content store has."""
        return sum(1 for _found in self.services.contents.iterate())


@pytest.fixture
def packed(
    services: Services,
    database: Database,
    clock: HeldClock,
    make_repo: MakeRepo,
    commit: Commit,
    upload: Upload,
) -> PackedHub:
    hub = settings_of_packing(services)

    def run_jobs() -> list[Job]:
        ran: list[Job] = []
        kinds = handlers(hub)
        while (job := hub.queue.claim(kinds.keys(), 1e6, "test")) is not None:
            kinds[job.kind](JobContext(hub.queue, job))
            assert hub.queue.finish(job)
            ran.append(job)
        return ran

    return PackedHub(hub, database, clock, make_repo, commit, upload, run_jobs)
