"""Where a revision comes from, ready to be shown: the measured edges and the claims of the card in words."""

from dataclasses import dataclass

from allmende.flows import LineageView
from allmende.web.addresses import lineage_path
from allmende.web.lineage_words import Claim, Descent, claims, descents
from allmende.web.messages import Catalogue
from allmende.web.repo_views import View

__all__ = ["Origin", "origin_of"]


@dataclass(frozen=True, slots=True)
class Origin:
    """All that the section says; `program` is the address of the same for programs."""

    view: LineageView
    descents: tuple[Descent, ...]
    claims: tuple[Claim, ...]
    link: str
    program: str

    @property
    def has_grades(self) -> bool:
        """Whether a grade is shown, so that somebody may want to know what the grades mean."""
        return any(descent.edge.relation != "unrelated" for descent in self.descents)

    @property
    def contradicted(self) -> bool:
        """Whether the weights contradict a base that is declared."""
        return any(claim.status == "contradicted" for claim in self.claims)


def origin_of(at: View, found: LineageView, t: Catalogue) -> Origin:
    """The section of that revision, for the viewer whom `found` was made for."""
    program = f"/api/allmende/v1/models/{at.repo.full_name}/lineage/{at.revision.oid}"
    return Origin(found, descents(found, t), claims(found, t), lineage_path(at.repo, at.name), program)
