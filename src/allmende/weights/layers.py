"""Where in a model a tensor stands, told from its name: its layer, and what kind of tensor it is.

The layouts known are those of transformers, of Meta's own files, of GGUF (`blk.N.`), of diffusers, timm and
torchvision. In others the first number of a name is its layer, and a kind is guessed from the words.
"""

import re
from dataclasses import dataclass

__all__ = ["INPUT", "KINDS", "OUTPUT", "Standing", "layer_of", "standing_of"]

KINDS = (
    "embeddings", "q", "k", "v", "qkv", "o", "attention", "gate", "up", "down", "mlp", "router", "conv",
    "state space", "norm", "head", "other",
)  # fmt: skip
"""All kinds, in the order in which values flow through a layer."""

INPUT = "input"
OUTPUT = "output"
"""The stacks of tensors that stand in no layer: before the layers, and behind or beside them."""

_MAX_NAME_CHARS = 512

_LAYER = re.compile(
    r"^(.*?(?:^|[./])(?:layers?|h|blk|blocks?|stages?|decoder_layers|encoder_layers|(?:down|up)_blocks"
    r"|transformer_blocks|resblocks|features|encoders?|decoders?))[./](\d{1,6})(?=[./]|$)"
)
_WITHIN = re.compile(r"[./](?:(?:blocks|layers)[./])?(\d{1,6})(?=[./])")
_SEGMENT = re.compile(r"^(.*?(?:^|[./_-]))(\d{1,6})(?=[./_-]|$)")
_ANY_NUMBER = re.compile(r"^(.*?\D)(\d{1,6})(?=\D|$)")
_INPUT = re.compile(r"embd|embed|(?:^|[._])(?:wte|wpe|shared|cls_token|token_types?|patch)(?=[._]|$)")
_HEAD = re.compile(
    r"(?:^|[._])(?:lm_head|embed_out|heads?|classifier|score|pooler|qa_outputs|predictions|logits?)(?=[._]|$)|(?:^|[._])cls\."
    r"|^(?:output|fc|out|last_linear)[._](?:weight|bias)$"
)

_BY_WORDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile("|".join(patterns)))
    for kind, *patterns in (
        (
            "norm",
            r"norm", r"running_(?:mean|var)", r"batches_tracked",
            r"(?:^|[._])(?:ln|bn|gn)(?:_\w{1,8}|\d+)?(?=[._]|$)",
        ),
        (
            "router",
            r"router", r"ffn_gate_inp", r"shared_expert_gate",
            r"(?:moe|mlp|ffn)\.gate\.(?:weight|bias|e_score)",
        ),
        (
            "state space",
            r"(?:^|[._])(?:ssm|a_log|dt_proj|x_proj|dt_bias)(?=[._]|$)",
            r"mixer\.(?:conv1d|d$|in_proj|out_proj)",
        ),
        (
            "qkv",
            r"qkv", r"query_key_value", r"c_attn", r"in_proj_(?:weight|bias)", r"w_pack", r"to_kv",
            r"[._]kv(?=[._]|$)",
        ),
        ("q", r"(?:^|[._])(?:wq|q|query)(?=[._]|$)"),
        ("k", r"(?:^|[._])(?:wk|k|key)(?=[._]|$)"),
        ("v", r"(?:^|[._])(?:wv|v|value)(?=[._]|$)"),
        ("gate", r"gate_proj", r"ffn_gate", r"(?:^|[._])w1(?=[._]|$)", r"wi_0"),
        (
            "up",
            r"up_proj", r"ffn_up", r"intermediate", r"c_fc", r"fc_in", r"h_to_4h",
            r"(?:^|[._])(?:fc1|lin1|linear1|w3|wi|wi_1)(?=[._]|$)",
        ),
        (
            "down",
            r"down_proj", r"ffn_down", r"densereludense", r"fc_out", r"4h_to_h", r"mlp\.c_proj",
            r"^output\.dense", r"(?:^|[._])(?:fc2|lin2|linear2|w2)(?=[._]|$)",
        ),
        (
            "o",
            r"(?:^|[._])(?:wo|o|o_proj|out_proj|to_out|out_lin)(?=[._]|$)",
            r"att\w{0,32}[._](?:output|dense|c_proj|proj|out)",
        ),
        ("attention", r"att"),
        ("conv", r"conv", r"downsample", r"depthwise", r"pointwise"),
        ("mlp", r"mlp", r"ffn", r"feed_forward", r"expert", r"(?:^|[._])ff(?=[._]|$)"),
    )
)  # fmt: skip
"""Words of names after the layer, lower case; the first kind that fits."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a tensor stands: `layer` in its `stack` (an encoder's layers, a stage's blocks), and its kind.

    A tensor of no layer has the stack `input` or `output`.
    """

    stack: str
    layer: int | None
    kind: str


def layer_of(name: str) -> tuple[int | None, str]:
    """The number of the layer (None outside of layers) and the kind, one of KINDS."""
    found = standing_of(name)
    return found.layer, found.kind


def standing_of(name: str) -> Standing:
    """All that a tensor's name says of its place; never fails, and takes time linear in the name."""
    name = name[:_MAX_NAME_CHARS]
    found = _LAYER.match(name)
    if found is not None:
        stack, layer, rest = found[1], found[2], name[found.end() :]
        within = _WITHIN.match(rest)
        # The blocks of a stage are the layers: `stages.1.blocks.0`, `layers.1.blocks.0`, `blocks.1.0`.
        if within is not None:
            stack, layer, rest = name[: found.end() + within.start(1) - 1], within[1], rest[within.end() :]
        return Standing(stack, int(layer), _kind(rest.lower().replace("/", ".").strip(".")))
    lowered = name.lower().replace("/", ".")
    if _HEAD.search(lowered):
        return Standing(OUTPUT, None, "head")
    if _INPUT.search(lowered):
        kind = _kind(lowered)
        return Standing(INPUT, None, "norm" if kind == "norm" else "embeddings")
    found = _SEGMENT.match(name) or _ANY_NUMBER.match(name)
    if found is not None:
        return Standing(found[1].rstrip("./_-"), int(found[2]), _kind(lowered))
    return Standing(OUTPUT, None, _kind(lowered))


def _kind(words: str) -> str:
    return next((kind for kind, pattern in _BY_WORDS if pattern.search(words)), "other")
