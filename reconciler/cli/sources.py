"""From the options of a source to what a run reads: files that lie here, or a repository to follow."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.cli.logs import notice
from reconciler.cli.paths import configuration
from reconciler.model.errors import UsageError

if TYPE_CHECKING:
    from reconciler.engine.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What the options of ``options.repository`` say."""

    git: str | None
    ref: str
    git_signed_by: str | None
    git_token_file: str | None
    git_reset_to: str | None
    git_cache: str


def chosen_of(options: dict[str, Any]) -> Chosen:
    """Take the options of ``options.repository`` out of ``options``."""
    return Chosen(**{name: options.pop(name) for name in Chosen.__slots__})


@contextmanager
def source_of(files: tuple[str, ...], chosen: Chosen, *, keep: bool) -> Iterator[Source]:
    """Where the files come from. Without ``keep`` nothing on this machine is changed by reading them.

    Raise ``UsageError`` where the options do not go together.
    """
    if chosen.git is None:
        from reconciler.engine.source import Here  # noqa: PLC0415 - keeps validate quick

        yield Here(_configuration(files, chosen), os.environ)
        return
    from reconciler.engine.follow import Followed, Following  # noqa: PLC0415 - the same
    from reconciler.git.remote import remote  # noqa: PLC0415 - the same

    following = Following(
        remote=remote(chosen.git),
        ref=chosen.ref,
        files=_configuration(files, chosen),
        cache=Path(chosen.git_cache),
        signed_by=chosen.git_signed_by,
        token_file=chosen.git_token_file,
        reset_to=chosen.git_reset_to,
        keep=keep,
    )
    with Followed(following, os.environ) as source:
        yield source


@contextmanager
def files_of(
    files: tuple[str, ...], chosen: Chosen, *, keep: bool = False
) -> Iterator[tuple[tuple[str, ...], str | None]]:
    """The files for one run and their commit; those of a repository are gone afterwards unless ``keep``.

    The commit of files that lie here is told to whoever keeps it alone: it costs some calls of git.
    """
    if chosen.git is None and not keep:
        yield _configuration(files, chosen), None
        return
    from reconciler.cli.run import run_async  # noqa: PLC0415 - keeps validate quick

    with source_of(files, chosen, keep=keep) as source:
        revision = run_async(source.refresh())
        yield revision.files, revision.commit


@contextmanager
def beginning(
    files: tuple[str, ...], chosen: Chosen, *, keep: bool
) -> Iterator[tuple[Source | None, tuple[str, ...], str | None]]:
    """What a loop begins with: who to ask for newer files (nobody where they lie here), files and commit."""
    from reconciler.cli.run import run_async  # noqa: PLC0415 - keeps validate quick
    from reconciler.engine.asked import first_of  # noqa: PLC0415 - the same

    with source_of(files, chosen, keep=keep) as source:
        revision = run_async(first_of(source, notice))
        yield (source if chosen.git else None), revision.files, revision.commit


def _configuration(files: tuple[str, ...], chosen: Chosen) -> tuple[str, ...]:
    if chosen.git is not None:
        return configuration(files, must_exist=False)
    for name in ("git_signed_by", "git_token_file", "git_reset_to"):
        if getattr(chosen, name):
            raise UsageError(f"--{name.replace('_', '-')} goes with --git", hint="add --git URL")
    return configuration(files)
