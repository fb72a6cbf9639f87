"""Models like the one of a page, each with a plain word for why it is there."""

from dataclasses import dataclass

from allmende.flows import AlikeView, LineageView, models_like
from allmende.registry import Repo
from allmende.storage import UnitOfWork
from allmende.web.addresses import model_path
from allmende.web.lineage_words import line_words
from allmende.web.messages import Catalogue
from allmende.web.visits import Visit

__all__ = ["Alike", "alike_of"]


@dataclass(frozen=True, slots=True)
class Alike:
    """A model, why it is like the page's, and how sure that is; without a grade nothing was measured."""

    name: str
    link: str
    says: str
    grade: str | None


def alike_of(visit: Visit, uow: UnitOfWork, repo: Repo, view: LineageView, most: int) -> list[Alike]:
    """The nearest, as far as the visitor may see them; see `models_like`."""
    listed = models_like(visit.services, uow, visit.actor, repo, view, most)
    return [Alike(one.repo, model_path(one.repo), _says(one, visit.t), one.grade) for one in listed]


def _says(one: AlikeView, t: Catalogue) -> str:
    if one.relation is None:
        known = one.parameters is not None
        return t("list.parameters", count=t.short_number(one.parameters or 0)) if known else t("alike.size")
    said = [
        t(
            f"alike.why.{one.why}" if one.through or one.why != "sibling" else "alike.why.kin",
            model=one.through,
        )
    ]
    if one.why not in ("copy", "merged_with") and one.relation != "sibling":
        said.append(line_words(one.relation, one.rank, one.weight, t))
    if one.agreement is not None and one.why != "copy":
        said.append(t("alike.agreement", share=t.share(one.agreement)))
    return " · ".join(said)
