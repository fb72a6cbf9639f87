"""Codecs: how bytes of tensors are stored as what is new in them, block by block, and read again exactly."""

from allmende.codecs.blocks import BlockCodec, Effort, decode_block, encode_block
from allmende.codecs.completing import Proposal, complete
from allmende.codecs.decoding import Decoding
from allmende.codecs.encoded_reader import EncodedReader
from allmende.codecs.encoding import EncodedObject, write_encoding
from allmende.codecs.encoding_head import BLOCK_WORDS, EncodingHead, read_head
from allmende.codecs.errors import (
    DamagedObject,
    MalformedEncoding,
    MalformedRecipe,
    ObjectMissing,
    PredictionImpossible,
)
from allmende.codecs.estimating import estimate
from allmende.codecs.kept_heads import KeptHeads
from allmende.codecs.objects import (
    MAX_OBJECT_BYTES,
    BytesPlain,
    Fillable,
    ObjectId,
    Piece,
    Plain,
    Reference,
    ReferenceBytes,
    Resolve,
    object_id,
    reference_bytes,
)
from allmende.codecs.planes import room
from allmende.codecs.predictions import (
    MAX_PREDICTION_BYTES,
    Prediction,
    Source,
    parse_prediction,
)
from allmende.codecs.predictor import Predictor
from allmende.codecs.proposals import MAX_CANDIDATES, Proposer
from allmende.codecs.rans import coder_name, joined
from allmende.codecs.recipes import Literal, Recipe, Segment, Stretch, read_recipe, write_recipe
from allmende.codecs.samples import Candidate, Child, Fit
from allmende.codecs.word_types import WORD_TYPES, WordType, word_type, word_type_of_code

__all__ = [
    "BLOCK_WORDS",
    "MAX_CANDIDATES",
    "MAX_OBJECT_BYTES",
    "MAX_PREDICTION_BYTES",
    "WORD_TYPES",
    "BlockCodec",
    "BytesPlain",
    "Candidate",
    "Child",
    "DamagedObject",
    "Decoding",
    "Effort",
    "EncodedObject",
    "EncodedReader",
    "EncodingHead",
    "Fillable",
    "Fit",
    "KeptHeads",
    "Literal",
    "MalformedEncoding",
    "MalformedRecipe",
    "ObjectId",
    "ObjectMissing",
    "Piece",
    "Plain",
    "Prediction",
    "PredictionImpossible",
    "Predictor",
    "Proposal",
    "Proposer",
    "Recipe",
    "Reference",
    "ReferenceBytes",
    "Resolve",
    "Segment",
    "Source",
    "Stretch",
    "WordType",
    "coder_name",
    "complete",
    "decode_block",
    "encode_block",
    "estimate",
    "joined",
    "object_id",
    "parse_prediction",
    "read_head",
    "read_recipe",
    "reference_bytes",
    "room",
    "word_type",
    "word_type_of_code",
    "write_encoding",
    "write_recipe",
]
