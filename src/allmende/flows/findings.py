"""What a check of the hub's data finds."""

from dataclasses import dataclass

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be; `kind` is stable, `subject` says where."""

    kind: str
    subject: str
    detail: str
