"""Which configuration a command reads when none is named."""

from __future__ import annotations

from pathlib import Path

from reconciler.model.errors import UsageError

DEFAULT = "connections.yaml"


def configuration(files: tuple[str, ...], *, must_exist: bool = True) -> tuple[str, ...]:
    """The files as given, else ``connections.yaml`` here. Raise ``UsageError`` when there is none.

    Without ``must_exist`` it need not lie here: a revision is asked for it.
    """
    if files:
        return files
    if Path(DEFAULT).is_file() or not must_exist:
        return (DEFAULT,)
    raise UsageError(
        f"no configuration: there is no {DEFAULT} in this folder",
        hint="name a file or a folder with -f; reconcile demo shows one at work",
    )
