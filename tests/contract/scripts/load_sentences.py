"""Load a sentence model by its repo's name and encode."""

from huggingface_hub import HfApi
from sentence_transformers import SentenceTransformer

from tests.contract.scripts.asking import answer, given

asked = given()
model = SentenceTransformer(asked["repo"], revision=asked["revision"], device="cpu")
files = HfApi().list_repo_files(asked["repo"], revision=asked["revision"])
answer({"values": model.encode(asked["texts"]).flatten().tolist(), "files": files})
