"""The predicates that hubs and publishers use, as typed values with strict readers.

Each follows the page of its type: SLSA provenance v1 and verification summary v1 (slsa.dev), and of
in-toto/attestation SCAI v0.3, vulns v0.2 and test-result v0.1. `read_predicate` is the door for statements
of strangers: it checks the shape that their type asks for, and passes over fields that it does not know.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal, get_args

from allmende.proof.canonical import JsonObject, JsonValue
from allmende.proof.errors import MalformedStatement
from allmende.proof.statements import Statement
from allmende.proof.strict import Fields, write_time

__all__ = [
    "PREDICATES",
    "Predicate",
    "ProvenancePredicate",
    "Resource",
    "ScaiAttribute",
    "ScaiPredicate",
    "TestResultPredicate",
    "VsaPredicate",
    "VulnsPredicate",
    "VulnsResult",
    "read_predicate",
]

PREDICATES: Mapping[str, str] = MappingProxyType(
    {
        "record": "tag:allmende,2026:record/v1",
        "provenance": "https://slsa.dev/provenance/v1",
        "verification_summary": "https://slsa.dev/verification_summary/v1",
        "scai": "https://in-toto.io/attestation/scai/v0.3",
        "vulns": "https://in-toto.io/attestation/vulns/v0.2",
        "test_result": "https://in-toto.io/attestation/test-result/v0.1",
        "model_signature": "https://model_signing/signature/v1.0",
        "cyclonedx": "https://cyclonedx.org/bom",
        "spdx": "https://spdx.dev/Document/v3",
        "openvex": "https://openvex.dev/ns",
    }
)
"""The types of predicates by our short names."""

_MAX_LIST = 10_000
_Result = Literal["PASSED", "WARNED", "FAILED"]


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that a predicate points at (an in-toto ResourceDescriptor): a URI, digests, or both."""

    uri: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    annotations: Mapping[str, JsonValue] = field(default_factory=dict)

    @property
    def json(self) -> JsonObject:
        """The descriptor as in-toto writes it."""
        return _filled(
            name=self.name, uri=self.uri, digest=dict(self.digests), annotations=dict(self.annotations)
        )


@dataclass(frozen=True, slots=True)
class ProvenancePredicate:
    """How something came to be (SLSA provenance v1): recipe and inputs, and who ran it."""

    build_type: str
    builder_id: str
    external_parameters: JsonObject
    internal_parameters: JsonObject = field(default_factory=dict)
    dependencies: tuple[Resource, ...] = ()
    invocation_id: str = ""
    started: datetime | None = None
    finished: datetime | None = None
    byproducts: tuple[Resource, ...] = ()

    type = PREDICATES["provenance"]

    @property
    def json(self) -> JsonObject:
        """The predicate as its type asks for it."""
        definition: JsonObject = {
            "buildType": self.build_type,
            "externalParameters": self.external_parameters,
            **_filled(
                internalParameters=self.internal_parameters,
                resolvedDependencies=[one.json for one in self.dependencies],
            ),
        }
        metadata = _filled(
            invocationId=self.invocation_id, startedOn=_time(self.started), finishedOn=_time(self.finished)
        )
        details: JsonObject = {
            "builder": {"id": self.builder_id},
            **_filled(metadata=metadata, byproducts=[one.json for one in self.byproducts]),
        }
        return {"buildDefinition": definition, "runDetails": details}


@dataclass(frozen=True, slots=True)
class ScaiAttribute:
    """One thing that is so about the subject: of what, under which conditions, and by which evidence."""

    attribute: str
    target: Resource | None = None
    conditions: JsonObject = field(default_factory=dict)
    evidence: Resource | None = None

    @property
    def json(self) -> JsonObject:
        """The attribute as SCAI writes it."""
        return {
            "attribute": self.attribute,
            **_filled(
                target=self.target.json if self.target else None,
                conditions=self.conditions,
                evidence=self.evidence.json if self.evidence else None,
            ),
        }


@dataclass(frozen=True, slots=True)
class ScaiPredicate:
    """Attributes of a subject and who found them (SCAI v0.3): how measured lineage is said."""

    attributes: tuple[ScaiAttribute, ...]
    producer: Resource | None = None

    type = PREDICATES["scai"]

    @property
    def json(self) -> JsonObject:
        """The predicate as its type asks for it."""
        return {
            "attributes": [one.json for one in self.attributes],
            **_filled(producer=self.producer.json if self.producer else None),
        }


