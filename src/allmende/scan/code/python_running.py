"""Which parts of a Python program run by themselves: when it is imported, and when its classes are made."""

import ast
from collections.abc import Iterator
from typing import Final

from allmende.scan.code.python_names import Names, children

__all__ = ["running_at_import", "running_at_load"]

_METHODS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_WHEN_MADE: Final = frozenset(("__init__", "__new__", "__post_init__", "__call__", "__enter__"))
_WHEN_DERIVED: Final = frozenset(("__init_subclass__", "__set_name__", "__prepare__"))
_CALLING_BACK: Final = frozenset(
    ("atexit.register", "threading.Thread", "threading.Timer", "multiprocessing.Process",
     "_thread.start_new_thread", "signal.signal", "map", "filter", "functools.partial", "functools.reduce",
     "sys.setprofile", "sys.settrace", "threading.settrace", "weakref.finalize", "sys.addaudithook",
     "concurrent.futures.ThreadPoolExecutor().submit", "asyncio.run")
)  # fmt: skip
"""What calls the functions that it is given."""
_IMPORTERS: Final = frozenset(("sys.meta_path", "sys.path_hooks", "sys.path_importer_cache"))
_LOADED_BASES: Final = (
    "PreTrainedModel", "PretrainedConfig", "PreTrainedConfig", "PreTrainedTokenizer",
    "PreTrainedTokenizerFast", "PreTrainedTokenizerBase", "ProcessorMixin", "FeatureExtractionMixin",
    "SequenceFeatureExtractor", "BaseImageProcessor", "ImageProcessingMixin", "GenerationMixin",
    "ModelMixin", "ConfigMixin", "DiffusionPipeline", "PyTorchModelHubMixin", "ModelHubMixin", "Module",
    "Layer", "Model", "LightningModule",
)  # fmt: skip
"""Classes that loaders make objects of, as soon as a model is loaded."""
_LOADED_NAMES: Final = frozenset(("EndpointHandler", "InferencePipeline", "TritonPythonModel"))
_WHEN_LOADED: Final = frozenset(
    ("__init__", "__new__", "__init_subclass__", "from_pretrained", "from_config", "_from_config",
     "_init_weights", "post_init", "initialize", "__setstate__", "__del__", "_load_from_state_dict")
)  # fmt: skip
_INSTALLED_BASES: Final = ("install", "develop", "egg_info")
"""Commands of setup scripts, of which installers run the method `run`."""


class _Walk:
    def __init__(self, tree: ast.Module, classes: list[ast.ClassDef], names: Names) -> None:
        self._names = names
        self._functions = {
            node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        }
        self._classes = {node.name: node for node in classes}
        self._entered: set[int] = set()
        self._waiting: list[ast.AST] = []

    def run(self, body: list[ast.stmt]) -> Iterator[int]:
        """The ids of all nodes that are reached."""
        self._waiting += [node for node in body if not _only_as_program(node)]
        while self._waiting:
            node = self._waiting.pop()
            yield id(node)
            if isinstance(node, ast.Call):
                self._call(node)
            elif isinstance(node, ast.Attribute) and self._names.path(node) in _IMPORTERS:
                for inner in self._classes.values():
                    self._methods(inner, None)
            if isinstance(node, _FUNCTIONS):
                self._define(node)
            else:
                if isinstance(node, ast.ClassDef):
                    self._derive(node)
                self._waiting += children(node)

    def _call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute):
            owner = self._names.path(node.func.value) or ""
            self._methods(self._classes.get(owner.removesuffix("()")), frozenset((node.func.attr,)))
        self._enter(node.func)
        if self._names.path(node.func) in _CALLING_BACK:
            for value in (*node.args, *(keyword.value for keyword in node.keywords)):
                self._enter(value)

    def _enter(self, function: ast.expr) -> None:
        """A function or a class of the program is called."""
        if isinstance(function, ast.Name):
            called = self._functions.get(function.id)
            if called is not None and id(called) not in self._entered:
                self._entered.add(id(called))
                self._waiting += called.body
            self._methods(self._classes.get(function.id), _WHEN_MADE)

    def _methods(self, owner: ast.ClassDef | None, wanted: frozenset[str] | None) -> None:
        for node in owner.body if owner is not None else ():
            if not isinstance(node, _METHODS) or id(node) in self._entered:
                continue
            if wanted is None or node.name in wanted:
                self._entered.add(id(node))
                self._waiting += node.body

    def _define(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        """The body waits for a call; decorators, defaults and annotations do not."""
        self._waiting += [
            *node.args.defaults,
            *(default for default in node.args.kw_defaults if default is not None),
        ]
        if isinstance(node, ast.Lambda):
            self._waiting.append(node.body)
        else:
            self._waiting += node.decorator_list
            for decorator in node.decorator_list:
                self._enter(decorator)

    def _derive(self, node: ast.ClassDef) -> None:
        """Making a class runs its metaclass, what its bases want of it, and its decorators."""
        for decorator in node.decorator_list:
            self._enter(decorator)
        for base in node.bases:
            if isinstance(base, ast.Name):
                self._methods(self._classes.get(base.id), _WHEN_DERIVED)
        for keyword in node.keywords:
            if keyword.arg == "metaclass" and isinstance(keyword.value, ast.Name):
                self._methods(self._classes.get(keyword.value.id), _WHEN_MADE | _WHEN_DERIVED)


def running_at_import(tree: ast.Module, classes: list[ast.ClassDef], names: Names) -> set[int]:
    """The ids of the nodes that an import runs: at the top level, and in what is called from there."""
    return set(_Walk(tree, classes, names).run(tree.body))


def running_at_load(tree: ast.Module, classes: list[ast.ClassDef], names: Names) -> set[int]:
    """The ids of the nodes that run when a model is loaded whose class, or configuration, is one of these."""
    walk, found = _Walk(tree, classes, names), set[int]()
    for node in classes:
        wanted = _run_by_loaders(node, names)
        for method in node.body if wanted else ():
            if isinstance(method, _METHODS) and method.name in wanted:
                found |= set(walk.run(method.body))
    return found


def _run_by_loaders(node: ast.ClassDef, names: Names) -> frozenset[str]:
    """The methods of a class that run without the user's asking for them."""
    bases = [(names.path(base) or "").rpartition(".")[2] for base in node.bases]
    if node.name in _LOADED_NAMES or any(base.endswith(_LOADED_BASES) for base in bases):
        return _WHEN_LOADED
    return frozenset(("run",)) if any(base in _INSTALLED_BASES for base in bases) else frozenset()


def _only_as_program(node: ast.stmt) -> bool:
    """`if __name__ == "__main__":` holds what an import leaves out."""
    if not isinstance(node, ast.If) or node.orelse or not isinstance(node.test, ast.Compare):
        return False
    test = node.test
    named = isinstance(test.left, ast.Name) and test.left.id == "__name__"
    return named and isinstance(test.ops[0], ast.Eq)
