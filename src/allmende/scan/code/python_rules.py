"""What is said of Python programs: inventory, what acts by itself, what is hidden, what is sent away."""

from allmende.scan.findings import Rule, Severity

__all__ = [
    "ACTS_AT_IMPORT", "DATASET_SCRIPT", "DISGUISED_SOURCE", "HIDDEN_CODE", "LOADS_FOREIGN_CODE",
    "MAY_ACT_AT_IMPORT", "PYTHON_CODE", "REPLACES_LOADER", "RULES", "RUNS_COMMANDS", "SENDS_SECRETS",
    "UNPARSED", "WRITES_STARTUP",
]  # fmt: skip

PYTHON_CODE = Rule(
    "python-code",
    Severity.LOW,
    "Python source",
    "The repository brings a program. It runs where somebody imports it, or allows remote code.",
    "Say in the card what it is for.",
    "Inventory.",
)
ACTS_AT_IMPORT = Rule(
    "python-acts-at-import",
    Severity.CRITICAL,
    "runs commands when it is imported or loaded",
    "As soon as the file is imported, or a model is loaded by it, it starts programs, opens connections, "
    "deletes files or writes where programs are started from.",
    "Move what acts into functions that the user calls.",
    "CWE-506: embedded malicious code.",
)
MAY_ACT_AT_IMPORT = Rule(
    "python-active-import",
    Severity.MEDIUM,
    "does more than define when it is imported",
    "Importing the file starts a known tool, evaluates text as code, or loads something over the network.",
    "Move what acts into functions that the user calls.",
    "CWE-829.",
)
HIDDEN_CODE = Rule(
    "python-hidden-code",
    Severity.CRITICAL,
    "unpacks code and runs it",
    "The program decodes, decompresses or downloads text or bytes and executes them, or builds the names of "
    "what it calls out of pieces: the code that runs cannot be read in the file.",
    "Publish the source as it is.",
    "CWE-506, MITRE ATT&CK T1027: obfuscated files.",
)
DISGUISED_SOURCE = Rule(
    "python-disguised-source",
    Severity.CRITICAL,
    "source that Python reads as something else",
    "A comment at the top asks for an encoding that is no alphabet. Python makes other code of the text "
    "than a reader sees.",
    "Save the source as UTF-8, without such a comment.",
    "PEP 263; MITRE ATT&CK T1027: obfuscated files.",
)
SENDS_SECRETS = Rule(
    "python-sends-secrets",
    Severity.CRITICAL,
    "sends away what is secret",
    "The program reads all of the environment, keys or stored credentials, and passes them to a connection.",
    "Remove the code.",
    "MITRE ATT&CK T1552: unsecured credentials; T1041: exfiltration.",
)
RUNS_COMMANDS = Rule(
    "python-runs-commands",
    Severity.MEDIUM,
    "starts a shell",
    "A function of the program hands text to the system's shell or opens a raw connection.",
    "Call what is needed directly.",
    "CWE-78: OS command injection.",
)
LOADS_FOREIGN_CODE = Rule(
    "python-loads-foreign-code",
    Severity.MEDIUM,
    "loads code from elsewhere",
    "A function of the program downloads a pickle or a repository and runs what is in it, unasked.",
    "Load weights alone (weights_only, safetensors), or bring the code along.",
    "CWE-494: download of code without integrity check.",
)
REPLACES_LOADER = Rule(
    "python-replaces-loader",
    Severity.MEDIUM,
    "replaces a function that loads files",
    "Importing the file puts its own function in the place of one that loads models or pickles, for the "
    "whole program.",
    "Call your own function instead.",
    "CWE-829.",
)
WRITES_STARTUP = Rule(
    "python-writes-startup-files",
    Severity.MEDIUM,
    "writes where programs are started from",
    "A function of the program writes to files of a shell, to keys that let somebody in, or to timetables.",
    "Leave such files to the user.",
    "MITRE ATT&CK T1546: event triggered execution.",
)
DATASET_SCRIPT = Rule(
    "dataset-script",
    Severity.MEDIUM,
    "a loader of data that runs as code",
    "The dataset is built by this program, which runs on the reader's machine.",
    "Publish the data as Parquet.",
    "Hugging Face datasets, loading scripts (removed in version 4).",
)
UNPARSED = Rule(
    "python-not-parsed",
    Severity.LOW,
    "Python source that cannot be parsed",
    "The text is no program for Python 3; an import of it fails.",
    "Correct the program, or rename the file.",
    "Inventory.",
)
RULES = (
    PYTHON_CODE, ACTS_AT_IMPORT, MAY_ACT_AT_IMPORT, HIDDEN_CODE, DISGUISED_SOURCE, SENDS_SECRETS,
    RUNS_COMMANDS, LOADS_FOREIGN_CODE, REPLACES_LOADER, WRITES_STARTUP, DATASET_SCRIPT, UNPARSED,
)  # fmt: skip
