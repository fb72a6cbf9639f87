"""What files take, as answers about a repo and about a family say it."""

from pydantic import BaseModel, Field

__all__ = ["StoredBytes"]


class StoredBytes(BaseModel):
    """The fields of `ContentsFigures`: bytes of contents, each counted once."""

    content_bytes: int = Field(description="Of the large files, as they are.")
    packed_bytes: int = Field(description="Of those that are stored as what is new in them.")
    stored_bytes: int = Field(description="What all of them take.")
    shared_bytes: int = Field(description="Of that, what other files than these consist of too.")
    saved_by_sharing_bytes: int
    saved_by_prediction_bytes: int
    saved_by_compression_bytes: int
