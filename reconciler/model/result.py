"""Everything that a renderer takes: what any of the commands that judge has to tell."""

from __future__ import annotations

from typing import TypeAlias

from reconciler.model.report import Report, Validation
from reconciler.model.review import Review

Result: TypeAlias = Report | Validation | Review
"""What the main job, ``check``, ``validate`` or ``diff`` found."""


def mode_of(result: Result) -> str:
    """Which command made it: ``dry-run``, ``apply``, ``check``, ``validate`` or ``diff``."""
    if isinstance(result, Report):
        return result.mode.value
    return "validate" if isinstance(result, Validation) else "diff"
