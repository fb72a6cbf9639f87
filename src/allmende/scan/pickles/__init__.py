"""The pickle family: the machine, its allow-list, and the files that hold pickles."""

from allmende.scan.pickles import judgement, numpy_arrays, pickle_reader, torch_legacy, torch_tar
from allmende.scan.scanning import Reader

__all__ = ["READERS", "RULES"]

READERS: tuple[Reader, ...] = (
    pickle_reader.READER,
    torch_legacy.READER,
    numpy_arrays.READER,
    *torch_tar.READERS,
)
RULES = (*judgement.RULES, *pickle_reader.RULES, *torch_legacy.RULES, *numpy_arrays.RULES)
