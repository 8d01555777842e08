"""From the options of a source to what a run reads: files that lie here, or a repository to follow."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.cli.logs import notice
from reconciler.cli.paths import configuration
from reconciler.model.errors import UsageError

if TYPE_CHECKING:
    from reconciler.engine.source import Begun, Revision, Source
    from reconciler.model.desired import Desired


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


def _unknown(_: Desired) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a run reads: fields of ``Settings``, by their names."""

    files: tuple[str, ...]
    top: str = ""
    committed: Callable[[Desired], str | None] = _unknown
    repository: tuple[str, ...] = ()

    def settings(self) -> dict[str, Any]:
        """These fields, to be handed on."""
        return {name: getattr(self, name) for name in Given.__slots__}


@contextmanager
def files_of(files: tuple[str, ...], chosen: Chosen, *, keep: bool = False) -> Iterator[Given]:
    """The files for one run; those of a repository are gone afterwards unless ``keep``.

    The commit of files that lie here is told to whoever keeps it alone: it costs some calls of git. Raise
    ``UsageError`` where the options do not go together.
    """
    if chosen.git is None:
        yield _here(_configuration(files, chosen), told=keep)
        return
    from reconciler.cli.run import run_async  # noqa: PLC0415 - keeps validate quick

    with _followed(files, chosen, keep=keep) as source:
        yield _of(run_async(source.refresh()), chosen)


@contextmanager
def beginning(files: tuple[str, ...], chosen: Chosen, *, keep: bool) -> Iterator[tuple[Begun | None, Given]]:
    """What a loop begins with, and who to ask for newer files: nobody where they lie here."""
    if chosen.git is None:
        yield None, _here(_configuration(files, chosen), told=False)  # the loop asks by itself, at each pass
        return
    from reconciler.cli.run import run_async  # noqa: PLC0415 - keeps validate quick
    from reconciler.engine.asked import first_of  # noqa: PLC0415 - the same
    from reconciler.engine.source import Begun  # noqa: PLC0415 - the same

    with _followed(files, chosen, keep=keep) as source:
        first = run_async(first_of(source, notice))
        yield Begun(source=source, first=first), _of(first, chosen)


def _here(files: tuple[str, ...], *, told: bool) -> Given:
    if not told:
        return Given(files=files)
    from reconciler.engine.checkout import commit_once  # noqa: PLC0415 - keeps validate quick

    return Given(files=files, committed=partial(commit_once, files, os.environ))


def _of(revision: Revision, chosen: Chosen) -> Given:
    from reconciler.git.remote import remote  # noqa: PLC0415 - keeps validate quick

    return Given(
        files=revision.files,
        top=revision.top,
        committed=lambda _: revision.commit,
        repository=("--git", remote(chosen.git or "").url, "--ref", chosen.ref),
    )


@contextmanager
def _followed(files: tuple[str, ...], chosen: Chosen, *, keep: bool) -> Iterator[Source]:
    """The repository to follow. Without ``keep`` nothing on this machine is changed by reading it."""
    from reconciler.engine.follow import Followed, Following  # noqa: PLC0415 - keeps validate quick
    from reconciler.git.remote import remote  # noqa: PLC0415 - the same

    following = Following(
        remote=remote(chosen.git or ""),
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


def _configuration(files: tuple[str, ...], chosen: Chosen) -> tuple[str, ...]:
    if chosen.git is not None:
        return configuration(files, must_exist=False)
    for name in ("git_signed_by", "git_token_file", "git_reset_to"):
        if getattr(chosen, name):
            raise UsageError(f"--{name.replace('_', '-')} goes with --git", hint="add --git URL")
    return configuration(files)
