"""Where a connection's credentials stand: a secret file inside the tree, or values in place."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import Final

from reconciler.desired.merge import Item
from reconciler.exchanges import registry
from reconciler.model.desired import CredentialRef
from reconciler.model.errors import Mark, Problem

_ORDER: Final = ("api_key", "secret", "passphrase")


class CredentialFinder:
    """Turns each ``credentials`` field into a reference, remembering who uses which file."""

    def __init__(self) -> None:
        self._users: dict[str, Mark] = {}
        self._folders: dict[str, str] = {}

    def find(self, item: Item, exchange: str) -> CredentialRef | Problem:
        """The reference for one key of ``exchange``, or what is wrong with it."""
        if isinstance(item.value, dict):
            return _inline(item, registry.get(exchange).credentials if registry.known(exchange) else None)
        return self._file(item)

    def _file(self, item: Item) -> CredentialRef | Problem:
        document = item.document
        folder, slash, _ = document.file.rpartition(os.sep)
        file = os.path.normpath(folder + slash + item.value)
        real = self._real(file)
        if not _inside(real, self._folder(document.root)):
            return item.problem(
                "outside-tree",
                "the secret file lies outside the folder of the configuration",
                "move it below that folder, and name it without `..` or links that lead out",
            )
        wrong = _no_regular_file(item, real)
        if wrong:
            return wrong
        first = self._users.setdefault(real, item.key)
        if first != item.key:
            return item.problem(
                "secret-file-shared",
                f"this secret file already belongs to the connection in {first}",
                "give each connection a key and a secret file of its own",
            )
        return CredentialRef(file=file, mark=item.mark, root=document.root)

    def _real(self, file: str) -> str:
        """``os.path.realpath``, at the cost of one look for each of many files in one folder."""
        folder, slash, name = file.rpartition(os.sep)
        real = self._folder(folder + slash or os.curdir).rstrip(os.sep) + os.sep + name
        return os.path.realpath(real) if stat.S_ISLNK(_mode(real)) else real

    def _folder(self, folder: str) -> str:
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return self._folders[folder]


def _inline(item: Item, needed: Sequence[str] | None) -> CredentialRef | Problem:
    """Values in place. ``needed`` are the fields of the exchange, ``None`` when it is not known."""
    document = item.document
    if "sops" not in document.value:
        return item.problem(
            "no-sops-block",
            "encrypted values stand here, but the file has no `sops` block to open them with",
            "take the file as sops wrote it, or name a secret file instead",
        )
    given = tuple(name for name in _ORDER if name in item.value)
    if needed is not None and set(given) != set(needed):
        return item.problem(
            "credential-fields",
            f"this exchange needs {', '.join(needed)}; found {', '.join(given)}",
            "give exactly the fields that the exchange needs",
        )
    return CredentialRef(file=document.file, mark=item.mark, root=document.root, inline=True, fields=given)


def _inside(real: str, tree: str) -> bool:
    return real.startswith(tree.rstrip(os.sep) + os.sep)


def _no_regular_file(item: Item, real: str) -> Problem | None:
    mode = _mode(real)
    if not mode:
        return item.problem(
            "secret-missing",
            "there is no such secret file, or it may not be looked at",
            "make it with sops; its path is relative to this file",
        )
    if stat.S_ISREG(mode):
        return None
    return item.problem("secret-missing", "this is no regular file", "name a file that sops has encrypted")


def _mode(file: str) -> int:
    """The mode of a file, of the link itself for a link; 0 for what cannot be looked at."""
    try:
        return os.lstat(file).st_mode
    except (OSError, ValueError):
        return 0
