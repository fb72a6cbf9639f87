"""The model of meaning that an operator chose: its files are looked for at start, and read when needed."""

from threading import Lock

from allmende.meaning import MeaningUnavailable, ModelFiles, StaticModel, find_files, open_static_model
from allmende.settings import SettingsInvalid

__all__ = ["MeaningModel", "chosen_meaning"]


class MeaningModel:
    """For all threads of a process: the table of its vectors is mapped into memory, not read."""

    def __init__(self, files: ModelFiles) -> None:
        self._files = files
        self._lock = Lock()
        self._model: StaticModel | None = None

    def model(self) -> StaticModel:
        """The model, opened by whoever asks first. Raises MeaningUnavailable for files that are none."""
        with self._lock:
            if self._model is None:
                self._model = open_static_model(self._files)
            return self._model


def chosen_meaning(name: str | None) -> MeaningModel | None:
    """The model of the setting `meaning_model`; raises SettingsInvalid where it cannot be had."""
    if not name:
        return None
    try:
        return MeaningModel(find_files(name))
    except MeaningUnavailable as error:
        raise SettingsInvalid(f"Setting 'meaning_model': {error.message}", hint=error.hint) from error
