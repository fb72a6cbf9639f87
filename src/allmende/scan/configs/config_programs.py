"""Configurations of programs that load no models, told by their keys: editors, containers, chains, tools.

They lie beside models, and what they name is started by whoever opens the folder with the program.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from allmende.formats import JsonValue
from allmende.scan.code.code_texts import code_in
from allmende.scan.code.commands import examine_commands
from allmende.scan.configs.config_rules import (
    ACTING_TOOL,
    EVALUATED_CODE,
    HOST_ACCESS,
    INSTALL_SCRIPT,
    OUTSIDE_PATH,
    REFUSED_TARGET,
    UNASKED_PROGRAM,
    UNKNOWN_TARGET,
)
from allmende.scan.configs.packages import examine_address, examine_requirement
from allmende.scan.configs.targets import is_dotted, rule_of_target
from allmende.scan.containers.member_paths import is_outside
from allmende.scan.scanning import Scan

__all__ = ["examine_programs"]

Owner = Mapping[str, JsonValue]
_MAX_PATH_CHARS: Final = 300
_MAX_OBJECTS: Final = 300_000
_CONTAINER_COMMANDS: Final = frozenset(
    ("postCreateCommand", "onCreateCommand", "updateContentCommand", "postStartCommand", "postAttachCommand",
     "initializeCommand")
)  # fmt: skip
_EDITOR_PATH: Final = re.compile(
    r"[a-zA-Z-]{2,40}(?:\.[\w-]{1,60}){0,6}\.(?:path|executable\w{0,10}|interpreter\w{0,10}|"
    r"defaultInterpreterPath|command|"
    r"server\w{0,10}|javaHome|home|binary\w{0,10}|shell\.\w{1,10}|automationShell\.\w{1,10})"
)
_LOCAL_PROGRAM: Final = re.compile(
    r"(?:\.{1,2}[/\\]|\$\{workspace\w{0,20}\}|[/\\]|~|[A-Za-z]:[\\/]|https?://).{1,300}"
)
_TRUST_KEYS: Final = {"task.allowAutomaticTasks": "on", "security.workspace.trust.enabled": False}
_HOST_FLAGS: Final = frozenset(
    ("privileged", "hostNetwork", "hostPID", "hostIPC", "allowPrivilegeEscalation")
)
_HOST_VOLUME: Final = re.compile(
    r"(?:/|/etc|/root|/home|/proc|/var/run/docker\.sock|/run/docker\.sock|/dev|~)/?:(?:/|\w)\S{0,200}"
)
_HOST_RIGHTS: Final = frozenset(
    ("ALL", "SYS_ADMIN", "SYS_PTRACE", "SYS_MODULE", "CAP_SYS_ADMIN", "DAC_READ_SEARCH")
)
_LISTS: Final = frozenset(
    ("pip", "install_requires", "requirements", "packages", "python_packages", "pip_requirements", "requires",
     "dependencies", "dependency_links", "pip_packages", "requirement", "build_dependencies", "channels")
)  # fmt: skip
_INDEX_KEYS: Final = frozenset(
    ("index_url", "extra_index_url", "find_links", "index-url", "extra-index-url", "find-links", "registry",
     "extra_index_urls", "npmRegistryServer", "channel_alias")
)  # fmt: skip
_NPM_LISTS: Final = frozenset(("dependencies", "devDependencies", "optionalDependencies", "peerDependencies"))
_COMPOSER: Final = re.compile(r"(?:pre|post)-(?:install|update|autoload|create|root|package)[\w-]{0,20}")
_CHAIN_CODE: Final = re.compile(
    r"(?i)(?:^|[_-])(?:pal|llm_?math|llm-math|python|bash|shell|terminal|repl|sql_?database|sql|"
    r"graph_?cypher|api|requests|exec|code|jira|"
    r"pandas|csv|spark|human|vector_?db|hub)(?:[_-]|$|chain|tool)"
)
_CHAIN_NAMES: Final = re.compile(
    r"(?i)(?:PALChain|PythonREPL\w{0,12}|PythonAstREPL\w{0,12}|BashProcess|LLMBashChain|LLMMathChain|"
    r"ShellTool|TerminalTool|"
    r"PythonCodeExecutionTool|PythonFunctionTool|SQLDatabase\w{0,12}|RequestsGet\w{0,12}|"
    r"RequestsPost\w{0,12}|APIChain|"
    r"LocalCommandLineCodeExecutor|Jira\w{0,12}|Pickle\w{0,20}|FAISS|RunnableLambda|FunctionTool|"
    r"E2B\w{0,20}|Exec\w{0,20})"
)
_CHAIN_FLAGS: Final = frozenset(
    ("allow_dangerous_code", "allow_dangerous_requests", "allow_dangerous_deserialization",
    "allow_dangerous_tools",
     "python_globals", "python_locals", "unsafe", "allow_code_execution", "use_docker")
)  # fmt: skip
_CHAIN_SPACES: Final = ("langchain", "langgraph", "llama_index", "haystack", "semantic_kernel")
_SPARK: Final = re.compile(
    r"(?:org\.apache\.spark|pyspark|com\.microsoft\.azure\.synapse|com\.johnsnowlabs|ml\.combust|sparknlp|"
    r"xgboost|synapse|"
    r"com\.databricks|org\.graphframes|ml\.dmlc)\."
)
_SERVED: Final = frozenset(
    ("handler", "modelFile", "serializedFile", "requirementsFile", "configFile", "extraFiles",
    "scoring_script", "entry_script",
     "setup_script", "dockerfile_template", "requirements_txt", "python_env", "conda_file",
     "prepare_script", "custom_handler")
)  # fmt: skip
_KERNELS: Final = re.compile(
    r"(?:.{0,200}[/\\])?(?:python[\d.]*|pythonw|ipython\d?|R|Rscript|julia|node|java|deno|xcpp|xpython|"
    r"jupyter[\w-]*|ir|scala|"
    r"spark[\w-]*|octave|sage|bash_kernel|dotnet|go|gophernotes|ruby|iruby|perl|evcxr_jupyter|conda|mamba|"
    r"\{\w+\})(?:\.exe)?"
)


def examine_programs(value: JsonValue, scan: Scan) -> None:
    """Look at every object of a configuration for what a program would start, install or open."""
    for path, owner in _objects(value):
        for examine in _EXAMINERS:
            examine(path, owner, scan)


def _objects(value: JsonValue) -> Iterator[tuple[str, Owner]]:
    waiting: list[tuple[str, JsonValue]] = [("", value)]
    count = 0
    while waiting and count < _MAX_OBJECTS:
        path, inner = waiting.pop()
        if isinstance(inner, dict):
            count += 1
            yield path, inner
            waiting += [
                (f"{path}.{key}"[-_MAX_PATH_CHARS:] if path else key, item)
                for key, item in inner.items()
                if isinstance(item, (dict, list))
            ]
        elif isinstance(inner, list):
            waiting += [(path, item) for item in inner if isinstance(item, (dict, list))]


def _texts(value: "JsonValue | None") -> list[str]:
    """All texts in a value, at any depth, up to a few hundred."""
    found: list[str] = []
    waiting = [value]
    while waiting and len(found) < 500:
        inner = waiting.pop()
        if isinstance(inner, str):
            found.append(inner)
        elif isinstance(inner, dict):
            waiting += inner.values()
        elif isinstance(inner, list):
            waiting += inner
    return found


def _examine_editors(path: str, owner: Owner, scan: Scan) -> None:
    """Tasks, settings, hooks and servers of editors, assistants and notebooks."""
    options = owner.get("runOptions")
    if "folderOpen" in (owner.get("runOn"), options.get("runOn") if isinstance(options, dict) else None):
        scan.found(UNASKED_PROGRAM, f"folderOpen: {' '.join(_texts(owner.get('command')))}", inside=path)
        examine_commands(" ".join(_texts(dict(owner))), scan, path, unasked=True)
    for key in _CONTAINER_COMMANDS & owner.keys():
        for text in _texts(owner[key]):
            examine_commands(text, scan, f"{path}.{key}" if path else key, unasked=True)
        if key == "initializeCommand" and owner[key]:
            scan.found(UNASKED_PROGRAM, f"{key}: {' '.join(_texts(owner[key]))}", inside=path)
    _examine_servers(path, owner, scan)
    if owner.get("type") == "command" and isinstance(owner.get("command"), str) and ".hooks" in f".{path}":
        scan.found(UNASKED_PROGRAM, str(owner["command"]), inside=path)
        examine_commands(str(owner["command"]), scan, path, unasked=True)
    _examine_settings(path, owner, scan)


def _examine_servers(path: str, owner: Owner, scan: Scan) -> None:
    """Servers of tools that an assistant starts (Model Context Protocol)."""
    for key in ("mcpServers", "mcp", "servers"):
        servers = owner.get(key)
        for name, server in servers.items() if isinstance(servers, dict) else ():
            if isinstance(server, dict) and isinstance(server.get("command"), str) and "args" in server:
                started = " ".join([str(server["command"]), *_texts(server["args"])[::-1]])
                scan.found(UNASKED_PROGRAM, started, inside=f"{path}.{key}.{name}")
                examine_commands(started, scan, path, unasked=True)


def _examine_settings(path: str, owner: Owner, scan: Scan) -> None:
    """Programs that settings name, and kernels of notebooks."""
    for key, told in owner.items():
        if _TRUST_KEYS.get(key, object()) == told or (
            "." in key
            and isinstance(told, str)
            and _EDITOR_PATH.fullmatch(key)
            and _LOCAL_PROGRAM.fullmatch(told)
        ):
            scan.found(UNASKED_PROGRAM, f"{key}: {told}", inside=path)
    argv = owner.get("argv")
    if "display_name" in owner and isinstance(argv, list) and argv and isinstance(argv[0], str):
        usual = _KERNELS.fullmatch(argv[0])
        if not usual:
            scan.found(UNASKED_PROGRAM, " ".join(map(str, argv)), inside=path)


def _examine_containers(path: str, owner: Owner, scan: Scan) -> None:
    """Rights over the machine that a container gets."""
    for key in sorted(_HOST_FLAGS & owner.keys()):
        if owner[key] is True:
            scan.found(HOST_ACCESS, key, inside=path)
    host = owner.get("hostPath")
    if isinstance(host, dict) and host.get("path"):
        scan.found(HOST_ACCESS, f"hostPath {host.get('path')}", inside=path)
    volumes = owner.get("volumes")
    for text in (text for text in (volumes if isinstance(volumes, list) else []) if isinstance(text, str)):
        if _HOST_VOLUME.fullmatch(text):
            scan.found(HOST_ACCESS, text, inside=path)
    rights = owner.get("cap_add")
    if isinstance(rights, list) and _HOST_RIGHTS & {item for item in rights if isinstance(item, str)}:
        scan.found(HOST_ACCESS, f"cap_add {' '.join(map(str, rights))}", inside=path)


def _examine_packages(path: str, owner: Owner, scan: Scan) -> None:
    """Lists of packages, and the indexes that they come from."""
    for key in sorted(_LISTS & owner.keys()):
        items = owner[key]
        for item in items if isinstance(items, list) else ():
            if isinstance(item, str) and len(item) < 1000:
                examine_requirement(item, scan, path)
    for key in sorted(_INDEX_KEYS & owner.keys()):
        for text in _texts(owner[key]):
            examine_address(text, scan, path)
    if owner.get("trusted_host") or owner.get("trusted-host"):
        examine_requirement(
            f"--trusted-host {owner.get('trusted_host') or owner.get('trusted-host')}", scan, path
        )
    for key in sorted(_NPM_LISTS & owner.keys()):
        packages = owner[key]
        for name, place in packages.items() if isinstance(packages, dict) else ():
            if isinstance(place, str):
                examine_address(place, scan, f"{path}.{key}.{name}")
    scripts = owner.get("scripts")
    if "require" in owner and isinstance(scripts, dict):
        for name in sorted(name for name in scripts if _COMPOSER.fullmatch(name)):
            scan.found(INSTALL_SCRIPT, f"{name}: {scripts[name]}", inside=path)


def _examine_chains(path: str, owner: Owner, scan: Scan) -> None:
    """Chains and agents: of LangChain by `_type` or `lc`, of others by the classes that they name."""
    kind = owner.get("_type")
    if isinstance(kind, str) and _CHAIN_CODE.search(kind[:200]):
        scan.found(ACTING_TOOL, kind, inside=path)
    if isinstance(kind, str):
        _examine_chain(path, owner, scan)
    if owner.get("lc") is not None and isinstance(owner.get("id"), list):
        _examine_serialised_chain(path, owner, scan)
    for key in sorted(_CHAIN_FLAGS & owner.keys()):
        if owner[key] is True and key != "use_docker":
            scan.found(ACTING_TOOL, f"{key}: true", inside=path)


def _examine_chain(path: str, owner: Owner, scan: Scan) -> None:
    for key, told in owner.items():
        if not isinstance(told, str):
            continue
        place = f"{path}.{key}" if path else key
        if key.endswith("_path") or key == "path":
            if "://" in told or is_outside(told):
                scan.found(OUTSIDE_PATH, told, inside=place)
        elif key == "template" and owner.get("template_format") == "jinja2":
            call = code_in(told)
            if call or "__" in told:
                scan.found(EVALUATED_CODE, told[:200], inside=place)
        elif told.startswith(("lc://", "lc@")):
            scan.found(ACTING_TOOL, told, inside=place)


def _examine_serialised_chain(path: str, owner: Owner, scan: Scan) -> None:
    """What `langchain.load` makes objects of: only classes of its own packages, and no secrets."""
    names = [str(part) for part in owner["id"]] if isinstance(owner["id"], list) else []
    target = ".".join(names)
    if owner.get("type") == "secret":
        if path:
            scan.found(ACTING_TOOL, f"takes the secret {target}", inside=path)
    elif owner.get("type") == "constructor" and names:
        if not names[0].startswith(_CHAIN_SPACES):
            scan.found(rule_of_target(target) or UNKNOWN_TARGET, target, inside=path)
        elif _CHAIN_NAMES.fullmatch(names[-1]):
            scan.found(ACTING_TOOL, target, inside=path)


def _examine_classes(path: str, owner: Owner, scan: Scan) -> None:
    """Classes that programs import by name: of Spark, Haystack, AutoGen, Rasa."""
    kind = owner.get("class")
    if isinstance(kind, str) and "sparkVersion" in owner and not _SPARK.match(kind):
        scan.found(rule_of_target(kind) or UNKNOWN_TARGET, kind, inside=path)
    kind = owner.get("type")
    if isinstance(kind, str) and "init_parameters" in owner and not kind.startswith("haystack"):
        scan.found(rule_of_target(kind) or UNKNOWN_TARGET, kind, inside=path)
    kind = owner.get("provider")
    if isinstance(kind, str) and ("component_type" in owner or "component_version" in owner):
        if _CHAIN_NAMES.fullmatch(kind.rpartition(".")[2]):
            scan.found(ACTING_TOOL, kind, inside=path)
        elif not kind.startswith(("autogen_", "autogen.")):
            scan.found(rule_of_target(kind) or UNKNOWN_TARGET, kind, inside=path)
    for key in ("pipeline", "policies"):
        parts = owner.get(key)
        for part in parts if isinstance(parts, list) else ():
            name = part.get("name") if isinstance(part, dict) else None
            if (
                isinstance(name, str)
                and is_dotted(name)
                and not name.startswith(("rasa.", "rasa_", "addons."))
            ):
                rule = rule_of_target(name, loose=True)
                if rule is REFUSED_TARGET:
                    scan.found(rule, name, inside=f"{path}.{key}")


def _examine_served(path: str, owner: Owner, scan: Scan) -> None:
    """Files that a model server runs or unpacks, by the manifests of TorchServe, BentoML and others."""
    for key in sorted(_SERVED & owner.keys()):
        for text in _texts(owner[key]):
            if len(text) < _MAX_PATH_CHARS and "\n" not in text and is_outside(text):
                scan.found(OUTSIDE_PATH, text, inside=f"{path}.{key}" if path else key)


_EXAMINERS: Final[tuple[Callable[[str, Owner, Scan], None], ...]] = (
    _examine_editors, _examine_containers, _examine_packages, _examine_chains, _examine_classes,
    _examine_served,
)  # fmt: skip
