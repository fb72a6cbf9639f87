"""Who sees what: on which objects a content is stored, and what follows when that changes."""

import hashlib

import pytest

from allmende.flows import collect_garbage, contents_figures, fsck, repo_figures, shelf_of
from allmende.flows.object_settling import settle_objects
from allmende.ids import Sha256
from allmende.registry import Actor
from allmende.storage import bases_below, find_recipes, hub_figures, list_encodings, outgoing_objects
from tests.integration.flows.packed_hub import PackedHub, family

PUBLIC = 0


def scope_of(actor: Actor) -> int:
    assert actor.account is not None
    return int(actor.account.id)


def scopes_below(packed: PackedHub, scope: int) -> set[int]:
    """In which scopes the bases of a scope's encodings lie."""
    with packed.database.read() as uow:
        encodings = [one for one in list_encodings(uow, 0, 10_000) if one.scope == scope]
        below = bases_below(uow, scope, {one.object_id for one in encodings})
        return {one.scope for one in list_encodings(uow, 0, 10_000) if one.object_id in below}


def check_rule(packed: PackedHub) -> None:
    """Nothing public rests on anything private; a namespace's on its own and public things alone."""
    from sqlalchemy import select

    from allmende.storage.object_tables import encoding_base, object_encoding, recipe_object, stored_object

    child, base = stored_object.alias(), stored_object.alias()
    query = (
        select(child.c.scope.label("child"), base.c.scope.label("base"))
        .select_from(encoding_base)
        .join(object_encoding, object_encoding.c.number == encoding_base.c.encoding_number)
        .join(child, child.c.number == object_encoding.c.object_number)
        .join(base, base.c.number == encoding_base.c.base_number)
    )
    consisting = select(recipe_object.c.scope.label("child"), stored_object.c.scope.label("base")).join(
        stored_object, stored_object.c.number == recipe_object.c.object_number
    )
    with packed.database.read() as uow:
        for row in [*uow.all(query), *uow.all(consisting)]:
            assert row.base in (PUBLIC, row.child)
        assert outgoing_objects(uow, 10) == []


def test_a_private_fine_tune_rests_on_the_public_base(packed: PackedHub, alice: Actor) -> None:
    base, tuned = family(1, 1e-6)
    first = packed.publish(alice, "base", base)[1]
    second = packed.publish(alice, "tuned", tuned, private=True)[1]
    packed.pack()
    assert packed.scopes(first) == {PUBLIC}
    assert packed.scopes(second) == {scope_of(alice)}
    assert scopes_below(packed, scope_of(alice)) == {PUBLIC}
    check_rule(packed)


def test_a_public_fine_tune_does_not_rest_on_a_private_base(packed: PackedHub, alice: Actor) -> None:
    base, tuned = family(2, 1e-6)
    packed.publish(alice, "base", base, private=True)
    second = packed.publish(alice, "tuned", tuned)[1]
    packed.pack()
    assert packed.scopes(second) == {PUBLIC} or not packed.content(second).is_packed
    assert scopes_below(packed, PUBLIC) == set()
    check_rule(packed)


def test_two_namespaces_with_the_same_bytes_know_nothing_of_each_other(
    packed: PackedHub, alice: Actor, bob: Actor
) -> None:
    base, tuned = family(3, 1e-6)
    packed.publish(alice, "base", base)
    sha256 = packed.publish(alice, "hers", tuned, private=True)[1]
    packed.publish(bob, "his", tuned, private=True)
    packed.pack()
    assert packed.scopes(sha256) == {scope_of(alice), scope_of(bob)}
    with packed.database.read() as uow:
        recipes = find_recipes(uow, sha256)
    assert len(recipes) == 2
    for actor, other in ((alice, bob), (bob, alice)):
        with packed.database.read() as uow:
            own = {one.object_id for one in list_encodings(uow, 0, 999) if one.scope == scope_of(other)}
        shelf = shelf_of(packed.services, scope_of(actor))
        for found in shelf.find(own).values():
            # What it finds is its own: the same number of bytes, in an encoding of its own.
            assert found.object_id in own
    check_rule(packed)


def test_a_guess_at_what_another_keeps_is_stored_like_anything_new(
    packed: PackedHub, alice: Actor, bob: Actor
) -> None:
    base, secret, unknown = family(4, 1e-6, 1e-6)
    packed.publish(alice, "base", base)
    packed.publish(alice, "secret", secret, private=True)
    packed.pack()
    with packed.database.read() as uow:
        before = hub_figures(uow).object_stored_bytes
    packed.publish(bob, "guess", secret, private=True)
    packed.pack()
    with packed.database.read() as uow:
        guessed = hub_figures(uow).object_stored_bytes - before
    packed.publish(bob, "unknown", unknown, private=True)
    packed.pack()
    with packed.database.read() as uow:
        new = hub_figures(uow).object_stored_bytes - before - guessed
    assert guessed == pytest.approx(new, rel=0.05)


