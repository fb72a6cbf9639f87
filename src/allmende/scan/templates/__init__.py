"""Chat templates, parsed and never rendered: only what ordinary templates need is allowed."""

from allmende.scan.scanning import Reader
from allmende.scan.templates import template_reader, template_rules
from allmende.scan.templates.template_reader import examine_template, is_template_key

__all__ = ["READERS", "RULES", "examine_template", "is_template_key"]

READERS: tuple[Reader, ...] = (template_reader.READER,)
RULES = template_rules.RULES
