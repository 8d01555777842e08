"""How drivers say that something did not succeed, and whether the runtime may have acted all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.model.errors import RuntimeFailed
from reconciler.model.runtime_kinds import RUNTIME_KINDS, RuntimeFailureKind


def failed(
    kind: RuntimeFailureKind, message: str, *, untouched: bool = True, hint: str = ""
) -> RuntimeFailed:
    """The error of ``kind``, with the fix that belongs to it unless there is a better ``hint``."""
    return RuntimeFailed(message, kind=kind, untouched=untouched, hint=hint or RUNTIME_KINDS[kind].fix)


@contextmanager
def in_doubt() -> Iterator[None]:
    """What fails after something was told to act leaves open whether it did it."""
    try:
        yield
    except RuntimeFailed as error:
        raise RuntimeFailed(
            error.message, kind=error.kind, untouched=False, hint=error.hint, status=error.status
        ) from None
