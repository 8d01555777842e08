"""What a forge shows beside a line of a file: the common ground of every annotating format."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from reconciler.model.errors import Mark
from reconciler.output.clean import clean, shortened
from reconciler.output.findings import LONGEST

#: A message may say where else something stands; that moves with every line above it.
_LINES: Final = re.compile(r"\blines? \d+(, column \d+)?")


class Level(StrEnum):
    """How pressing it is. ``NOTICE`` asks nothing of anybody; ``PASS`` is only for test reports."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"
    PASS = "pass"  # noqa: S105 - a verdict, not a password


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One thing to tell.

    ``rule`` is a stable word; ``subject`` what it is about (``connection recovery-pro``). ``unknown``
    marks what could not be answered; ``accepted_by`` names who answered for it. ``path`` is the value
    within the subject, ``detail`` what else tells notes of one rule and one subject apart. ``about``
    says what the rule is, the same in every run.
    """

    rule: str
    level: Level
    subject: str
    about: str
    message: str = ""
    cause: str = ""
    fix: str = ""
    mark: Mark | None = None
    unknown: bool = False
    accepted_by: str = ""
    path: str = ""
    detail: str = ""

    @property
    def title(self) -> str:
        """``withdraw-enabled: connection recovery-pro``, saying so where the answer is unknown."""
        return clean(f"{self.rule}: {self.subject}{' is unknown' if self.unknown else ''}")

    def told(self) -> tuple[str, ...]:
        """What was seen, its cause, its fix and who answered for it: clean lines, at least one."""
        labelled = (("cause", self.cause), ("fix", self.fix), ("accepted by", self.accepted_by))
        rest = (f"{label}: {text}" for label, text in labelled if text)
        return tuple(shortened(clean(text), LONGEST) for text in (self.message or self.title, *rest))

    def identity(self) -> tuple[str, ...]:
        """What makes it the same note in the next run, wherever its lines went."""
        return (self.rule, self.subject, self.path, _LINES.sub("line", self.detail))
