"""Decoding Python source as Python does, and following names in it."""

import ast

import pytest

from allmende.scan.code.python_names import Names, parts_of
from allmende.scan.code.python_source import DisguisedSource, decoded_source


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("X = 'é'".encode(), "X = 'é'"),
        ("# coding: latin-1\nX = 'é'".encode("latin-1"), "# coding: latin-1\nX = 'é'"),
        ("# -*- coding: Windows-1252 -*-\n€".encode("cp1252"), "# -*- coding: Windows-1252 -*-\n€"),
        ("# coding: GBK\n模".encode("gbk"), "# coding: GBK\n模"),
        (b"x = 1\n# coding: rot13\n", "x = 1\n# coding: rot13\n"),
        (b"\xef\xbb\xbfx", "x"),
    ],
)
def test_alphabets_are_read(data: bytes, text: str) -> None:
    assert decoded_source(data) == text


@pytest.mark.parametrize(
    "name", ["rot13", "rot_13", "utf-7", "UTF_7", "unicode_escape", "hex", "idna", "mine"]
)
@pytest.mark.parametrize("start", [b"", b"#!/usr/bin/python\n", b"\n", b"\xef\xbb\xbf", b"# x\r"])
def test_what_is_no_alphabet_is_refused(name: str, start: bytes) -> None:
    with pytest.raises(DisguisedSource) as refused:
        decoded_source(start + b"# vim: set fileencoding=" + name.encode() + b" :\n")
    assert refused.value.encoding == name


@pytest.mark.parametrize(
    ("program", "path"),
    [
        ("import os as o\no.system", "os.system"),
        ("m = __import__('os')\nm.system", "os.system"),
        ("import sys\nsys.modules['os'].system", "os.system"),
        ("getattr(__import__('so'[::-1]), 'sys' + 'tem')", "os.system"),
        ("__import__(''.join(map(chr, [111, 115]))).system", "os.system"),
        ("import code\ncode.InteractiveInterpreter().runsource", "code.InteractiveInterpreter().runsource"),
        ("globals()['__builtins__'].__dict__['ev' + 'al']", "eval"),
    ],
)
def test_names_are_followed(program: str, path: str) -> None:
    tree = ast.parse(program)
    last = tree.body[-1]
    assert isinstance(last, ast.Expr)
    assert Names(parts_of(tree)).path(last.value) == path


def test_names_of_a_star_are_any_of_its_modules() -> None:
    tree = ast.parse("from os import *\nspawnlp")
    last = tree.body[-1]
    assert isinstance(last, ast.Expr)
    assert list(Names(parts_of(tree)).paths(last.value)) == ["spawnlp", "os.spawnlp"]
