"""Imports one ccxt exchange without the other hundred.

``import ccxt.async_support`` imports every exchange twice: 1.1 s and 100 MB. Here the packages'
own list of exchanges is taken out of their source before it runs, and each becomes an attribute
that is imported when first asked for; one exchange then costs half the time and memory. Should
anything in that fail, ccxt is imported as it is: slower, never different.
"""

from __future__ import annotations

import importlib
import re
import sys
import types
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from typing import Final

_PACKAGES: Final = ("ccxt", "ccxt.async_support")
#: ``from ccxt.async_support.mexc import mexc``: a module that gives a class of its own name.
_EXCHANGE_LINE: Final = re.compile(r"^from (ccxt(?:\.async_support)?)\.(\w+) import \2\b.*$", re.MULTILINE)


class _LightLoader(SourceFileLoader):
    """Loads a ccxt package without its exchanges; ``__getattr__`` imports each when asked for."""

    def get_code(self, fullname: str) -> types.CodeType:
        source = self.get_data(self.get_filename(fullname)).decode()
        return compile(_EXCHANGE_LINE.sub("", source), self.path, "exec", dont_inherit=True)

    def exec_module(self, module: types.ModuleType) -> None:
        source = self.get_data(self.path).decode()
        lazy = {match[2] for match in _EXCHANGE_LINE.finditer(source)}

        def late(name: str) -> object:
            if name not in lazy:
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            return _class_of(module.__name__, name)

        module.__dict__["__getattr__"] = late
        super().exec_module(module)


class _LightFinder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _PACKAGES:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or not isinstance(spec.loader, SourceFileLoader):
            return None
        spec.loader = _LightLoader(fullname, spec.loader.path)
        return spec


def _class_of(package: str, name: str) -> type:
    """The class ``name`` from its module; bound to the package, where import left the module."""
    found: type = getattr(importlib.import_module(f"{package}.{name}"), name)
    setattr(sys.modules[package], name, found)
    return found


def load(ccxt_id: str) -> type:
    """The asynchronous exchange class of this ccxt id, importing no other exchange.

    Raises:
        AttributeError: ccxt has no exchange of this id.
        ImportError: ccxt is not installed, or does not import.
    """
    named = package()
    found: type | types.ModuleType = getattr(named, ccxt_id)
    if isinstance(found, types.ModuleType):  # import left it there: another exchange derives from this one
        return _class_of(named.__name__, ccxt_id)
    return found


def package() -> types.ModuleType:
    """``ccxt.async_support``, imported lightly when this is its first import."""
    if "ccxt.async_support" in sys.modules:
        return sys.modules["ccxt.async_support"]
    finder = _LightFinder()
    sys.meta_path.insert(0, finder)
    try:
        return importlib.import_module("ccxt.async_support")
    except Exception:  # noqa: BLE001 - whatever a future ccxt breaks in the trick, the plain import decides
        for name in [name for name in sys.modules if name.split(".", 1)[0] == "ccxt"]:
            del sys.modules[name]
    finally:
        sys.meta_path.remove(finder)
    return importlib.import_module("ccxt.async_support")
