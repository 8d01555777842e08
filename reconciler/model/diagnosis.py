"""What ``doctor`` finds out about a machine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reconciler.model.errors import ExitCode


class State(StrEnum):
    """How one thing stands."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One thing that was looked at. ``fix`` is empty when nothing is wrong."""

    subject: str
    state: State
    detail: str
    fix: str = ""
    exit_code: ExitCode = ExitCode.DONE
