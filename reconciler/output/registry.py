"""Every format of ``--output``, by name. Adding one is its file in ``formats`` and its line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Final, TypeAlias, cast

from reconciler.model.result import Result
from reconciler.output.options import Options

Render: TypeAlias = Callable[[Result, Options], str]
"""What every module of ``formats`` has under the name ``render``: pure, whatever the result holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One way to show a result, by its name and that of its module."""

    name: str

    def load(self) -> Render:
        """Its renderer, imported only now: no run pays for formats that it does not write."""
        module = import_module(f"reconciler.output.formats.{self.name}")
        return cast("Render", module.render)


_NAMES: Final = ("text", "json", "markdown", "github", "gitlab", "sarif", "junit", "rdjson")

#: The formats by the name that ``--output`` takes.
FORMATS: Final[Mapping[str, Format]] = MappingProxyType({name: Format(name=name) for name in _NAMES})


def render(result: Result, name: str, options: Options | None = None) -> str:
    """``result`` in the format ``name``, one of :data:`FORMATS`; raise ``KeyError`` for another."""
    return FORMATS[name].load()(result, options or Options())


def colour_wanted(environment: Mapping[str, str], *, isatty: bool, no_color: bool = False) -> bool:
    """Whether to style: never with ``--no-color``, a ``NO_COLOR`` that is not empty or ``TERM=dumb``.

    A ``FORCE_COLOR`` other than empty or ``0`` styles what is piped too. See https://no-color.org.
    """
    if no_color or environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR", "") not in {"", "0"}:
        return True
    return isatty and environment.get("TERM") != "dumb"
