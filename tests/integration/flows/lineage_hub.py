"""A hub with models in it, for tests of lineage: publishing, waiting, and looking as somebody."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from allmende.facts import weights_of_revision
from allmende.flows import LineageView, Services, descendants, lineage_of, note_repo_changed, remove_repo
from allmende.ids import GitOid, WeightsId
from allmende.registry import (
    ANONYMOUS,
    Actor,
    AddFile,
    LinkContent,
    Repo,
    find_repo_by_id,
    heads_of,
    tags_by_repo,
    update_repo,
)
from tests.integration.flows.conftest import RunJobs
from tests.integration.flows.families import Arrays, safetensors_of
from tests.integration.registry.conftest import Commit, MakeRepo, Upload


@dataclass
class LineageHub:
    """Repos by what they are called in the test; every call is a transaction of its own."""

    services: Services
    make_repo: MakeRepo
    commit: Commit
    upload: Upload
    run_jobs: RunJobs

    def publish(
        self,
        actor: Actor,
        name: str,
        weights: Arrays | bytes,
        *,
        file: str = "model.safetensors",
        private: bool = False,
        base: str | None = None,
        relation: str | None = None,
        more: Mapping[str, object] | None = None,
        wait: bool = True,
    ) -> Repo:
        """A new model with weights and a card; with `wait`, examined and traced."""
        repo = self.make_repo(actor, name, private=private)
        self.add(actor, repo, weights, file=file, base=base, relation=relation, more=more)
        if wait:
            self.run_jobs()
        return repo

    def add(
        self,
        actor: Actor,
        repo: Repo,
        weights: Arrays | bytes,
        *,
        file: str = "model.safetensors",
        base: str | None = None,
        relation: str | None = None,
        more: Mapping[str, object] | None = None,
    ) -> GitOid:
        """A commit on `main`."""
        data = weights if isinstance(weights, bytes) else safetensors_of(weights)
        card = ["---", *([f"base_model: {base}"] if base else [])]
        card += [f"base_model_relation: {relation}"] if relation else []
        small = {"README.md": "\n".join([*card, "license: apache-2.0", "---", "A model."]), **(more or {})}
        operations: list[AddFile | LinkContent] = [
            AddFile(path, (text if isinstance(text, str) else json.dumps(text)).encode())
            for path, text in small.items()
        ]
        operations.append(LinkContent(file, self.upload(actor, data), len(data)))
        return self.commit(actor, repo, *operations).commit_oid

    def view(self, repo: Repo, viewer: Actor = ANONYMOUS) -> LineageView:
        """What somebody sees of the head."""
        with self.services.database.read() as uow:
            return lineage_of(uow, viewer, self._now(repo), heads_of(uow, [repo.id])[repo.id])

    def parents(self, repo: Repo, viewer: Actor = ANONYMOUS) -> list[str]:
        """The parents by the best edge."""
        edges = self.view(repo, viewer).edges
        return [parent.repo for parent in edges[0].parents] if edges else []

    def relation(self, repo: Repo, viewer: Actor = ANONYMOUS) -> str:
        edges = self.view(repo, viewer).edges
        return edges[0].relation if edges else ""

    def children(self, repo: Repo, viewer: Actor = ANONYMOUS) -> list[str]:
        with self.services.database.read() as uow:
            page = descendants(uow, viewer, self._now(repo), heads_of(uow, [repo.id])[repo.id])
        assert page.count == len(page.children)
        return [child.repo for child in page.children]

    def claims(self, repo: Repo, viewer: Actor = ANONYMOUS) -> dict[str, tuple[str, str]]:
        return {base.name: (base.status, base.code) for base in self.view(repo, viewer).declared}

    def tags(self, repo: Repo) -> list[str]:
        with self.services.database.read() as uow:
            return [tag for tag in tags_by_repo(uow, [repo.id])[repo.id] if tag.startswith("base_model:")]

    def weights_id(self, repo: Repo) -> WeightsId:
        with self.services.database.read() as uow:
            held = weights_of_revision(uow, repo.id, heads_of(uow, [repo.id])[repo.id])
        assert held is not None
        return held.weights_id

    def show(self, actor: Actor, repo: Repo, *, private: bool) -> None:
        """Change who may see a repo; the jobs that follow do not run yet."""
        with self.services.database.write() as uow:
            before = self._now(repo)
            update_repo(uow, actor, before, private=private)
            note_repo_changed(self.services, uow, before)

    def delete(self, actor: Actor, repo: Repo) -> None:
        with self.services.database.write() as uow:
            remove_repo(self.services, uow, actor, repo)

    def _now(self, repo: Repo) -> Repo:
        with self.services.database.read() as uow:
            found = find_repo_by_id(uow, repo.id)
        assert found is not None
        return found
