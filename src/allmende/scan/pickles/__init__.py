"""The pickle family: the machine, its allow-list, and the files that hold pickles."""

from allmende.scan.pickles import numpy_arrays, pickle_reader, pickle_rules, torch_legacy, torch_tar
from allmende.scan.scanning import Reader

__all__ = ["READERS", "RULES"]

READERS: tuple[Reader, ...] = (
    pickle_reader.READER,
    torch_legacy.READER,
    numpy_arrays.READER,
    *torch_tar.READERS,
)
RULES = (*pickle_rules.RULES, *pickle_reader.RULES, *torch_legacy.RULES, *numpy_arrays.RULES)
