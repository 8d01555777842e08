"""What a configuration is read from: the disk, or one revision of a repository."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from reconciler.model.errors import Mark, Problem

MAX_BYTES: Final = 8 * 1024 * 1024
MAX_ENTRIES: Final = 50_000

SUFFIXES: Final = (".yaml", ".yml")
SECRET_SUFFIXES: Final = (".sops.yaml", ".sops.yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One configuration file.

    ``file`` is its path as the user gave it, joined for folders; ``root`` the folder that its
    secret files may not leave; ``named`` tells a file that the user named from one found in a folder.
    """

    file: str
    root: str
    data: bytes
    named: bool


@dataclass(slots=True)
class Found:
    """What the paths gave: the readable files, and a problem for each that is not."""

    sources: list[Source] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def refuse(self, file: str, code: str, message: str, fix: str) -> None:
        """Note a problem with a file or a folder as a whole."""
        shown = file.encode("utf-8", "replace").decode()
        self.problems.append(Problem(mark=Mark(file=shown, line=1), code=code, message=message, fix=fix))

    def refuse_large(self, file: str) -> None:
        """Note that a file is larger than any configuration."""
        message = f"the file is larger than {MAX_BYTES // 1024**2} MiB"
        self.refuse(file, "too-large", message, "split it into several files")

    def refuse_missing(self, file: str) -> None:
        """Note that nothing has this name."""
        self.refuse(file, "not-found", "there is no such file or folder", "name one that exists")

    def refuse_name(self, file: str) -> None:
        """Note that a file's name would not print as what it is."""
        self.refuse(file, "file-name", "the file's name holds characters that cannot be shown", "rename it")

    def refuse_empty(self, folder: str) -> None:
        """Note that a folder holds no configuration, which never means that nothing should exist."""
        self.refuse(
            folder,
            "no-files",
            "the folder holds no configuration",
            "put a *.yaml file into it, or name another",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a name is no secret file that may be read: a code, what is wrong, and the fix."""

    code: str
    message: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretPlace:
    """Where a secret file stands. ``real`` is the same for every way to name one file."""

    file: str
    real: str
    refusal: Refusal | None = None


class Files(Protocol):
    """Gives configuration files and knows where secret files stand. Never blocks, never leaves its tree.

    Every name that it takes and gives is relative to ``top``: empty where the process runs.
    """

    @property
    def top(self) -> str:
        """The folder on the disk that names are relative to."""

    def find(self, paths: Sequence[str | Path]) -> Found:
        """Every configuration file that ``paths`` name, each once, in the given order, folders sorted.

        In a folder, hidden files, ``*.sops.yaml`` and what is not ``*.yaml`` or ``*.yml`` are skipped.
        """

    def secret(self, name: str, *, beside: str, root: str) -> SecretPlace:
        """The secret file ``name``, relative to the folder of the file ``beside`` and below ``root``."""


OUTSIDE: Final = Refusal(
    code="outside-tree",
    message="the secret file lies outside the folder of the configuration",
    fix="move it below that folder, and name it without `..` or links that lead out",
)
MISSING: Final = Refusal(
    code="secret-missing",
    message="there is no such secret file, or it may not be looked at",
    fix="make it with sops; its path is relative to this file",
)
NOT_REGULAR: Final = Refusal(
    code="secret-missing",
    message="this is no regular file",
    fix="name a file that sops has encrypted",
)


def is_configuration(name: str) -> bool:
    """Whether a file of this name in a folder may hold configuration."""
    return name.endswith(SUFFIXES) and not name.endswith(SECRET_SUFFIXES)
