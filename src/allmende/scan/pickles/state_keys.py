"""The keys of dicts that the pickle machine keeps, because somebody asks for them.

A dict that becomes the state of an object is a set of attributes; some of those are looked up and called
while the file is loaded.
"""

from typing import Final

__all__ = [
    "CALLED_KEYS",
    "METHOD_KEYS",
    "NAME_MAP_KEY",
    "PLACES_OF_ATTRIBUTES",
    "SPECIAL_KEYS",
    "TEMPLATE_KEY",
    "WATCHED_KEYS",
]

_SPECIAL = """
abs abstractmethods add aenter aexit aiter anext array array_finalize array_function array_interface
array_namespace array_prepare array_priority array_struct array_ufunc array_wrap arrow_array arrow_c_array
arrow_c_schema arrow_c_stream await bases bool buffer builtins bytes call ceil class class_getitem
clear_cache closure code complex contains copy cuda_array_interface dataframe deepcopy defaults del delattr
delete delitem delslice dict dir divmod dlpack dlpack_device enter eq exit file float floor floordiv format
fspath func ge geo_interface get getattr getattribute getformat getinitargs getitem getnewargs getnewargs_ex
getslice getstate globals gt hash iadd import import_ index init init_subclass instancecheck int invert iter
kwdefaults le len length_hint loader loader_state long lt main matmul mod mro mro_entries mul ne neg new
next nonzero path pos post_init post_setstate pow prepare radd rdivmod reduce reduce_ex release_buffer repr
reversed rmatmul rmul round rsub rtruediv self set set_name setattr setformat setitem setslice setstate
sizeof slots spec str sub subclasscheck subclasses subclasshook torch_dispatch torch_function truediv trunc
unicode weakref
""".split()  # noqa: SIM905  # a list of a hundred and fifty words

CALLED_KEYS: Final = frozenset((b"__setstate__", b"__setitem__", b"__class__", b"__dict__", b"__new__"))
"""What BUILD, SETITEM and NEWOBJ themselves look up on an object."""

SPECIAL_KEYS: Final = frozenset(f"__{word}__".encode() for word in _SPECIAL) | CALLED_KEYS
"""Names by which Python and the array libraries ask an object for what it can do."""

METHOD_KEYS: Final = frozenset((b"append", b"extend", b"add", b"items", b"keys", b"update"))
"""Methods that opcodes call, and those that `dict.update` calls on what it is given."""

TEMPLATE_KEY: Final = b"_parse_arg_template"
"""What distributions of scipy compile when they get their state."""

_WRAPPERS: Final = frozenset(
    (b"allow_mmap", b"dtype", b"filename", b"init_args", b"numpy_array_alignment_bytes", b"order", b"shape",
     b"state", b"subclass")
)  # fmt: skip

NAME_MAP_KEY: Final = b"attribute_map"
"""By this attribute, configurations of transformers take one attribute for another."""

PLACES_OF_ATTRIBUTES: Final = frozenset((b"__dict__", b"_modules", b"_parameters", b"_buffers", NAME_MAP_KEY))
"""Attributes that are dicts of further ones: modules of torch look into theirs."""

WATCHED_KEYS: Final = SPECIAL_KEYS | METHOD_KEYS | PLACES_OF_ATTRIBUTES | _WRAPPERS | {TEMPLATE_KEY}
"""All keys that are kept: the above, and what wrappers of arrays say of them."""
