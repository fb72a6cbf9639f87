"""Push a tiny BERT and a fine-tune of it, both in bfloat16, and say what each tensor of the fine-tune is."""

import torch
from huggingface_hub import HfApi
from transformers import BertConfig, BertModel

from tests.contract.scripts.asking import answer, given
from tests.contract.scripts.tensors import tensor_digests

asked = given()
torch.manual_seed(asked["seed"])
model = BertModel(
    BertConfig(
        vocab_size=900, hidden_size=128, num_hidden_layers=2, num_attention_heads=2, intermediate_size=512
    )
).to(torch.bfloat16)
model.push_to_hub(asked["base"])
with torch.no_grad():
    for parameter in model.parameters():
        parameter.copy_(parameter.float() + torch.randn(parameter.shape) * 2e-5)
hub = HfApi()
hub.create_repo(asked["tuned"])
card = f"---\nbase_model: {asked['base']}\n---\n".encode()
hub.upload_file(path_or_fileobj=card, path_in_repo="README.md", repo_id=asked["tuned"])
model.push_to_hub(asked["tuned"])
answer(tensor_digests(model))
