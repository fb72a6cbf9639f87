"""Judges signatures of models and envelopes with the code of others alone; runs in its own environment.

judge_proof.py models FOLDER      reads tasks.json there; prints for each the verdict of the reference
judge_proof.py sign FOLDER        signs each model of tasks.json with the reference, by key
judge_proof.py envelopes FILE     checks envelopes with securesystemslib, statements with in-toto-attestation
judge_proof.py sigstore FILE      asks our own verifier of identities, with the library that is installed here
"""

import base64
import json
import sys
from pathlib import Path
from typing import Any


def judge_models(folder: Path) -> list[dict[str, Any]]:
    """For each task: whether the reference accepts the model, and its words where it does not."""
    import jsonschema
    from model_signing import verifying
    from referencing import Registry, Resource

    tasks = json.loads((folder / "tasks.json").read_text("utf-8"))
    schemas = {
        path.name.split(".")[0]: json.loads(path.read_text("utf-8"))
        for path in Path(tasks["schemas"]).glob("*.schema.json")
    }
    registry = Registry().with_resources(
        (schema["$id"], Resource.from_contents(schema)) for schema in schemas.values()
    )
    told = []
    for task in tasks["models"]:
        bundle = json.loads(Path(task["signature"]).read_text("utf-8"))
        faults = []
        if task.get("schema"):
            statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
            for name, document in (("bundle", bundle), ("statement", statement)):
                checker = jsonschema.Draft202012Validator(schemas[name], registry=registry)
                faults += [error.message for error in checker.iter_errors(document)]
        config = verifying.Config()
        if "key" in task:
            config = config.use_elliptic_key_verifier(public_key=Path(task["key"]))
        else:
            config = config.use_certificate_verifier(certificate_chain=[Path(task["root"])])
        try:
            config.verify(Path(task["model"]), Path(task["signature"]))
            told.append({"accepted": True, "faults": faults})
        except Exception as error:  # noqa: BLE001  # the reference raises whatever comes to it
            words = f"{type(error).__name__}: {error}"[:300]
            told.append({"accepted": False, "words": words, "faults": faults})
    return told


def sign_models(folder: Path) -> list[bool]:
    """Sign with the reference, into the place that each task names."""
    from model_signing import hashing, signing

    tasks = json.loads((folder / "tasks.json").read_text("utf-8"))
    for task in tasks["models"]:
        config = hashing.Config().set_ignored_paths(paths=[task["signature"]], ignore_git_paths=True)
        signer = signing.Config().set_hashing_config(config)
        if "certificate" in task:
            signer = signer.use_certificate_signer(
                private_key=Path(task["private"]),
                signing_certificate=Path(task["certificate"]),
                certificate_chain=[Path(task["root"])],
            )
        else:
            signer = signer.use_elliptic_key_signer(private_key=Path(task["private"]))
        signer.sign(Path(task["model"]), Path(task["signature"]))
    return [True] * len(tasks["models"])


def judge_envelopes(path: Path) -> list[dict[str, Any]]:
    """For each envelope: how many of its keys verify, and whether the statement is one."""
    from google.protobuf.json_format import ParseDict
    from in_toto_attestation.v1 import statement_pb2
    from in_toto_attestation.v1.statement import Statement
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError
    from securesystemslib.signer import SSlibKey

    told = []
    for task in json.loads(path.read_text("utf-8")):
        envelope = Envelope.from_dict(json.loads(task["envelope"]))
        keys = []
        for key in task["keys"]:
            value = {"public": key["public"]}
            keys.append(SSlibKey(key["id"], key["type"], key["scheme"], value))
        try:
            accepted = len(envelope.verify(keys, task["threshold"]))
        except VerificationError:
            accepted = 0
        statement = json.loads(envelope.payload)
        message = ParseDict(statement, statement_pb2.Statement())
        Statement.copy_from_pb(message).validate()
        told.append({"accepted": accepted, "type": statement["predicateType"]})
    return told


def judge_identities(path: Path) -> list[dict[str, Any]]:
    """What our own function says of each task when the library of Sigstore is there."""
    from allmende.proof.errors import UntrustedSigner
    from allmende.proof.sigstore_identities import verify_identity

    told: list[dict[str, Any]] = []
    for task in json.loads(path.read_text("utf-8")):
        bundle, payload = Path(task["bundle"]).read_bytes(), Path(task["payload"]).read_bytes()
        try:
            verify_identity(bundle, payload, task["identity"], task["issuer"])
            told.append({"accepted": True})
        except UntrustedSigner as error:
            told.append({"accepted": False, "words": error.message})
    return told


def main(mode: str, *arguments: str) -> None:
    """Print the answer as JSON."""
    answers = {
        "models": lambda: judge_models(Path(arguments[0])),
        "sign": lambda: sign_models(Path(arguments[0])),
        "envelopes": lambda: judge_envelopes(Path(arguments[0])),
        "sigstore": lambda: judge_identities(Path(arguments[0])),
    }
    print(json.dumps(answers[mode]()))


if __name__ == "__main__":
    main(*sys.argv[1:])
