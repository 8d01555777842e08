"""Who can open a SOPS file, and whether policy lets sops talk to them.

A SOPS file chooses where sops connects: a ``vault_address`` in it receives the operator's Vault
token. So every recipient is judged before sops is started.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from reconciler.model.desired import Policy
from reconciler.model.errors import Mark, UnsafeRecipient

#: SOPS' own group names, with the fields that identify a recipient in each
#: (github.com/getsops/sops, ``stores/stores.go``).
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "age": ("recipient",),
    "pgp": ("fp",),
    "kms": ("arn",),
    "gcp_kms": ("resource_id",),
    "azure_kv": ("vault_url", "name"),
    "hc_vault": ("vault_address", "engine_path", "key_name"),
    "hckms": ("key_id",),
}

#: Groups that reach nothing but this machine's own keys.
LOCAL_GROUPS: Final = frozenset({"age", "pgp"})

_SHOWN: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One holder of the file's data key, as the file claims; SOPS does not authenticate the claim.

    ``names`` are the spellings under which policy may allow it, the narrowest first. ``wrap`` is
    the file's data key as encrypted for it, empty where none is there: ciphertext, equal in two files
    only where they have the same data key. ``share`` is the number of its key group.
    """

    group: str
    names: tuple[str, ...]
    mark: Mark
    wrap: str = field(default="", repr=False)
    share: int = 0

    def __str__(self) -> str:
        """Group and name for people, printable and short."""
        name = "".join(c for c in self.names[0] if c.isascii() and c.isprintable()) if self.names else ""
        return f"{self.group} {name[:_SHOWN]}".rstrip()

    @property
    def identity(self) -> str:
        """Group and whole name, the same however a person commented it: what two revisions compare."""
        name = self.names[-1 if self.group == "age" else 0] if self.names else ""
        return f"{self.group} {name.rstrip('/')}".rstrip()


def spellings(group: str, identity: Mapping[str, str]) -> tuple[str, ...]:
    """The names under which policy may allow a recipient with these identifying fields.

    A Vault or Azure key may be named in full or by its server alone; an SSH recipient without its comment.
    """
    names: tuple[str, ...]
    match group:
        case "age":
            full = identity.get("recipient", "")
            names = (full, " ".join(full.split()[:2]))
        case "pgp":
            names = (identity.get("fp", "").replace(" ", "").upper(),)
        case "azure_kv":
            server = identity.get("vault_url", "").rstrip("/")
            names = (f"{server}/keys/{identity.get('name', '')}", server)
        case "hc_vault":
            server = identity.get("vault_address", "").rstrip("/")
            path = f"v1/{identity.get('engine_path', '')}/keys/{identity.get('key_name', '')}"
            names = (f"{server}/{path}", server)
        case _:
            names = tuple(identity.values())
    return tuple(dict.fromkeys(name for name in names if name))


def unsafe_recipients(recipients: Iterable[Recipient], policy: Policy) -> tuple[UnsafeRecipient, ...]:
    """One error for each recipient that policy does not allow.

    With nothing named in policy, age and PGP keys are allowed and no other. Once any recipient
    is named, in whichever group, the named ones are the only ones.
    """
    return tuple(
        UnsafeRecipient(
            f"the file can be opened by a recipient that policy does not allow: {recipient}",
            hint=(
                "if it is right, add it under `policy.recipients`; if not, remove it with "
                "`sops updatekeys` and `sops rotate`, and replace the API key at the exchange"
            ),
            mark=recipient.mark,
        )
        for recipient in recipients
        if not _allowed(recipient, policy)
    )


def _allowed(recipient: Recipient, policy: Policy) -> bool:
    if any(policy.recipients.values()):
        named = {_normal(recipient.group, name) for name in policy.recipients.get(recipient.group, ())}
        return any(_normal(recipient.group, name) in named for name in recipient.names)
    return recipient.group in LOCAL_GROUPS


def _normal(group: str, name: str) -> str:
    if group == "pgp":
        return name.replace(" ", "").upper()
    return name.rstrip("/")
