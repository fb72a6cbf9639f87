"""What a family takes together, as those see it who may see its models."""

from allmende.facts import weights_of_revision
from allmende.flows import FamilyFigures, family_figures, repo_figures
from allmende.registry import ANONYMOUS, Actor, Repo, heads_of
from tests.integration.flows.packed_hub import PackedHub, family


def figures(hub: PackedHub, viewer: Actor, repo: Repo) -> FamilyFigures:
    with hub.database.read() as uow:
        return family_figures(uow, viewer, repo, heads_of(uow, [repo.id])[repo.id])


def test_a_family_is_counted_from_any_of_its_models(packed: PackedHub, alice: Actor, bob: Actor) -> None:
    base, tuned, other = family(21, 1e-5, 1e-5)
    first, _ = packed.publish(alice, "base", base)
    second, _ = packed.publish(alice, "tuned", tuned)
    third, _ = packed.publish(bob, "other", other)
    stranger, _ = packed.publish(bob, "stranger", family(22)[0])
    packed.pack()
    seen = [figures(packed, ANONYMOUS, repo) for repo in (first, second, third)]
    assert seen[0] == seen[1] == seen[2]
    found = seen[0].figures
    assert (seen[0].repos, seen[0].is_cut) == (3, False)
    assert found.content_bytes == len(base) + len(tuned) + len(other)
    saved = found.saved_by_sharing_bytes + found.saved_by_prediction_bytes + found.saved_by_compression_bytes
    assert found.stored_bytes + saved == found.content_bytes
    assert found.saved_by_prediction_bytes > len(base)
    alone = figures(packed, ANONYMOUS, stranger)
    with packed.database.read() as uow:
        assert (alone.repos, alone.figures) == (1, repo_figures(uow, stranger))


def test_private_relatives_are_counted_for_their_own_namespace_alone(
    packed: PackedHub, alice: Actor, bob: Actor
) -> None:
    base, hers, his = family(23, 1e-5, 1e-5)
    public, _ = packed.publish(alice, "base", base)
    own, _ = packed.publish(alice, "hers", hers, private=True)
    foreign, _ = packed.publish(bob, "his", his, private=True)
    packed.pack()
    assert figures(packed, ANONYMOUS, public).repos == 1
    assert figures(packed, bob, public).repos == 1
    assert figures(packed, alice, own).repos == 2
    assert figures(packed, alice, own).figures.content_bytes == len(base) + len(hers)
    assert figures(packed, bob, foreign).figures.content_bytes == len(base) + len(his)


def test_a_repo_without_weights_is_counted_alone(packed: PackedHub, alice: Actor) -> None:
    repo, _ = packed.publish(alice, "notes", b"no weights " * 2000, file="notes.parquet")
    packed.pack()
    with packed.database.read() as uow:
        assert weights_of_revision(uow, repo.id, heads_of(uow, [repo.id])[repo.id]) is None
    assert figures(packed, ANONYMOUS, repo).repos == 1
    assert figures(packed, ANONYMOUS, repo).figures.content_bytes == len(b"no weights " * 2000)
