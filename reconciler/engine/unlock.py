"""Ending the lease of an apply that is gone."""

from __future__ import annotations

from reconciler.engine.settings import Settings


def unlock(settings: Settings, token: int) -> str:
    """End the lease with this number, and say whose it was.

    Raise ``LockHeld`` when the number is not that of the present lease: it was released or taken
    over meanwhile, and nobody's lease is ended by mistake.
    """
    from reconciler.state.store import open_for_writing  # noqa: PLC0415 - sqlalchemy is slow to import

    with open_for_writing(settings.state) as store:
        record = store.unlock(token)
    return str(record.holder)
