"""Packing: what of a file is new, on which base it is stored, and how its bytes come back."""

from allmende.packing.building import build
from allmende.packing.reading import ObjectOpener, RecipeReader, UnreadableObject, open_recipe, shelf_plain
from allmende.packing.reencoding import reencode
from allmende.packing.shelf import MAX_DEPTH, Intake, Shelf, Shelved

__all__ = [
    "MAX_DEPTH",
    "Intake",
    "ObjectOpener",
    "RecipeReader",
    "Shelf",
    "Shelved",
    "UnreadableObject",
    "build",
    "open_recipe",
    "reencode",
    "shelf_plain",
]