@dataclass(frozen=True, slots=True)
class VulnsResult:
    """One finding; `severities` are pairs of method and score, both words."""

    id: str
    severities: tuple[tuple[str, str], ...]
    annotations: tuple[JsonObject, ...] = ()

    @property
    def json(self) -> JsonObject:
        """The finding as the type writes it."""
        severities: list[JsonValue] = [
            {"method": method, "score": score} for method, score in self.severities
        ]
        return {"id": self.id, "severity": severities, **_filled(annotations=list(self.annotations))}


@dataclass(frozen=True, slots=True)
class VulnsPredicate:
    """What a scanner found (vulns v0.2); no result is a clean scan, if the scanner looked at everything."""

    scanner_uri: str
    scanner_version: str
    started: datetime
    finished: datetime
    results: tuple[VulnsResult, ...] = ()
    database: JsonObject = field(default_factory=dict)

    type = PREDICATES["vulns"]

    @property
    def json(self) -> JsonObject:
        """The predicate as its type asks for it."""
        return {
            "scanner": {
                "uri": self.scanner_uri,
                "version": self.scanner_version,
                "db": self.database,
                "result": [one.json for one in self.results],
            },
            "metadata": {
                "scanStartedOn": write_time(self.started),
                "scanFinishedOn": write_time(self.finished),
            },
        }


@dataclass(frozen=True, slots=True)
class TestResultPredicate:
    """What tests, evaluations or a check of conformity came to (test-result v0.1)."""

    __test__ = False  # not a class of tests, whatever its name

    result: _Result
    configuration: tuple[Resource, ...]
    url: str = ""
    passed: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    type = PREDICATES["test_result"]

    @property
    def json(self) -> JsonObject:
        """The predicate as its type asks for it."""
        return {
            "result": self.result,
            "configuration": [one.json for one in self.configuration],
            **_filled(
                url=self.url,
                passedTests=list(self.passed),
                warnedTests=list(self.warned),
                failedTests=list(self.failed),
            ),
        }


@dataclass(frozen=True, slots=True)
class VsaPredicate:
    """A verifier's verdict by a policy (SLSA verification summary v1)."""

    verifier_id: str
    verified: datetime
    resource_uri: str
    policy: Resource
    passed: bool
    levels: tuple[str, ...] = ()
    inputs: tuple[Resource, ...] = ()
    verifier_version: Mapping[str, str] = field(default_factory=dict)

    type = PREDICATES["verification_summary"]

    @property
    def json(self) -> JsonObject:
        """The predicate as its type asks for it."""
        levels: list[JsonValue] = list(self.levels)
        return {
            "verifier": {"id": self.verifier_id, **_filled(version=dict(self.verifier_version))},
            "timeVerified": write_time(self.verified),
            "resourceUri": self.resource_uri,
            "policy": self.policy.json,
            **_filled(inputAttestations=[one.json for one in self.inputs]),
            "verificationResult": "PASSED" if self.passed else "FAILED",
            "verifiedLevels": levels,
        }


Predicate = ProvenancePredicate | ScaiPredicate | VulnsPredicate | TestResultPredicate | VsaPredicate


def read_predicate(statement: Statement) -> Predicate | None:
    """The typed predicate of a statement; None for a type that has no reader here.

    Raises MalformedStatement when the type has one and the predicate does not have its shape.
    """
    reader = _READERS.get(statement.predicate_type)
    return None if reader is None else reader(Fields(statement.predicate, "predicate", MalformedStatement))


def _read_provenance(fields: Fields) -> ProvenancePredicate:
    definition, details = fields.fields("buildDefinition"), fields.fields("runDetails")
    metadata = details.fields("metadata") if "metadata" in details else None
    return ProvenancePredicate(
        build_type=definition.text("buildType"),
        builder_id=details.fields("builder").text("id"),
        external_parameters=definition.object("externalParameters"),
        internal_parameters=definition.object("internalParameters", optional=True),
        dependencies=_resources(definition, "resolvedDependencies"),
        invocation_id=metadata.text("invocationId", default="") if metadata else "",
        started=metadata.time("startedOn") if metadata and "startedOn" in metadata else None,
        finished=metadata.time("finishedOn") if metadata and "finishedOn" in metadata else None,
        byproducts=_resources(details, "byproducts"),
    )


