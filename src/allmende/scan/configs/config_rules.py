"""What a configuration must not ask of its loader."""

from allmende.scan.findings import Rule, Severity

__all__ = [
    "ACTING_TOOL",
    "ALIAS_GROWTH",
    "CODE_TEXT",
    "CUSTOM_CODE",
    "EVALUATED_CODE",
    "EXTENSION_LIBRARY",
    "FOREIGN_CODE",
    "FOREIGN_PACKAGES",
    "HOST_ACCESS",
    "HUGE_NUMBER",
    "INSTALL_SCRIPT",
    "LOOKED_UP",
    "NAMED_CLASS",
    "OBJECT_TAG",
    "OUTSIDE_LABEL",
    "OUTSIDE_PATH",
    "PICKLED_DATA",
    "REFUSED_TARGET",
    "REMOTE_KERNEL",
    "REPEATED_KEY",
    "RULES",
    "SLOW_PATTERN",
    "SPECIAL_NUMBER",
    "UNASKED_PROGRAM",
    "UNKNOWN_TARGET",
    "YAML_TAG",
    "YAML_UNKNOWN_TAG",
]  # fmt: skip

OUTSIDE_PATH = Rule(
    "config-outside-path",
    Severity.CRITICAL,
    "names a file outside the repository",
    "Where a loader expects a file of the repository, the configuration names one by an address, an absolute "
    "path or one that climbs out of the folder.",
    "Name the files relative to the configuration.",
    "CWE-22: path traversal; CWE-73: external control of file name.",
)
OUTSIDE_LABEL = Rule(
    "config-local-path",
    Severity.LOW,
    "holds a path of another machine",
    "Some programs write where a file lay when the model was saved. Loaders do not follow it.",
    "Remove the path.",
    "Hygiene.",
)
REFUSED_TARGET = Rule(
    "config-refused-target",
    Severity.CRITICAL,
    "makes a loader call a dangerous function",
    "The configuration names a function or class that its loader imports and calls with arguments from the "
    "file. This one can run programs, load pickles or reach other files.",
    "Name the classes of the model library alone.",
    "Hydra documentation, instantiate; CVE-2025-23304 (NeMo).",
)
UNKNOWN_TARGET = Rule(
    "config-unknown-target",
    Severity.MEDIUM,
    "makes a loader import a class from outside",
    "The configuration names a class that its loader imports and makes. What it does is decided by whatever "
    "package of that name is installed.",
    "Say in the card which package is needed, and in which version.",
    "Hydra documentation, instantiate.",
)
NAMED_CLASS = Rule(
    "config-named-class",
    Severity.LOW,
    "names classes of its program",
    "The configuration belongs to a program that imports the classes named in it.",
    "Say in the card which program reads it.",
    "Inventory.",
)
OBJECT_TAG = Rule(
    "config-pickled-object",
    Severity.CRITICAL,
    "describes objects to be made",
    "The JSON is of a kind that programs turn back into objects, calling functions on the way (jsonpickle).",
    "Publish plain data.",
    "jsonpickle documentation: insecure, like pickle.",
)
PICKLED_DATA = Rule(
    "config-pickled-data",
    Severity.MEDIUM,
    "says that the data are pickles",
    "The program that reads this loads parts of the data with pickle, which runs whatever they say.",
    "Write the data with a codec of texts or numbers.",
    "numcodecs documentation, Pickle; stable-baselines3 documentation, saving.",
)
CUSTOM_CODE = Rule(
    "config-custom-code",
    Severity.MEDIUM,
    "needs code of the repository",
    "With trust_remote_code the loader runs Python files of this repository on the reader's machine.",
    "Use an architecture that the library has, or say in the card why the code is needed.",
    "transformers documentation, custom models.",
)
FOREIGN_CODE = Rule(
    "config-foreign-code",
    Severity.MEDIUM,
    "needs code of another repository",
    "With trust_remote_code the loader runs Python files of a repository that can change at any time.",
    "Copy the code into this repository.",
    "transformers documentation, custom models (`repo--module.Class`).",
)
REMOTE_KERNEL = Rule(
    "config-remote-kernel",
    Severity.MEDIUM,
    "fetches machine code",
    "The loader downloads compiled kernels from another repository and loads them.",
    "Leave the choice of kernels to the user.",
    "kernels documentation (Hugging Face).",
)
EXTENSION_LIBRARY = Rule(
    "config-extension-library",
    Severity.MEDIUM,
    "names a library to be loaded",
    "The configuration names a library of machine code or a plug-in for the loader.",
    "Build it where it is used.",
    "CWE-829.",
)
INSTALL_SCRIPT = Rule(
    "config-install-script",
    Severity.MEDIUM,
    "runs commands when it is installed",
    "The package has scripts that npm runs when somebody installs it.",
    "Leave them out.",
    "npm documentation, life cycle scripts.",
)
YAML_TAG = Rule(
    "yaml-object-tag",
    Severity.CRITICAL,
    "makes YAML build Python objects",
    "A tag of the text makes unsafe YAML loaders import and call a function.",
    "Write plain YAML.",
    "PyYAML documentation: loading YAML; CVE-2020-14343.",
)
YAML_UNKNOWN_TAG = Rule(
    "yaml-unknown-tag",
    Severity.MEDIUM,
    "YAML tags of a program's own",
    "The text asks its loader for objects of its own kinds.",
    "Write plain YAML.",
    "YAML 1.2.2, tags.",
)
ALIAS_GROWTH = Rule(
    "yaml-alias-growth",
    Severity.HIGH,
    "built to exhaust memory",
    "Aliases refer to parts that consist of aliases: written out, the text would be enormous.",
    "Write the values out.",
    "CWE-776: billion laughs.",
)
REPEATED_KEY = Rule(
    "json-repeated-key",
    Severity.LOW,
    "the same key twice",
    "Some programs take the first value, some the last.",
    "Write each key once.",
    "RFC 8259, section 4.",
)
SPECIAL_NUMBER = Rule(
    "json-special-number",
    Severity.LOW,
    "numbers that JSON does not have",
    "NaN and Infinity are read by some programs and refused by others.",
    "Write null, or a number.",
    "RFC 8259, section 6.",
)
EVALUATED_CODE = Rule(
    "config-evaluated-code",
    Severity.CRITICAL,
    "code where an expression is evaluated",
    "A value that programs evaluate, such as an expression, a hook or a template, starts programs, loads "
    "modules or climbs to the internals of the language.",
    "Remove the code.",
    "CWE-94: code injection; CWE-95: eval injection.",
)
CODE_TEXT = Rule(
    "config-code-text",
    Severity.MEDIUM,
    "a value that is code",
    "A text of the configuration is code that starts programs or loads modules. A configuration has no use "
    "for it, unless somebody evaluates it.",
    "Keep code in files of its own.",
    "CWE-94: code injection.",
)
LOOKED_UP = Rule(
    "config-looks-up",
    Severity.MEDIUM,
    "takes what is secret from the reader's machine",
    "A reference in the text is replaced by a variable of the reader's environment that holds a secret, "
    "inside an address, or by the result of code.",
    "Let the user give the value.",
    "OmegaConf documentation, resolvers; CWE-526.",
)
SLOW_PATTERN = Rule(
    "config-slow-pattern",
    Severity.MEDIUM,
    "a pattern that can take for ever",
    "The regular expression repeats a repetition: on some texts, matching it takes time that doubles with "
    "every letter.",
    "Write the pattern without nested repetition.",
    "CWE-1333: inefficient regular expression complexity.",
)
UNASKED_PROGRAM = Rule(
    "config-unasked-program",
    Severity.MEDIUM,
    "starts programs for whoever opens the folder",
    "Editors, assistants, containers and tools that read this configuration start the programs that it "
    "names, some of them unasked.",
    "Leave the choice to the user.",
    "Visual Studio Code documentation, workspace trust; CWE-829.",
)
HOST_ACCESS = Rule(
    "config-host-access",
    Severity.MEDIUM,
    "gives a container the machine",
    "The container gets all rights, the files or the container service of the machine that it runs on.",
    "Leave it out.",
    "CWE-250: execution with unnecessary privileges.",
)
FOREIGN_PACKAGES = Rule(
    "config-foreign-packages",
    Severity.MEDIUM,
    "installs packages from elsewhere",
    "Packages come from an address or an index of somebody's own, whose code runs when they are installed.",
    "Name packages of the usual index with their versions.",
    "CWE-494; CWE-829: inclusion of functionality from an untrusted control sphere.",
)
ACTING_TOOL = Rule(
    "config-acting-tool",
    Severity.MEDIUM,
    "gives a model tools that act",
    "The chain or agent that is loaded from this document runs code, commands, requests or queries that a "
    "model writes, or is fetched from elsewhere.",
    "Say in the card what it may do.",
    "LangChain documentation, security; CVE-2023-36258, CVE-2025-68664.",
)
HUGE_NUMBER = Rule(
    "json-huge-number",
    Severity.MEDIUM,
    "a number of thousands of digits",
    "Programs that read it spend time that grows with the square of its length, or fail.",
    "Write a number of ordinary size.",
    "CVE-2020-10735.",
)
RULES = (
    OUTSIDE_PATH, OUTSIDE_LABEL, REFUSED_TARGET, UNKNOWN_TARGET, NAMED_CLASS, OBJECT_TAG,
    PICKLED_DATA, CUSTOM_CODE,
    FOREIGN_CODE,
    REMOTE_KERNEL, EXTENSION_LIBRARY, INSTALL_SCRIPT, YAML_TAG, YAML_UNKNOWN_TAG, ALIAS_GROWTH, REPEATED_KEY,
    SPECIAL_NUMBER, EVALUATED_CODE, CODE_TEXT, LOOKED_UP, SLOW_PATTERN, UNASKED_PROGRAM, HOST_ACCESS,
    FOREIGN_PACKAGES, ACTING_TOOL, HUGE_NUMBER,
)  # fmt: skip
