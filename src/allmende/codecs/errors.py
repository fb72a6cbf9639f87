"""What can go wrong with stored objects and recipes."""

from allmende.errors import AllmendeError, BadRequest, Damaged, NotFound

__all__ = ["DamagedObject", "MalformedEncoding", "MalformedRecipe", "ObjectMissing", "PredictionImpossible"]


class MalformedEncoding(BadRequest):
    """Bytes that should be an encoding of an object are none, or contradict themselves."""

    code = "malformed_encoding"


class MalformedRecipe(BadRequest):
    """Bytes that should be a recipe are none, or do not cover the content that they name."""

    code = "malformed_recipe"


class DamagedObject(Damaged):
    """What was decoded is not what was stored; none of it is given out."""

    code = "object_damaged"


class ObjectMissing(NotFound):
    """An object is not on the shelf where it is looked for."""

    code = "object_missing"


class PredictionImpossible(AllmendeError):
    """A prediction cannot be made from these sources, so it cannot be used for this object."""

    code = "prediction_impossible"
