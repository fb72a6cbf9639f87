"""Read one column of a table out of a repo, and a file of a pull request."""

import pandas as pd
import pyarrow.parquet
from huggingface_hub import HfFileSystem

from tests.contract.scripts.asking import answer, given

asked = given()
block_bytes = 2**16
fs, repo = HfFileSystem(block_size=block_bytes), asked["repo"]
found = fs.glob(f"datasets/{repo}/**/*.parquet")
size = fs.info(found[0])["size"]
column = pd.read_parquet(f"hf://{found[0]}", columns=["c3"], storage_options={"block_size": block_bytes})[
    "c3"
]
with fs.open(found[1]) as file:
    group = pyarrow.parquet.ParquetFile(file).read_row_group(1, columns=["c3"])
revision = asked["pull"].replace("/", "%2F")
proposed = pd.read_csv(f"hf://datasets/{repo}@{revision}/data/small.csv")
answer(
    {
        "found": found,
        "size": size,
        "sum": float(column.sum()),
        "first": float(column.iloc[0]),
        "rows_of_a_group": group.num_rows,
        "proposed": proposed.to_dict("list"),
        "modified": fs.modified(found[0]).isoformat(),
    }
)
