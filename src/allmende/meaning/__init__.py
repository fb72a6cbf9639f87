"""Texts as short vectors, so that those of like meaning lie near each other; by a model in files, offline."""

from allmende.meaning.errors import MeaningUnavailable
from allmende.meaning.model_files import ModelFiles, find_files
from allmende.meaning.plain_text import plain_text
from allmende.meaning.static_model import MAX_DIMENSIONS, StaticModel, open_static_model

__all__ = [
    "MAX_DIMENSIONS",
    "MeaningUnavailable",
    "ModelFiles",
    "StaticModel",
    "find_files",
    "open_static_model",
    "plain_text",
]
