"""The smallest call there is."""

from huggingface_hub import HfApi

from tests.contract.scripts.asking import answer

answer(HfApi().whoami())
