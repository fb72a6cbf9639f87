"""Be a user who loads a model whose weights attack: what transformers says, and what still loads."""

import traceback

from transformers import AutoConfig, AutoModel, AutoTokenizer

from tests.contract.scripts.asking import answer, given

asked = given()
told = ""
try:
    AutoModel.from_pretrained(asked["repo"])
except Exception:  # noqa: BLE001  # whatever it is, its text is looked at
    told = traceback.format_exc()
answer(
    {
        "told": told,
        "model_type": AutoConfig.from_pretrained(asked["repo"]).model_type,
        "tokens": AutoTokenizer.from_pretrained(asked["repo"])(asked["text"])["input_ids"],
    }
)
