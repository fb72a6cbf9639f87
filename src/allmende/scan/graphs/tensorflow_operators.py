"""Operators of TensorFlow, told by exact name: those that reach out, and those that TensorFlow registers.

The second are in `tensorflow_names.json`, which is read off the bindings that TensorFlow generates.
"""

import json
from functools import cache
from pathlib import Path
from typing import Final

from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Scan

__all__ = [
    "FILE_OPERATOR", "FILE_OPERATORS", "OUTSIDE_ASSET", "OUTSIDE_CONSTANT", "RULES", "is_registered",
    "judge_custom",
    "judge_operator",
]  # fmt: skip

FILE_OPERATOR = Rule(
    "tensorflow-file-operator",
    Severity.CRITICAL,
    "the graph reads or writes files",
    "An operator of the graph reads, writes or lists files of the machine that runs it, or runs Python code.",
    "Export the model without such operators.",
    "TensorFlow, SECURITY.md: TensorFlow models are programs.",
)
DATA_OPERATOR = Rule(
    "tensorflow-data-operator",
    Severity.MEDIUM,
    "the graph opens data files",
    "An operator of the graph opens files of data, as pipelines for training do; a model for use needs none.",
    "Export the model without its input pipeline.",
    "TensorFlow, SECURITY.md.",
)
CUSTOM_OPERATOR = Rule(
    "tensorflow-custom-operator",
    Severity.MEDIUM,
    "needs operators from outside",
    "The graph uses operators that TensorFlow does not have: a library must be loaded for them.",
    "Say in the card which library is needed.",
    "TensorFlow documentation, creating operators.",
)
OUTSIDE_ASSET = Rule(
    "tensorflow-outside-asset",
    Severity.CRITICAL,
    "reads files from outside its folder",
    "The model lists a file among its assets by a path that leads out of their folder; loading the model "
    "opens it.",
    "Export the model again, with its assets.",
    "TensorFlow, meta_graph.proto, AssetFileDef; CWE-22: path traversal.",
)
OUTSIDE_CONSTANT = Rule(
    "tensorflow-outside-constant",
    Severity.CRITICAL,
    "opens a file of the machine that runs it",
    "An operator that reads or writes files, fills a table or saves a checkpoint is given a name that is "
    "written into the graph and leads out of the model's folder.",
    "Export the model again, with its files as assets.",
    "TensorFlow, SECURITY.md: TensorFlow models are programs; CWE-73.",
)
RULES = (FILE_OPERATOR, DATA_OPERATOR, CUSTOM_OPERATOR, OUTSIDE_ASSET, OUTSIDE_CONSTANT)

FILE_OPERATORS: Final = frozenset(
    ("ReadFile", "WriteFile", "MatchingFiles", "PyFunc", "PyFuncStateless", "EagerPyFunc", "LoadLibrary",
     "WholeFileReader", "WholeFileReaderV2", "TextLineReader", "TextLineReaderV2", "IdentityReader",
     "FixedLengthRecordReader", "FixedLengthRecordReaderV2", "TFRecordReader", "TFRecordReaderV2",
     "SqlDataset", "ExperimentalSqlDataset", "DebugIdentity", "DebugIdentityV2", "DebugIdentityV3",
     "DebugNanCount", "DebugNumericSummary", "SaveDataset", "SaveDatasetV2", "LoadDataset", "DistributedSave",
     "RpcCall", "RpcClient", "TryRpc", "Rpc", "CloseSummaryWriter", "CreateSummaryFileWriter",
     "CreateSummaryDbWriter", "DataServiceDataset", "DataServiceDatasetV2", "DataServiceDatasetV3",
     "DataServiceDatasetV4", "PyFunction", "NumpyFunction", "ShellCommand", "RegisterDataset",
     "RegisterDatasetV2", "IgniteDataset", "KafkaDataset", "BigQueryReader", "CopyHost", "ImportEvent",
     "DatasetToTFRecord", "ExperimentalDatasetToTFRecord", "LoadAndRemapMatrix",
     "GenerateVocabRemapping", "FileSystemSetConfiguration", "RecordInput", "InitializeTRTResource",
     "SerializeTRTResource", "ImmutableConst", "CacheDataset", "CacheDatasetV2", "SnapshotDataset",
     "SnapshotDatasetV2", "ExperimentalSnapshotDataset", "DistributedSaveV2")
)  # fmt: skip
_DATA_OPERATORS: Final = frozenset(
    ("TextLineDataset", "TFRecordDataset", "TFRecordDatasetV2", "FixedLengthRecordDataset", "LMDBDataset",
     "FixedLengthRecordDatasetV2", "LMDBReader", "MatchingFilesDataset", "ExperimentalMatchingFilesDataset",
     "ExperimentalLMDBDataset", "CSVDataset", "CSVDatasetV2", "ExperimentalCSVDataset",
     "ListSnapshotChunksDataset", "SnapshotChunkDataset", "SnapshotDatasetReader",
     "SnapshotNestedDatasetReader", "DecodeProtoV2", "EncodeProto")
)  # fmt: skip
_NAMES_FILE: Final = Path(__file__).with_name("tensorflow_names.json")


@cache
def _registered() -> frozenset[str]:
    return frozenset(json.loads(_NAMES_FILE.read_text("utf-8"))["names"])


def is_registered(operator: str) -> bool:
    """Whether TensorFlow itself has this operator; those with an underscore are made by its optimiser."""
    return operator.startswith("_") or operator in _registered() or operator in FILE_OPERATORS


def judge_operator(operator: str, scan: Scan, offset: int | None) -> None:
    """Find an operator that reaches out of the graph."""
    if operator in FILE_OPERATORS:
        scan.found(FILE_OPERATOR, operator, offset=offset)
    elif operator in _DATA_OPERATORS:
        scan.found(DATA_OPERATOR, operator, offset=offset)


def judge_custom(operators: set[str], own: set[str], scan: Scan) -> None:
    """Find the operators that neither TensorFlow nor the functions of the graph itself define."""
    for operator in sorted(operators - own):
        if not is_registered(operator):
            scan.found(CUSTOM_OPERATOR, operator)
