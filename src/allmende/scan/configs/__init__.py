"""Texts that loaders act on: JSON, YAML, and the keys in them."""

from allmende.scan.configs import config_rules, json_reader, toml_reader, yaml_reader
from allmende.scan.scanning import Reader

__all__ = ["READERS", "RULES"]

READERS: tuple[Reader, ...] = (json_reader.READER, yaml_reader.READER, toml_reader.READER)
RULES = config_rules.RULES
