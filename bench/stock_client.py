"""`upload_folder` by the stock client, as one commit; prints the seconds that the call took.

python -m bench.stock_client REPO FOLDER     (HF_ENDPOINT and HF_TOKEN in the environment)
"""

import sys
import time

from huggingface_hub import HfApi


def main(repo: str, folder: str) -> None:
    """Upload the folder; raises what the client raises."""
    client = HfApi()
    started = time.perf_counter()
    client.upload_folder(repo_id=repo, folder_path=folder, commit_message="Add the files of the bench")
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main(*sys.argv[1:])