def test_a_repo_made_public_is_stored_anew(packed: PackedHub, alice: Actor) -> None:
    base, tuned = family(5, 1e-6)
    repo, first = packed.publish(alice, "base", base, private=True)
    second = packed.publish(alice, "tuned", tuned, private=True)[1]
    packed.pack()
    assert packed.scopes(first) == {scope_of(alice)}
    packed.show(alice, repo, private=False)
    packed.pack()
    assert packed.scopes(first) == {PUBLIC} or not packed.content(first).is_packed
    assert packed.is_right(first)
    assert packed.is_right(second)
    check_rule(packed)
    assert fsck(packed.services, deep=True).problems == ()


def test_a_base_made_private_is_taken_from_under_what_rests_on_it(
    packed: PackedHub, alice: Actor, bob: Actor
) -> None:
    base, tuned, other = family(6, 1e-6, 1e-6)
    repo, first = packed.publish(alice, "base", base)
    second = packed.publish(alice, "tuned", tuned)[1]
    third = packed.publish(bob, "other", other, private=True)[1]
    packed.pack()
    assert scopes_below(packed, PUBLIC) == {PUBLIC}
    packed.show(alice, repo, private=True)
    packed.pack()
    assert scopes_below(packed, PUBLIC) == set()
    check_rule(packed)
    assert packed.scopes(first) <= {scope_of(alice)}
    for sha256 in (first, second, third):
        assert packed.is_right(sha256)
    assert fsck(packed.services, deep=True).problems == ()


def test_a_private_copy_of_public_bytes_gets_objects_of_its_own_when_they_go(
    packed: PackedHub, alice: Actor, bob: Actor
) -> None:
    base, tuned = family(7, 1e-6)
    packed.publish(alice, "base", base)
    repo, sha256 = packed.publish(alice, "tuned", tuned)
    longer = tuned + b"and a little more"
    his = packed.publish(bob, "his", longer, private=True)[1]
    packed.pack()
    packed.show(alice, repo, private=True)
    packed.pack()
    check_rule(packed)
    assert packed.is_right(his)
    assert packed.is_right(sha256)


def test_deleting_a_base_stores_its_children_first(packed: PackedHub, alice: Actor) -> None:
    base, tuned = family(8, 1e-6)
    repo, first = packed.publish(alice, "base", base)
    second = packed.publish(alice, "tuned", tuned)[1]
    packed.pack()
    packed.delete(alice, repo)
    packed.clock.advance(hours=30)
    report = collect_garbage(packed.services, dry_run=False)
    assert (report.contents, report.objects > 0) == (1, True)
    with packed.database.read() as uow:
        assert find_recipes(uow, first) == []
    assert packed.read(second) == tuned
    check_rule(packed)
    report_after = fsck(packed.services, deep=True)
    assert report_after.problems == ()
    assert report_after.notes == ()


def test_a_chain_of_three_loses_its_middle(packed: PackedHub, alice: Actor) -> None:
    base, one = family(9, 1e-6)
    repo = packed.publish(alice, "base", base)[0]
    middle, middle_sha = packed.publish(alice, "middle", one)
    import numpy as np

    last = bytearray(one)
    noise = np.random.default_rng(1).integers(0, 2, len(last) - 20_000, dtype=np.uint8)
    last[20_000:] = (np.frombuffer(bytes(last[20_000:]), np.uint8) ^ noise).tobytes()
    last_sha = packed.publish(alice, "last", bytes(last))[1]
    packed.pack()
    for gone in (middle, repo):
        packed.delete(alice, gone)
        packed.clock.advance(hours=30)
        collect_garbage(packed.services, dry_run=False)
        assert packed.read(last_sha) == bytes(last)
        check_rule(packed)
    assert middle_sha != last_sha
    assert fsck(packed.services, deep=True).problems == ()


def test_settling_where_nothing_is_to_be_done_does_nothing(packed: PackedHub, alice: Actor) -> None:
    base, tuned = family(10, 1e-6)
    packed.publish(alice, "base", base)
    sha256: Sha256 = packed.publish(alice, "tuned", tuned)[1]
    packed.pack()
    report = settle_objects(packed.services, lambda: None)
    assert (report.reencoded, report.objects, report.packs) == (0, 0, 0)
    assert packed.is_right(sha256)


def test_figures_tell_a_namespace_of_its_own_and_of_what_is_public(
    packed: PackedHub, alice: Actor, bob: Actor
) -> None:
    base, tuned = family(11, 1e-6)
    packed.publish(alice, "base", base)
    hers = packed.publish(alice, "hers", tuned, private=True)[0]
    packed.pack()
    with packed.database.read() as uow:
        before = repo_figures(uow, hers)
    assert before.content_bytes == before.packed_bytes == len(tuned)
    saved = (
        before.saved_by_sharing_bytes + before.saved_by_prediction_bytes + before.saved_by_compression_bytes
    )
    assert before.stored_bytes + saved == before.content_bytes
    assert before.saved_by_prediction_bytes > before.content_bytes / 2
    assert before.shared_bytes == 0
    # Another namespace keeps the same bytes: nothing of it is to be seen.
    his = packed.publish(bob, "his", tuned, private=True)[0]
    packed.pack()
    with packed.database.read() as uow:
        assert repo_figures(uow, hers) == before
        assert repo_figures(uow, his) == before
        both = contents_figures(uow, PUBLIC, [Sha256(hashlib.sha256(tuned).hexdigest())])
    # Who sees neither is told what a plain file would take.
    assert (both.packed_bytes, both.stored_bytes) == (0, len(tuned))
