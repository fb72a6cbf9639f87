"""Build a sentence model on a published transformer, push it to main and as a pull request."""

from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Normalize, Pooling, Transformer

from tests.contract.scripts.asking import answer, given

asked = given()
encoder = Transformer(asked["base"])
pooling = Pooling(encoder.get_word_embedding_dimension(), "mean")
model = SentenceTransformer(modules=[encoder, pooling, Normalize()], device="cpu")
model.push_to_hub(asked["repo"], private=True)
proposed = model.push_to_hub(asked["repo"], create_pr=True, exist_ok=True, commit_message="Propose")
answer({"values": model.encode(asked["texts"]).flatten().tolist(), "proposed": str(proposed)})
