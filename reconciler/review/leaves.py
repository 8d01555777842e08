"""Items of the model as leaves: each value by its dotted path, as a person wrote it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Final, TypeAlias

from reconciler.model.desired import CredentialRef, Window

Leaves: TypeAlias = Mapping[str, Any]
"""Values by dotted path. Sets are sorted tuples, other lists are lists; nothing is ``None``."""

#: What stands for the credentials that are encrypted in the configuration itself.
IN_PLACE: Final = "in this file"

#: What says where something stands or under which key, not what it is.
_UNREVIEWED: Final = frozenset({"id", "subject", "mark", "marks"})

#: A strategy's settings in the form that its runtime takes; they stand beside its other fields.
_PARAMETERS: Final = "parameters"
#: So do those of a runtime that only its type knows.
_OPTIONS: Final = "options"

_NULL: Final = "null"

#: A name that needs no quotes: no dot, quote or space in it.
_BARE: Final = re.compile(r"[^\s.\"\\]+")

_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
#: A name that a person gives to a field: keys and secrets hold digits and capitals.
_FIELD: Final = re.compile(r"[a-z][a-z_-]{0,30}")

_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def leaves(item: object) -> dict[str, Any]:
    """Every leaf of one item of the model. A field that is added to the model takes part by itself."""
    return dict(_walk("", item))


def join(path: str, name: str) -> str:
    """``path`` with one more part. An odd name is quoted, so that no two paths are spelt alike."""
    shown = name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)
    return f"{path}.{shown}" if path else shown


def shown(path: str) -> str:
    """A path of a secret file as it may be shown: a part that no person would choose may be a lost secret."""
    parts = path.split(".")
    ids = {1} if parts[0] == "connections" else set()
    return ".".join(
        part if _FIELD.fullmatch(part) or (place in ids and _ID.fullmatch(part)) else "…"
        for place, part in enumerate(parts)
    )


def _walk(path: str, value: object) -> Iterator[tuple[str, Any]]:
    if isinstance(value, CredentialRef):
        yield path, IN_PLACE if value.inline else value.file
    elif is_dataclass(value) and not isinstance(value, type):
        for part in fields(value):
            if part.name in (_PARAMETERS, _OPTIONS):
                yield from _parameters(path, getattr(value, part.name))
            elif part.name not in _UNREVIEWED and not _doubled(value, part.name):
                yield from _walk(join(path, part.name), getattr(value, part.name))
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _walk(join(path, _scalar(name)), inner)
    elif isinstance(value, list | tuple | set | frozenset):
        yield path, tuple(sorted(map(_scalar, value)))
    elif value is not None:
        yield path, _scalar(value)


def _doubled(item: object, name: str) -> bool:
    """A strategy's pairs stand among its parameters too."""
    return name == "pairs" and hasattr(item, _PARAMETERS)


def _parameters(path: str, fields_: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in fields_.items():
        if name == "pairs":
            yield join(path, name), tuple(sorted(value))
        else:
            yield from _plain(join(path, name), value)


def _plain(path: str, value: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - what the YAML of settings holds
    """JSON-like values: the order of a list in them has a meaning that only the runtime knows."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _plain(join(path, str(name)), inner)
    else:
        yield path, _told(value)


def _told(value: Any) -> Any:  # noqa: ANN401 - the same
    """Null in words, since ``None`` stands for nothing at all; the text that reads like it, in quotes."""
    if value is None:
        return _NULL
    return json.dumps(value) if isinstance(value, str) and value.strip('\\"') == _NULL else value


def _scalar(value: object) -> Any:  # noqa: ANN401 - text, a number or a bool
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, IPv4Network | IPv6Network):
        return str(value.network_address) if value.prefixlen == value.max_prefixlen else str(value)
    if isinstance(value, date | Decimal | Window):
        return str(value)
    return value


def same(old: object, new: object) -> bool:
    """Whether two leaves mean the same: in one type (``1`` is not ``true``), keys in any order."""
    return old is new or _spelt(old) == _spelt(new)


def _spelt(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _duration(span: timedelta) -> str:
    """The largest unit that says it whole: ``180d``, ``15m``."""
    seconds = int(span.total_seconds())
    size, unit = next((size, unit) for size, unit in _UNITS if not seconds % size)
    return f"{seconds // size}{unit}"
