"""Load a model and a tokenizer by their repo's name, and say what they compute."""

import torch
from transformers import AutoModel, AutoTokenizer

from tests.contract.scripts.asking import answer, given

asked = given()
tokenizer = AutoTokenizer.from_pretrained(asked["repo"])
model = AutoModel.from_pretrained(asked["repo"]).eval()
with torch.no_grad():
    state = model(**tokenizer(asked["text"], return_tensors="pt")).last_hidden_state
answer({"shape": list(state.shape), "values": state.flatten().tolist()})
