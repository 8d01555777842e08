"""Fields of an answer, taken out one by one: what is missing or of another kind is never guessed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeGuard

from reconciler.model.runtime_kinds import RuntimeFailureKind
from reconciler.runtimes.failing import failed

#: Characters of a name that a runtime tells. What it tells is shown to people, and may be anything.
LONGEST: Final = 120


def _is_text(value: object, most: int) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) <= most and value.isprintable()


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a JSON object that ``call`` was answered with.

    Each method raises :class:`RuntimeFailed` with ``UNEXPECTED_ANSWER`` for a field that is not there, or
    not of its kind. No message holds what stood there. ``untouched`` is as in that error.
    """

    call: str
    answer: Mapping[str, Any]
    untouched: bool = True

    @classmethod
    def of(cls, call: str, answer: object, *, untouched: bool = True) -> Fields:
        """The fields of an answer, which must be an object."""
        if not isinstance(answer, Mapping):
            cls(call, {}, untouched).refuse("is no object")
        return cls(call, answer, untouched)

    def text(self, name: str, default: str | None = None, *, most: int = LONGEST) -> str:
        """A printable text of at most ``most`` characters; ``default`` where the field is not there."""
        value = self.answer.get(name, default)
        return value if _is_text(value, most) else self.refuse(f"has no text `{name}`")

    def flag(self, name: str, default: bool | None = None) -> bool:
        """True or false; ``default`` where the field is not there."""
        value = self.answer.get(name, default)
        return value if isinstance(value, bool) else self.refuse(f"has no true or false `{name}`")

    def number(self, name: str) -> int | float | None:
        """A finite number, or ``None`` where the field is null or not there."""
        value = self.answer.get(name)
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            return value if value is None or math.isfinite(value) else self.refuse(f"has no number `{name}`")
        return self.refuse(f"has no number `{name}`")

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of printable texts, each of at most :data:`LONGEST` characters."""
        value = self.answer.get(name)
        if isinstance(value, list) and all(_is_text(item, LONGEST) for item in value):
            return tuple(value)
        return self.refuse(f"has no list of texts `{name}`")

    def refuse(self, what: str) -> NoReturn:
        """Raise the error: the answer ``what``, such as "has no text `state`"."""
        raise failed(
            RuntimeFailureKind.UNEXPECTED_ANSWER,
            f"the answer to {self.call} {what}",
            untouched=self.untouched,
        )
