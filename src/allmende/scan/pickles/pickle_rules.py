"""The rules that pickles are held to."""

from allmende.scan.findings import Rule, Severity

__all__ = [
    "CODE_BY_VALUE",
    "COMPILED_TEXT",
    "COMPUTED_CALL",
    "COMPUTED_NAME",
    "EXTENSION_CODE",
    "FORGED_TYPE",
    "GROWTH",
    "HANDED_ON",
    "ODD_STATE",
    "OUTSIDE_FILE",
    "PERSISTENT_ID",
    "PLANTED",
    "REFUSED_CALL",
    "REFUSED_GLOBAL",
    "RULES",
    "UNKNOWN_CALL",
    "UNKNOWN_CLASS",
]

_PICKLE_DOCS = "Python documentation, module pickle: 'The pickle module is not secure.'"

REFUSED_GLOBAL = Rule(
    "pickle-refused-global",
    Severity.CRITICAL,
    "imports what no checkpoint needs",
    "When this file is loaded, Python imports the named function or class and usually calls it with "
    "arguments from the file. It is not on the list of what checkpoints of known libraries import.",
    "Save the weights as safetensors, or without custom objects. If the name is a harmless part of a known "
    "library, propose it for the allow-list.",
    _PICKLE_DOCS,
)
UNKNOWN_CLASS = Rule(
    "pickle-unknown-class",
    Severity.MEDIUM,
    "needs a class from outside",
    "Loading the file imports this class from a package that the scanner does not know. What its making "
    "does is decided by whatever package of that name the reader has installed.",
    "Save the weights alone (a state dict, or safetensors) and keep the code beside them.",
    _PICKLE_DOCS,
)
CODE_BY_VALUE = Rule(
    "pickle-code-by-value",
    Severity.MEDIUM,
    "carries program code",
    "The file holds compiled functions, as cloudpickle and dill write them. They run when the loaded object "
    "is used, and cannot be read as source.",
    "Publish the function as source code and save the data alone.",
    "cloudpickle documentation: only load data from trusted sources.",
)
COMPUTED_NAME = Rule(
    "pickle-computed-name",
    Severity.CRITICAL,
    "hides the name of what it imports",
    "The name is put together while the file is loaded, so that it is not written anywhere in it. No library "
    "does that; it exists to get past scanners.",
    "Do not load the file.",
    "PEP 3154, STACK_GLOBAL.",
)
COMPUTED_CALL = Rule(
    "pickle-computed-call",
    Severity.CRITICAL,
    "calls what another call returned",
    "The file calls something that it obtained from another call, or changes an imported function or class. "
    "What runs cannot be known without running it.",
    "Do not load the file.",
    _PICKLE_DOCS,
)
REFUSED_CALL = Rule(
    "pickle-refused-call",
    Severity.CRITICAL,
    "calls a known name in an unusual way",
    "The name is a harmless one, but it is called with arguments that its library never puts into a "
    "checkpoint and that may make it do something else.",
    "Save the file again with a current version of the library.",
    _PICKLE_DOCS,
)
EXTENSION_CODE = Rule(
    "pickle-extension-code",
    Severity.CRITICAL,
    "imports through the extension registry",
    "A number stands for what is imported; its meaning is decided by the program that loads the file.",
    "Do not load the file.",
    "PEP 307, the extension registry.",
)
GROWTH = Rule(
    "pickle-growth",
    Severity.HIGH,
    "built to exhaust memory or time",
    "The file describes an object that is far larger or deeper than the file, by referring to the same parts "
    "again and again, by enormous lengths or by memo indexes without entries.",
    "Save the data in a plain form.",
    "CWE-400: uncontrolled resource consumption.",
)
PERSISTENT_ID = Rule(
    "pickle-persistent-id",
    Severity.LOW,
    "needs its own loader",
    "Parts of the object are supplied by the program that loads the file.",
    "Say in the card which program loads the file.",
    "Python documentation, module pickle: persistence of external objects.",
)
PLANTED = Rule(
    "pickle-planted-attribute",
    Severity.CRITICAL,
    "plants what loading calls",
    "The file gives an object an attribute under a name by which the loader calls methods, such as "
    "__setstate__ or append. The next opcode would call what lies there, with arguments from the file.",
    "Do not load the file.",
    "Python documentation, module pickle: object.__setstate__.",
)
ODD_STATE = Rule(
    "pickle-odd-state",
    Severity.HIGH,
    "gives an object a state that cannot be followed",
    "The state of an object is made by a call, or its attributes have names that are made by calls or are "
    "special to Python. No library writes that.",
    "Save the file again with a current version of the library.",
    "Python documentation, module pickle: object.__setstate__.",
)
HANDED_ON = Rule(
    "pickle-function-as-data",
    Severity.CRITICAL,
    "hands on a function that loads or calls",
    "A function that libraries only ever call lies in the data or among the arguments of another one, which "
    "may call it with arguments from the file.",
    "Do not load the file.",
    _PICKLE_DOCS,
)
UNKNOWN_CALL = Rule(
    "pickle-unknown-call",
    Severity.HIGH,
    "calls an unknown class with arguments",
    "Loading the file makes an object of a class that the scanner does not know, with arguments from the "
    "file. Classes open files, connections and programs that way; objects that are restored are not made so.",
    "Save the weights alone (a state dict, or safetensors) and keep the code beside them.",
    _PICKLE_DOCS,
)
FORGED_TYPE = Rule(
    "pickle-forged-dtype",
    Severity.CRITICAL,
    "forges the type of an array",
    "The description of an array's elements contradicts itself. numpy believes it, and would read memory "
    "that does not belong to the array, or take bytes of the file for addresses of objects.",
    "Save the array again.",
    "numpy documentation, numpy.dtype.__reduce__; CWE-843: type confusion.",
)
COMPILED_TEXT = Rule(
    "pickle-compiled-text",
    Severity.CRITICAL,
    "holds source text that loading compiles",
    "Distributions of scipy compile and run a text from their state when they are loaded. This one is not "
    "what scipy writes there.",
    "Do not load the file.",
    "scipy source, rv_generic._attach_argparser_methods.",
)
OUTSIDE_FILE = Rule(
    "pickle-outside-file",
    Severity.CRITICAL,
    "loads an array from a file elsewhere",
    "The file says in which other file joblib finds an array, and the place is not beside it.",
    "Save the file again with a current version of joblib.",
    "CWE-22; joblib, numpy_pickle_compat.",
)
RULES = (
    REFUSED_GLOBAL, UNKNOWN_CLASS, CODE_BY_VALUE, COMPUTED_NAME, COMPUTED_CALL, REFUSED_CALL, EXTENSION_CODE,
    GROWTH, PERSISTENT_ID, PLANTED, ODD_STATE, HANDED_ON, UNKNOWN_CALL, FORGED_TYPE, COMPILED_TEXT,
    OUTSIDE_FILE,
)  # fmt: skip
