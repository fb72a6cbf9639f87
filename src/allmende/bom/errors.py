"""What can be asked of a bill of materials that cannot be given."""

from allmende.errors import BadRequest

__all__ = ["MalformedBom", "NotForThisType", "UnknownFormat"]


class UnknownFormat(BadRequest):
    """There is no document of this name."""

    code = "bom_format_unknown"


class NotForThisType(BadRequest):
    """The document makes no sense for this type of repo."""

    code = "bom_not_for_this_type"


class MalformedBom(BadRequest):
    """These bytes are no bill of materials of a form that is read here."""

    code = "bom_malformed"
