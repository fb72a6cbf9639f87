"""Packing: what of a file is new, on which base it is stored, and how its bytes come back."""

from allmende.packing.building import build
from allmende.packing.delta_building import DeltaBuilder, DeltaDoesNotPay, has_tensors
from allmende.packing.delta_format import DELTA_TRANSFER, Delta, DeltaBase, DeltaRefused, read_delta
from allmende.packing.delta_reading import rebuild
from allmende.packing.reading import (
    ObjectOpener,
    RecipeReader,
    UnreadableObject,
    is_readable,
    open_recipe,
    shelf_plain,
)
from allmende.packing.reencoding import reencode
from allmende.packing.shelf import MAX_DEPTH, Intake, Shelf, Shelved

__all__ = [
    "DELTA_TRANSFER",
    "MAX_DEPTH",
    "Delta",
    "DeltaBase",
    "DeltaBuilder",
    "DeltaDoesNotPay",
    "DeltaRefused",
    "Intake",
    "ObjectOpener",
    "RecipeReader",
    "Shelf",
    "Shelved",
    "UnreadableObject",
    "build",
    "has_tensors",
    "is_readable",
    "open_recipe",
    "read_delta",
    "rebuild",
    "reencode",
    "shelf_plain",
]
