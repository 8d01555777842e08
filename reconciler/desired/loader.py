"""YAML to plain values with their places, refusing whatever two readers could read differently.

Built on the events of PyYAML's C parser, without recursion and without ever expanding an alias, so
that no input can blow up. Everything that is refused becomes a problem, and reading goes on where
it can.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import yaml

from reconciler.desired import syntax
from reconciler.desired.document import Document
from reconciler.desired.text import decode
from reconciler.desired.tree import Stop, TreeBuilder
from reconciler.model.errors import Problem

_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_document(data: bytes, *, file: str, root: str) -> Document:
    """The one YAML document in ``data``, with everything about it that is refused.

    ``file`` is the name that marks carry, ``root`` the folder that its secret files may not leave.
    Never raises for any input: what is wrong stands in ``Document.problems``.
    """
    text = decode(data, file=file)
    if isinstance(text, Problem):
        return Document(file=file, root=root, problems=(text,), complete=False)
    builder = TreeBuilder(file)
    with no_garbage_collection():
        try:
            for event in iter(_Loader(text).get_event, None):
                builder.take(event)
        except Stop:
            builder.complete = False
        except yaml.YAMLError as error:
            builder.complete = False
            builder.problems.append(syntax.explain(error, file=file, text=text))
        except (ValueError, OverflowError):
            # The pure Python parser lets `"\UFFFFFFFF"` through to chr(); the C parser refuses it.
            builder.complete = False
            builder.problems.append(syntax.bad_escape(file))
    return builder.document(root)


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Spare the collector from walking a growing tree again and again: it halves the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
