"""Whether a secret file is its owner's and safe to open: judged on ciphertext, and once more in plain."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from reconciler.model.desired import Policy
from reconciler.model.errors import (
    BindingMismatch,
    IntegrityFailed,
    Mark,
    NotASecretFile,
    PlaintextSecret,
    SecretsError,
    SopsFailed,
)
from reconciler.model.secret import Secret
from reconciler.secrets.creation_rules import ANY_SECRET_FIELD
from reconciler.secrets.envelope import Envelope, Value
from reconciler.secrets.owner import Owner
from reconciler.secrets.recipients import unsafe_recipients

_LEAKED: Final = (
    "treat the value as leaked: delete the key at the exchange, create a new one, "
    "and write it with `sops edit`"
)
#: A name that a person gives to a field: API keys and secrets hold digits and capitals.
_FIELD: Final = re.compile(r"[a-z][a-z_-]{0,30}")
#: What people choose, and may begin or end with a space.
_FREE: Final = frozenset({"passphrase", "password"})


def judge(owner: Owner, envelope: Envelope, policy: Policy) -> Iterator[SecretsError]:
    """Every objection to the ciphertext, the gravest first."""
    inline = owner.ref.inline
    yield from _judge_fields(owner, envelope, _place(owner))
    yield from unsafe_recipients(envelope.recipients, policy)
    if not envelope.recipients:
        yield NotASecretFile(
            "the file names no recipient, so nobody can open it",
            hint="restore the file from git, or encrypt it anew with `sops encrypt`",
            mark=envelope.mark,
        )
    yield from judge_mac(envelope, inline=inline)
    yield from _judge_inline_pin(owner) if inline else _judge_binding(owner, envelope)


def _place(owner: Owner) -> tuple[str, ...]:
    """Where in its file the fields stand."""
    return (f"{owner.kind}s", owner.id, "credentials") if owner.ref.inline else ()


def _judge_fields(owner: Owner, envelope: Envelope, place: tuple[str, ...]) -> Iterator[SecretsError]:
    for name in owner.fields:
        yield from _judge_field(owner, envelope, (*place, name))
    expected = {*owner.fields, *(() if place else dict(owner.binding))}
    for name in envelope.fields(*place):
        if name not in expected:
            yield from _judge_extra(owner, envelope, (*place, name))


def _judge_field(owner: Owner, envelope: Envelope, path: tuple[str, ...]) -> Iterator[SecretsError]:
    name, value = path[-1], envelope.value(*path)
    if value is None or value.empty:
        yield NotASecretFile(
            f"`{name}` is missing or empty, and {owner.needs} needs it",
            hint=f"add it with `sops edit {envelope.file}`",
            mark=value.mark if value else envelope.mark,
        )
    elif not value.encrypted:
        yield _in_clear(name, value)
    elif value.type != "str":
        yield NotASecretFile(
            f"`{name}` was encrypted as {value.type}, not as text: "
            "YAML had read it as something else, such as 00123 as 83",
            hint=f"write it again with `sops edit {envelope.file}`, in quotes",
            mark=value.mark,
        )


def _in_clear(name: str, value: Value) -> SecretsError:
    if value.broken:
        return PlaintextSecret(
            f"`{name}` looks like ciphertext but is none that sops wrote",
            hint="restore the file from git, then change it only with `sops edit` or `sops set`",
            mark=value.mark,
        )
    return PlaintextSecret(f"`{name}` stands in clear", hint=_LEAKED, mark=value.mark)


def _judge_extra(owner: Owner, envelope: Envelope, path: tuple[str, ...]) -> Iterator[SecretsError]:
    """A field of no use. In clear it is worse: sops' MAC covers values and not names, so another
    value in clear could be renamed to a binding field without anybody noticing.
    """
    value = envelope.value(*path)
    mark = value.mark if value else envelope.mark
    name = _shown(path[-1])
    if path[-1] in ANY_SECRET_FIELD and value and not value.encrypted and not value.empty:
        yield _in_clear(name, value)
        return
    yield NotASecretFile(
        f"`{name}` is no field of the credentials of {owner.needs}",
        hint=f"remove it with `sops unset`; notes can stand in comments: {envelope.file}",
        mark=mark,
    )


def judge_mac(envelope: Envelope, *, inline: bool = False) -> Iterator[SecretsError]:
    """Every objection to how far the MAC of a file reaches, as far as ciphertext tells."""
    if not envelope.mac:
        yield IntegrityFailed(
            "the file has no MAC, so nothing shows whether it was changed",
            hint="restore the file from git, or encrypt it anew with `sops encrypt`",
            mark=envelope.mark,
        )
    if envelope.mac_only_encrypted and not inline:
        yield IntegrityFailed(
            "the file is marked mac_only_encrypted, so its binding could be changed unnoticed",
            hint="remove `mac_only_encrypted` from .sops.yaml, then decrypt and encrypt the file again",
            mark=envelope.mark,
        )


def _judge_binding(owner: Owner, envelope: Envelope) -> Iterator[SecretsError]:
    for name, expected in owner.binding:
        value = envelope.value(name)
        if value is None or value.encrypted or value.text != expected:
            yield _mismatch(name, expected, owner, value.mark if value else envelope.mark)


def _mismatch(name: str, expected: str, owner: Owner, mark: Mark) -> BindingMismatch:
    return BindingMismatch(
        f"the file does not say in clear `{name}: {expected}`, so it may belong to another {owner.kind}",
        hint=f"name the file of {owner.id} under `credentials:`, or write `{name}: {expected}` "
        "into it with `sops edit`, with an encrypted_regex that keeps it readable",
        mark=mark,
    )


def _judge_inline_pin(owner: Owner) -> Iterator[SecretsError]:
    if not owner.pinned:
        yield BindingMismatch(
            f"nothing binds the inline credentials of {owner.id} to its account",
            hint="pin the account with `account: {uid: …}`, or use a secret file of their own",
            mark=owner.mark,
        )


def take(owner: Owner, document: Mapping[str, Any]) -> dict[str, Secret] | SecretsError:
    """The fields in a decrypted document, judged once more: sops may read YAML as we do not."""
    mark = Mark(file=owner.ref.file, line=1)
    source: object = document
    for name in _place(owner):
        source = source.get(name) if isinstance(source, Mapping) else None
    for name, expected in () if owner.ref.inline else owner.binding:
        if document.get(name) != expected:
            return _mismatch(name, expected, owner, mark)
    if not isinstance(source, Mapping):
        return SopsFailed(
            "sops' output lacks the credentials that the file holds", hint="update sops", mark=mark
        )
    held: dict[str, Secret] = {}
    for name in owner.fields:
        value = source.get(name)
        if wrong := flaw(name, value):
            return NotASecretFile(
                f"`{name}` {wrong}",
                hint=f"write it again with `sops edit {mark.file}`, exactly as {_giver(owner)} showed it",
                mark=mark,
            )
        held[name] = Secret(str(value))
    return held


def _giver(owner: Owner) -> str:
    return "the exchange" if owner.kind == "connection" else "the runtime"


def flaw(name: str, value: object) -> str | None:
    """Why a value in plain cannot be what was issued for the field ``name``; never quotes it."""
    if not isinstance(value, str) or not value:
        return "is empty or no text"
    if name == "secret" and value.startswith("-----BEGIN "):
        return None if value.isascii() else "is a key in PEM with characters that PEM does not have"
    if not value.isprintable():
        return "holds a line break or an invisible character, perhaps from copying"
    if name not in _FREE and value != value.strip():
        return "begins or ends with a space, perhaps from copying"
    if name == "api_key" and not value.isascii():
        return "holds a character that API keys do not have"
    return None


def _shown(name: str) -> str:
    """The name of a field, or an ellipsis where it may be a secret that lost its field."""
    return name if _FIELD.fullmatch(name) else "…"
