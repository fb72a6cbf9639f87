"""Weights: what models hold, how they are akin, where they differ. Offline, and without running anything."""

from allmende.weights.choosing import choose_weights
from allmende.weights.colour_scale import STEPS, LogScale, ramp
from allmende.weights.diff import ModelDiff, TensorDiff, compare_models
from allmende.weights.diff_document import diff_document
from allmende.weights.diff_report import diff_report
from allmende.weights.diff_rows import Row, rows_of
from allmende.weights.diff_texts import KeyDiff, TemplateDiff, TextsDiff, compare_texts, texts_of
from allmende.weights.diff_words import findings, number_text, shape_text, share_text
from allmende.weights.errors import BytesMissing, NoWeights, UnreadableWeights
from allmende.weights.figures import Figures
from allmende.weights.ggml_blocks import GgmlBlocks, ggml_type
from allmende.weights.layers import KINDS, Standing, layer_of, standing_of
from allmende.weights.lineage import TRACE_VERSION, Lineage, trace
from allmende.weights.models import Model
from allmende.weights.names import canonical_names
from allmende.weights.number_types import number_type
from allmende.weights.oddities import Oddity, oddities_of
from allmende.weights.opening import open_model, open_places, read_tensors
from allmende.weights.places import MappedFile, Place, RangedPlace, ReadFile, StreamPlace
from allmende.weights.relations import GRADES, RELATIONS, Edge, Grade, Parent, Relation
from allmende.weights.sketch import KEY_BYTES, SKETCH_VERSION, Sketch, make_sketch, read_sketch
from allmende.weights.sketch_index import KIN_AGREEMENT, Near, SketchIndex
from allmende.weights.tensors import PlainWords, Source, Span, WeightTensor
from allmende.weights.views import RowsMoved
from allmende.weights.vocabularies import VocabularyDiff

__all__ = [
    "GRADES",
    "KEY_BYTES",
    "KINDS",
    "KIN_AGREEMENT",
    "RELATIONS",
    "SKETCH_VERSION",
    "STEPS",
    "TRACE_VERSION",
    "BytesMissing",
    "Edge",
    "Figures",
    "GgmlBlocks",
    "Grade",
    "KeyDiff",
    "Lineage",
    "LogScale",
    "MappedFile",
    "Model",
    "ModelDiff",
    "Near",
    "NoWeights",
    "Oddity",
    "Parent",
    "Place",
    "PlainWords",
    "RangedPlace",
    "ReadFile",
    "Relation",
    "Row",
    "RowsMoved",
    "Sketch",
    "SketchIndex",
    "Source",
    "Span",
    "Standing",
    "StreamPlace",
    "TemplateDiff",
    "TensorDiff",
    "TextsDiff",
    "UnreadableWeights",
    "VocabularyDiff",
    "WeightTensor",
    "canonical_names",
    "choose_weights",
    "compare_models",
    "compare_texts",
    "diff_document",
    "diff_report",
    "findings",
    "ggml_type",
    "layer_of",
    "make_sketch",
    "number_text",
    "number_type",
    "oddities_of",
    "open_model",
    "open_places",
    "ramp",
    "read_sketch",
    "read_tensors",
    "rows_of",
    "shape_text",
    "share_text",
    "standing_of",
    "texts_of",
    "trace",
]
