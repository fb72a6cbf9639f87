"""Checking packed contents: whether recipes, objects and encodings are there, and every byte of them."""

import hashlib
from collections.abc import Iterator

from allmende.codecs import DamagedObject, MalformedRecipe, read_recipe
from allmende.flows.findings import Finding
from allmende.flows.reading import shelf_of
from allmende.flows.services import Services
from allmende.ids import Sha256
from allmende.storage import Content, KeptEncoding, KeptRecipe, find_content, find_recipes, list_encodings

__all__ = ["damaged_copies", "encoding_problems", "recipe_problem"]

_PAGE = 500
_READ_BYTES = 4 * 1024 * 1024
_DIGEST_BYTES = 16


def recipe_problem(services: Services, content: Content) -> str | None:
    """What keeps a content from being read by its recipes, as far as rows tell, in a sentence; None if
    nothing.
    """
    with services.database.read() as uow:
        recipes = find_recipes(uow, content.sha256)
        found = find_content(uow, content.sha256)
    if not recipes:
        return "It is packed, and has no recipe." if found is not None and found.is_packed else None
    problems = [_problem_of(services, content, recipe) for recipe in recipes]
    return next((problem for problem in problems if problem is not None), None)


def encoding_problems(services: Services, *, deep: bool) -> Iterator[Finding]:
    """Encodings that are not where they should be, or were found damaged; with `deep` all their bytes are
    read.
    """
    sizes: dict[str, int | None] = {}
    for encoding in _every_encoding(services):
        if encoding.location not in sizes:
            sizes[encoding.location] = services.packs.size_of(encoding.location)
        problem = _whereabouts(encoding, sizes[encoding.location]) or encoding.damaged
        if problem is None and deep:
            problem = _digest_problem(services, encoding)
        if problem is not None and _is_still(services, encoding):
            yield Finding("encoding_damaged", encoding.object_id, problem)


def damaged_copies(services: Services) -> Iterator[Sha256]:
    """Contents whose plain copy does not have their bytes."""
    for sha256 in services.hot.copies():
        reader = services.hot.open_read(sha256)
        if reader is None:
            continue
        with reader:
            digest = hashlib.sha256()
            while block := reader.read(_READ_BYTES):
                digest.update(block)
        if digest.hexdigest() != sha256:
            yield sha256


def _problem_of(services: Services, content: Content, recipe: KeptRecipe) -> str | None:
    try:
        read = read_recipe(recipe.body)
    except MalformedRecipe as error:
        return f"Its recipe cannot be read: {error.message}"
    if (read.sha256, read.size_bytes) != (content.sha256, content.size_bytes):
        return "Its recipe is that of another content."
    missing = set(read.objects) - set(shelf_of(services, recipe.scope).find(read.objects))
    return f"Its object {min(missing)} is missing or damaged." if missing else None


def _every_encoding(services: Services) -> Iterator[KeptEncoding]:
    after = 0
    while True:
        with services.database.read() as uow:
            page = list_encodings(uow, after, _PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].number


def _whereabouts(encoding: KeptEncoding, pack_bytes: int | None) -> str | None:
    if pack_bytes is None:
        return f"Its pack {encoding.location} is missing."
    if encoding.offset_bytes + encoding.size_bytes > pack_bytes:
        return f"Its pack {encoding.location} ends before it does."
    return None


def _digest_problem(services: Services, encoding: KeptEncoding) -> str | None:
    stored = services.packs.read(encoding.location, encoding.offset_bytes, encoding.size_bytes)
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    try:
        for start in range(0, encoding.size_bytes, _READ_BYTES):
            digest.update(stored.read_at(start, min(_READ_BYTES, encoding.size_bytes - start)))
    except DamagedObject as error:
        return error.message
    return None if digest.digest() == encoding.digest else "Its stored bytes are not those that were written."


def _is_still(services: Services, encoding: KeptEncoding) -> bool:
    """Whether the encoding is still recorded there: it may have been moved or replaced since the page was
    read.
    """
    with services.database.read() as uow:
        now = list_encodings(uow, encoding.number - 1, 1)
    return bool(now) and (now[0].number, now[0].location) == (encoding.number, encoding.location)
