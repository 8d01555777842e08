"""Where the credentials of connections and runtimes stand: secret files inside the tree, or in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reconciler.desired.files import Files
from reconciler.desired.merge import Item
from reconciler.exchanges import registry
from reconciler.model.desired import CredentialRef
from reconciler.model.errors import Mark, Problem

_ORDER: Final = ("api_key", "secret", "passphrase")


class CredentialFinder:
    """Turns each ``credentials`` field into a reference, remembering who uses which file."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._users: dict[str, Mark] = {}

    def find(self, item: Item, exchange: str) -> CredentialRef | Problem:
        """The reference for one key of ``exchange``, or what is wrong with it."""
        if isinstance(item.value, dict):
            needed = registry.get(exchange).credentials if registry.known(exchange) else None
            return _inline(item, needed, top=self._files.top)
        return self.file(item)

    def file(self, item: Item) -> CredentialRef | Problem:
        """The reference to a secret file, or what is wrong with it."""
        document = item.document
        place = self._files.secret(item.value, beside=document.file, root=document.root)
        if place.refusal is not None:
            return item.problem(place.refusal.code, place.refusal.message, place.refusal.fix)
        first = self._users.setdefault(place.real, item.key)
        if first != item.key:
            return item.problem(
                "secret-file-shared",
                f"this secret file already belongs to what names it in {first}",
                "give each connection and each runtime a secret file of its own",
            )
        return CredentialRef(file=place.file, mark=item.mark, root=document.root, top=self._files.top)


def _inline(item: Item, needed: Sequence[str] | None, *, top: str) -> CredentialRef | Problem:
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
    return CredentialRef(
        file=document.file, mark=item.mark, root=document.root, top=top, inline=True, fields=given
    )
