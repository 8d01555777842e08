"""Where new entries of a configuration go: which file takes them, and where secret files lie."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.desired import load
from reconciler.model.desired import Desired
from reconciler.model.errors import UsageError
from reconciler.resources import folder

SCHEMA: Final = "connections.schema.json"

_SUFFIXES: Final = (".yaml", ".yml")
_SECRETS_FOLDER: Final = "secrets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The configuration as it is now, and the file of it that takes new entries.

    ``before`` is that file's content, ``None`` when it is yet to be made.
    """

    files: tuple[str, ...]
    target: Path
    before: bytes | None
    desired: Desired

    def text(self) -> bytes:
        """What the file holds, or what a new one begins with."""
        return self.before if self.before is not None else _beginning(self.target)


def locate(files: Sequence[str], *, into: str | None = None) -> Place:
    """The configuration that ``files`` name, and where new entries go: ``into``, or where others stand.

    A single file that is not there yet will be made. Raise ``ConfigError`` for wrong files.
    """
    if len(files) == 1 and not into and not os.path.lexists(files[0]):
        return _new_place(files[0])
    desired = load(files)
    target = into or _home(desired)
    if target not in desired.files:
        raise UsageError(
            f"--into names {target}, which is none of the files that are read",
            hint=f"name one of: {', '.join(desired.files)}",
        )
    return Place(files=tuple(files), target=Path(target), before=Path(target).read_bytes(), desired=desired)


def _new_place(file: str) -> Place:
    path = Path(file)
    if path.suffix not in _SUFFIXES or not path.parent.is_dir():
        raise UsageError(
            f"there is no {file}", hint="to begin a new file, name a *.yaml in a folder that exists"
        )
    return Place(files=(file,), target=path, before=None, desired=Desired(files=(file,)))


def _home(desired: Desired) -> str:
    """The first file with connections, else the first of all."""
    holding = {connection.mark.file for connection in desired.connections.values()}
    return next((file for file in desired.files if file in holding), desired.files[0])


def secret_file(place: Place, name: str) -> Path:
    """Beside the secret files of the other connections of the same file, else in ``secrets/``."""
    siblings = [
        Path(connection.credentials.file).parent
        for connection in place.desired.connections.values()
        if connection.mark.file == str(place.target) and not connection.credentials.inline
    ]
    return (siblings[-1] if siblings else place.target.parent / _SECRETS_FOLDER) / f"{name}.sops.yaml"


def _beginning(target: Path) -> bytes:
    """A new file: the version, and the line by which editors find the schema where that is near.

    A path of this machine would mean nothing in anybody else's checkout, so it is left out then.
    """
    schema = folder("schemas") / SCHEMA
    here = target.absolute().parent
    near = f"# yaml-language-server: $schema={os.path.relpath(schema, here)}\n"
    return f"{near if schema.is_relative_to(here.parent) else ''}version: 1\n".encode()
