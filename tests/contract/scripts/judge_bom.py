"""Judges documents in a folder by the code and the schemas of others alone; runs in its environment.

judge_bom.py FOLDER ASSETS   prints {file: [what is wrong]} for every file that it has a judge for

The name of a file tells what it is: `<anything>.<format>`, with the formats of `allmende bom`, or `.record`
with the schema beside it in `record.schema`.
"""

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


class Judge:
    """The judges, each made once."""

    def __init__(self, folder: Path, assets: Path) -> None:
        self._folder = folder
        self._assets = assets
        self._made: dict[str, Any] = {}

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    def _asset(self, *path: str) -> Any:
        return json.loads(self._assets.joinpath(*path).read_text("utf-8"))

    def cyclonedx(self, text: str, version: SchemaVersion) -> list[str]:
        validator = self._once(f"cyclonedx {version}", lambda: JsonStrictValidator(version))
        found = validator.validate_str(text, all_errors=True)
        return [str(error)[:500] for error in found or ()]

    def spdx(self, text: str) -> list[str]:
        document = json.loads(text)
        schema = self._once(
            "spdx", lambda: jsonschema.Draft202012Validator(self._asset("spdx", "schema.json"))
        )
        wrong = [
            f"{list(error.absolute_path)}: {error.message[:300]}" for error in schema.iter_errors(document)
        ]
        return wrong + self._spdx_shapes(document) + self._spdx_model(text)

    def _spdx_shapes(self, document: dict[str, Any]) -> list[str]:
        import pyshacl
        from rdflib import OWL, RDF, RDFS, Graph

        def model() -> Graph:
            return Graph().parse(self._assets / "spdx" / "spdx-model.ttl", format="turtle")

        local = {**document, **self._asset("spdx", "spdx-context.jsonld")}
        data = Graph().parse(data=json.dumps(local), format="json-ld")
        if len(data) < len(document["@graph"]):
            return ["the graph of the document is nearly empty"]
        shapes = self._once("shapes", model)
        # Which class is a kind of which, and what the named values are: no more of the model is needed
        # to know what an element is, and with all of it a validation takes minutes.
        for triple in shapes.triples((None, RDFS.subClassOf, None)):
            data.add(triple)
        for used in set(data.objects()):
            if (used, RDF.type, OWL.NamedIndividual) in shapes:
                for triple in shapes.triples((used, RDF.type, None)):
                    data.add(triple)
        conforms, _graph, report = pyshacl.validate(data, shacl_graph=shapes)
        return [] if conforms else [report[:2000]]

    def _spdx_model(self, text: str) -> list[str]:
        import io

        from spdx_python_model import v3_0_1

        objects = v3_0_1.SHACLObjectSet()
        v3_0_1.JSONLDDeserializer().read(io.BytesIO(text.encode()), objects)
        missing = objects.link()
        return [f"nothing is at {one}" for one in sorted(map(str, missing))]

    def croissant(self, text: str) -> list[str]:
        import mlcroissant

        said: list[str] = []

        class Listener(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                said.append(record.getMessage())

        logging.getLogger("absl").addHandler(Listener(level=logging.WARNING))
        try:
            metadata = mlcroissant.Dataset(jsonld=json.loads(text)).metadata
        except mlcroissant.ValidationError as error:
            return [str(error)]
        return [*said, *metadata.ctx.issues.errors]

    def cff(self, text: str) -> list[str]:
        schema = self._once("cff", lambda: jsonschema.Draft7Validator(self._asset("cff", "schema.json")))
        # YAML makes dates of texts, and the schema is about texts.
        document = yaml.load(text, Loader=yaml.BaseLoader)
        return [
            f"{list(error.absolute_path)}: {error.message[:300]}" for error in schema.iter_errors(document)
        ]

    def datacite(self, text: str) -> list[str]:
        from datacite import schema45

        return [error.message[:300] for error in schema45.validator.iter_errors(json.loads(text))]

    def record(self, text: str) -> list[str]:
        schema = json.loads((self._folder / "record.schema").read_text("utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        return [
            f"{list(error.absolute_path)}: {[str(one)[:300] for one in error.context or [error]]}"
            for error in validator.iter_errors(json.loads(text))
        ]

    def judge(self, path: Path) -> list[str] | None:
        text = path.read_text("utf-8")
        judges: dict[str, Callable[[], list[str]]] = {
            ".cyclonedx-1.6": lambda: self.cyclonedx(text, SchemaVersion.V1_6),
            ".cyclonedx-1.7": lambda: self.cyclonedx(text, SchemaVersion.V1_7),
            ".spdx-3.0.1": lambda: self.spdx(text),
            ".croissant-1.1": lambda: self.croissant(text),
            ".cff-1.2.0": lambda: self.cff(text),
            ".datacite-4.5": lambda: self.datacite(text),
            ".record": lambda: self.record(text),
        }
        chosen = next((judges[ending] for ending in judges if path.name.endswith(ending)), None)
        return None if chosen is None else chosen()


if __name__ == "__main__":
    judge = Judge(Path(sys.argv[1]), Path(sys.argv[2]))
    verdicts = {path.name: judge.judge(path) for path in sorted(Path(sys.argv[1]).iterdir())}
    print(json.dumps({name: wrong for name, wrong in verdicts.items() if wrong is not None}))
