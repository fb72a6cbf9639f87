"""What can be wrong with a model of meaning."""

from allmende.errors import AllmendeError

__all__ = ["MeaningUnavailable"]


class MeaningUnavailable(AllmendeError):
    """The model that an operator named is not there, or is none that can be read."""

    code = "meaning_unavailable"
