"""`allmende env`: what a shell needs so that stock clients talk to this hub, and to nobody else.

The names were read in the clients' sources. Each switch closes a way on which a client reaches another host
than the hub. Everything else stays as clients are set by default, the Xet transfer too.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from allmende.cli.output import AsJson, say, say_json
from allmende.errors import BadRequest

__all__ = ["VARIABLES", "env"]

_Shell = Literal["sh", "fish", "powershell"]


@dataclass(frozen=True, slots=True)
class _Variable:
    name: str
    value: str
    reason: str


VARIABLES = (
    _Variable(
        "DISABLE_SAFETENSORS_CONVERSION",
        "1",
        "transformers would send repo and token to a conversion service elsewhere.",
    ),
    _Variable(
        "HF_UPDATE_DOWNLOAD_COUNTS",
        "0",
        "datasets would name each dataset that is loaded to a host elsewhere.",
    ),
    _Variable("HF_HUB_DISABLE_TELEMETRY", "1", "No reports on use."),
    _Variable("DO_NOT_TRACK", "1", "The same, for every tool that honours it."),
    _Variable("HF_HUB_DISABLE_UPDATE_CHECK", "1", "hf would ask a package index for newer versions."),
)


def env(
    *,
    endpoint: Annotated[
        str | None,
        Parameter(help="The hub's address; else that of the settings (public_url, or host and port)."),
    ] = None,
    shell: Annotated[_Shell, Parameter(help="The language to write.")] = "sh",
    as_json: AsJson = False,
) -> None:
    """Print what a client's shell needs: eval "$(allmende env)"."""
    address = _checked(endpoint or _endpoint_of_settings())
    variables = (_Variable("HF_ENDPOINT", address, "Where the hub is."), *VARIABLES)
    if as_json:
        say_json("allmende.env/1", {"variables": {variable.name: variable.value for variable in variables}})
        return
    for variable in variables:
        say(f"# {variable.reason}")
        say(_assignment(shell, variable.name, variable.value))
    say("# Your token, if you have one; `hf auth login` keeps it for good:")
    say(f"# {_assignment(shell, 'HF_TOKEN', '...')}")


def _endpoint_of_settings() -> str:
    from allmende.settings import load_settings

    settings = load_settings()
    if settings.public_url is not None:
        return settings.public_url
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 (replaced)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _checked(address: str) -> str:
    """The address without its last slash. What a shell might take for more than an address is refused."""
    known = address.isascii() and address.isprintable() and not set(address) & set(" '\"`$\\;&|<>(){}!#*?")
    if not known or not address.startswith(("http://", "https://")):
        raise BadRequest(
            f"{address!r} is not an address of a hub.", hint="Give one like http://127.0.0.1:8080."
        )
    return address.rstrip("/")


def _assignment(shell: _Shell, name: str, value: str) -> str:
    if shell == "fish":
        return f"set -gx {name} '{value}'"
    if shell == "powershell":
        return f"$Env:{name} = '{value}'"
    return f"export {name}='{value}'"
