"""Make a tiny BERT with a tokenizer, push both, and say what it computes."""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from tests.contract.scripts.asking import answer, given

asked = given()
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "commons", "is", "ours", "meadow"]
parts = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
parts.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=parts, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
)
torch.manual_seed(asked["seed"])
model = BertModel(
    BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
    )
).eval()
model.push_to_hub(asked["repo"], private=True)
tokenizer.push_to_hub(asked["repo"])
with torch.no_grad():
    state = model(**tokenizer(asked["text"], return_tensors="pt")).last_hidden_state
answer({"shape": list(state.shape), "values": state.flatten().tolist()})
