"""Where sops would look for private keys on this machine, and whether others could read them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySource:
    """One place where sops looks for a private key; never its content.

    ``path`` is ``None`` for a value in the environment or a command. ``mode`` are the permission
    bits, where there is a file. ``warning`` says what is wrong with it, in one sentence.
    """

    name: str
    path: str | None = None
    exists: bool
    readable: bool
    mode: int | None = None
    warning: str | None = None


def key_sources(environ: Mapping[str, str]) -> tuple[KeySource, ...]:
    """Every place where sops looks for age, SSH and PGP keys, in its order, there or not.

    Reads names, modes and nothing else (github.com/getsops/sops, ``age/keysource.go``). A place
    that a variable names and that is not there has a warning; a default place has none.
    """
    return tuple(_sources(environ))


def _sources(environ: Mapping[str, str]) -> Iterator[KeySource]:
    home = environ.get("HOME", "")
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")  # noqa: PTH118 - may be empty
    for name in ("SOPS_AGE_KEY", "SOPS_AGE_KEY_CMD", "SOPS_AGE_SSH_PRIVATE_KEY_CMD"):
        yield _variable(name, environ)
    for name in ("SOPS_AGE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_FILE"):
        if environ.get(name):
            yield _file(name, Path(environ[name]), named=True)
    if home or environ.get("XDG_CONFIG_HOME"):
        yield _file("age keys", Path(config, "sops", "age", "keys.txt"))
    if home:
        for kind in ("id_ed25519", "id_rsa"):
            yield _file("SSH key", Path(home, ".ssh", kind))
    if environ.get("GNUPGHOME"):
        yield _file("GNUPGHOME", Path(environ["GNUPGHOME"]), named=True)
    elif home:
        yield _file("GnuPG", Path(home, ".gnupg"))


def _variable(name: str, environ: Mapping[str, str]) -> KeySource:
    there = bool(environ.get(name))
    warning = None
    if there and name == "SOPS_AGE_KEY":
        warning = "a key in the environment is inherited by every program started from here; prefer a file"
    return KeySource(name=name, exists=there, readable=there, warning=warning)


def _file(name: str, path: Path, *, named: bool = False) -> KeySource:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except (OSError, ValueError):
        missing = f"{path} is not there or cannot be reached" if named else None
        return KeySource(name=name, path=str(path), exists=False, readable=False, warning=missing)
    readable = os.access(path, os.R_OK)
    return KeySource(
        name=name,
        path=str(path),
        exists=True,
        readable=readable,
        mode=mode,
        warning=_warning(path, mode, readable=readable, named=named),
    )


def _warning(path: Path, mode: int, *, readable: bool, named: bool) -> str | None:
    if not readable:
        return f"this user may not read {path}"
    if mode & _OTHERS:
        return f"other users can reach {path} (mode {mode:04o}): run `chmod go= {path}`"
    if named and not path.is_absolute():
        return f"{path} is relative, and sops is run in the folder /: name it in full"
    return None
