"""Write a wide table with pandas through the file system of the client; the second part as a pull request."""

import numpy as np
import pandas as pd
from huggingface_hub import HfApi

from tests.contract.scripts.asking import answer, given

asked = given()
api, repo = HfApi(), asked["repo"]
api.create_repo(repo, repo_type="dataset")
random = np.random.default_rng(7)
table = pd.DataFrame({f"c{number}": random.random(asked["rows"]) for number in range(asked["columns"])})
for part in ("one", "two"):
    table.to_parquet(f"hf://datasets/{repo}/data/{part}.parquet", row_group_size=asked["rows"] // 4)
pull = api.upload_file(
    path_or_fileobj=b"a,b\n1,2\n",
    path_in_repo="data/small.csv",
    repo_id=repo,
    repo_type="dataset",
    create_pr=True,
)
answer({"sum": float(table["c3"].sum()), "first": float(table["c3"].iloc[0]), "pull": pull.pr_revision})
