"""Where sops would look for private keys on this machine, and whether others could read them."""

from __future__ import annotations

import os
import shlex
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySource:
    """One place where sops looks for a private key; never its content.

    ``path`` is ``None`` for a value in the environment or a command. ``mode`` are the permission
    bits, where there is a file. ``warning`` says what is wrong with it, ``fix`` what to do.
    """

    name: str
    path: str | None = None
    exists: bool
    readable: bool
    mode: int | None = None
    warning: str | None = None
    fix: str = ""


def key_sources(environ: Mapping[str, str], *, platform: str = sys.platform) -> tuple[KeySource, ...]:
    """Every place where sops looks for age, SSH and PGP keys, in its order, there or not.

    Reads names, modes and nothing else (github.com/getsops/sops, ``age/keysource.go``). A place
    that a variable names and that is not there has a warning; a default place has none.
    """
    return tuple(_sources(environ, platform))


def _sources(environ: Mapping[str, str], platform: str) -> Iterator[KeySource]:
    home = environ.get("HOME", "")
    # As Go's os.UserConfigDir, which on macOS is another folder than elsewhere.
    usual = "Library/Application Support" if platform == "darwin" else ".config"
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, usual)  # noqa: PTH118 - may be empty
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
    if there and name == "SOPS_AGE_KEY":
        return KeySource(
            name=name,
            exists=True,
            readable=True,
            warning="every program started from here inherits a key in the environment",
            fix="keep the key in a file of mode 0600 and name it in SOPS_AGE_KEY_FILE",
        )
    return KeySource(name=name, exists=there, readable=there)


def _file(name: str, path: Path, *, named: bool = False) -> KeySource:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except (OSError, ValueError):
        gone = KeySource(name=name, path=str(path), exists=False, readable=False)
        return (
            replace(gone, warning="it is not there", fix=f"set {name} to a file that is") if named else gone
        )
    found = KeySource(name=name, path=str(path), exists=True, readable=os.access(path, os.R_OK), mode=mode)
    if not found.readable:
        return replace(found, warning="this user may not read it", fix=f"run as its owner: {path}")
    if mode & _OTHERS:
        return replace(
            found,
            warning=f"other users can reach it (mode {mode:04o})",
            fix=f"chmod go= {shlex.quote(str(path))}",
        )
    return found