def _read_scai(fields: Fields) -> ScaiPredicate:
    values = fields.values("attributes", max_values=_MAX_LIST)
    if not values:
        raise MalformedStatement("predicate.attributes says nothing.")
    attributes = [
        Fields(value, f"predicate.attributes[{number}]", MalformedStatement)
        for number, value in enumerate(values)
    ]
    return ScaiPredicate(
        tuple(
            ScaiAttribute(
                one.text("attribute"),
                _resource(one.fields("target")) if "target" in one else None,
                one.object("conditions", optional=True),
                _resource(one.fields("evidence")) if "evidence" in one else None,
            )
            for one in attributes
        ),
        _resource(fields.fields("producer")) if "producer" in fields else None,
    )


def _read_vulns(fields: Fields) -> VulnsPredicate:
    scanner, metadata = fields.fields("scanner"), fields.fields("metadata")
    results = [
        Fields(value, f"predicate.scanner.result[{number}]", MalformedStatement)
        for number, value in enumerate(scanner.values("result", max_values=_MAX_LIST, optional=True))
    ]
    return VulnsPredicate(
        scanner_uri=scanner.text("uri"),
        scanner_version=scanner.text("version", default=""),
        started=metadata.time("scanStartedOn"),
        finished=metadata.time("scanFinishedOn"),
        results=tuple(_vulns_result(one) for one in results),
        database=scanner.object("db", optional=True),
    )


def _vulns_result(fields: Fields) -> VulnsResult:
    severities = [
        Fields(value, "severity", MalformedStatement) for value in fields.values("severity", max_values=100)
    ]
    annotations = fields.values("annotations", max_values=_MAX_LIST, optional=True)
    if not all(isinstance(one, dict) for one in annotations):
        raise MalformedStatement("The annotations of a result are not objects.")
    return VulnsResult(
        fields.text("id"),
        tuple((one.text("method"), one.text("score")) for one in severities),
        tuple(one for one in annotations if isinstance(one, dict)),
    )


def _read_test_result(fields: Fields) -> TestResultPredicate:
    result = fields.text("result")
    if result not in get_args(_Result):
        raise MalformedStatement(f"predicate.result is {result[:40]!r} and not PASSED, WARNED or FAILED.")
    named = {
        name: fields.texts(f"{name}Tests", max_values=_MAX_LIST, optional=True)
        for name in ("passed", "warned", "failed")
    }
    return TestResultPredicate(
        result=result,  # type: ignore[arg-type]  # it is one of them by now
        configuration=_resources(fields, "configuration", optional=False),
        url=fields.text("url", default=""),
        **named,
    )


def _read_vsa(fields: Fields) -> VsaPredicate:
    verifier = fields.fields("verifier")
    result = fields.text("verificationResult")
    if result not in ("PASSED", "FAILED"):
        raise MalformedStatement(f"predicate.verificationResult is {result[:40]!r} and not PASSED or FAILED.")
    versions = verifier.object("version", optional=True)
    return VsaPredicate(
        verifier_id=verifier.text("id"),
        verified=fields.time("timeVerified"),
        resource_uri=fields.text("resourceUri"),
        policy=_resource(fields.fields("policy")),
        passed=result == "PASSED",
        levels=fields.texts("verifiedLevels", max_values=100, optional=True),
        inputs=_resources(fields, "inputAttestations"),
        verifier_version={name: str(version) for name, version in versions.items()},
    )


_READERS: Mapping[str, Callable[[Fields], Predicate]] = MappingProxyType(
    {
        PREDICATES["provenance"]: _read_provenance,
        PREDICATES["scai"]: _read_scai,
        PREDICATES["vulns"]: _read_vulns,
        PREDICATES["test_result"]: _read_test_result,
        PREDICATES["verification_summary"]: _read_vsa,
    }
)


def _resources(fields: Fields, name: str, *, optional: bool = True) -> tuple[Resource, ...]:
    values = fields.values(name, max_values=_MAX_LIST, optional=optional)
    return tuple(
        _resource(Fields(value, f"{name}[{number}]", MalformedStatement))
        for number, value in enumerate(values)
    )


def _resource(fields: Fields) -> Resource:
    found = Resource(
        uri=fields.text("uri", default=""),
        digests=fields.digests("digest") if "digest" in fields else {},
        name=fields.text("name", default=""),
        annotations=fields.object("annotations", optional=True),
    )
    if not (found.uri or found.digests or found.name):
        raise MalformedStatement("A resource of the predicate has neither a name nor a URI nor digests.")
    return found


def _time(at: datetime | None) -> str:
    return "" if at is None else write_time(at)


def _filled(**fields: object) -> JsonObject:
    """Those of the fields that say something."""
    return {name: value for name, value in fields.items() if value}  # type: ignore[misc]  # all of them are JSON
