"""What a SOPS file says without any key: recipients, which values are ciphertext and of which type."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from reconciler.model.errors import Mark, NotASecretFile
from reconciler.secrets.recipients import GROUPS, Recipient, spellings
from reconciler.secrets.tree import Node, Row, Scalar, Table, read_tree

Path: TypeAlias = tuple[str, ...]
"""Where a value stands; list items by their index as text."""

# The shape that sops itself asks for (github.com/getsops/sops, aes/cipher.go), with base64 spelt out.
_CIPHERTEXT: Final = re.compile(
    r"ENC\[AES256_GCM,data:(?P<data>[A-Za-z0-9+/=]+),iv:(?P<iv>[A-Za-z0-9+/=]+),"
    r"tag:(?P<tag>[A-Za-z0-9+/=]+),type:(?P<type>str|int|float|bool|time|bytes|comment)\]"
)
_IV_BYTES: Final = 32
_TAG_BYTES: Final = 16
_GROUP_SHOWN: Final = 40

#: Entries of the ``sops`` block that are no recipients. An entry that is neither one of these nor a
#: group that we know is taken for a key service: later versions of sops add some.
_SETTINGS: Final = frozenset(
    {
        "encrypted_comment_regex",
        "encrypted_regex",
        "encrypted_suffix",
        "lastmodified",
        "mac",
        "mac_only_encrypted",
        "shamir_threshold",
        "unencrypted_comment_regex",
        "unencrypted_regex",
        "unencrypted_suffix",
        "version",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value outside the ``sops`` block.

    ``type`` is sops' word for what is encrypted (``str``, ``int``, …), ``None`` for a value in
    clear; ``broken`` says that it begins like ciphertext but is none that sops wrote. ``text`` may be a
    secret in clear: it shows in no ``repr`` and must go into no message.
    """

    path: Path
    mark: Mark
    text: str = field(repr=False)
    type: str | None
    broken: bool = False
    empty: bool = False

    @property
    def encrypted(self) -> bool:
        """Whether it is well-formed ciphertext."""
        return self.type is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A SOPS file of one document. ``mark`` is the place of its ``sops`` block.

    ``mac`` says that a well-formed MAC and its date are there, not that the MAC holds: only
    decrypting shows that. ``mac_only_encrypted`` is true for anything but a plain ``false``.
    """

    file: str
    mark: Mark
    recipients: tuple[Recipient, ...]
    mac: bool
    mac_only_encrypted: bool
    settings: Mapping[str, str]
    _root: Table = field(repr=False)

    def value(self, *path: str) -> Value | None:
        """The scalar at ``path``, or ``None`` where nothing or no scalar stands."""
        node = self._node(path)
        return _value(self.file, path, node) if isinstance(node, Scalar) else None

    def fields(self, *path: str) -> tuple[str, ...]:
        """The names in the mapping at ``path``, in file order, without ``sops``; else nothing."""
        node = self._node(path)
        return tuple(node.entries) if isinstance(node, Table) else ()

    def values(self) -> Iterator[Value]:
        """Every scalar outside the ``sops`` block, in file order."""
        for path, node in _scalars(self._root, ()):
            yield _value(self.file, path, node)

    def _node(self, path: Path) -> Node | None:
        node: Node | None = self._root
        for name in path:
            if not isinstance(node, Table):
                return None
            node = node.entries.get(name)
        return node


def read_envelope(blob: bytes, *, file: str) -> Envelope:
    """What ``blob`` says of itself. ``file`` names it in marks. Needs no key and starts nothing.

    Raise ``NotASecretFile`` unless it is one YAML document with a ``sops`` block.
    """
    root = read_tree(blob, file=file)
    block = root.entries.pop("sops", None)
    if not isinstance(block, Table):
        raise NotASecretFile(
            "the file is not encrypted with sops: it has no `sops` block",
            hint="encrypt it with `sops encrypt --in-place FILE`; replace any key that was ever committed",
            mark=Mark(file=file, line=1 if block is None else block.line),
        )
    settings = {
        name: node.text
        for name, node in block.entries.items()
        if name in _SETTINGS and isinstance(node, Scalar)
    }
    mac = block.entries.get("mac")
    return Envelope(
        file=file,
        mark=Mark(file=file, line=block.line, column=block.column),
        recipients=tuple(_recipients(block, file)),
        mac=isinstance(mac, Scalar) and _type_of(mac.text) == "str" and bool(settings.get("lastmodified")),
        mac_only_encrypted=_may_be_true(block.entries.get("mac_only_encrypted")),
        settings=settings,
        _root=root,
    )


def _recipients(block: Table, file: str) -> Iterator[Recipient]:
    for name, node in block.entries.items():
        if name in _SETTINGS:
            continue
        if name == "key_groups":
            yield from _grouped(node, file)
        else:
            yield from _group(name, node, file)


def _grouped(node: Node, file: str) -> Iterator[Recipient]:
    """The recipients of ``key_groups``; a shape that we do not know counts as an unknown recipient."""
    for share, group in enumerate(node.items if isinstance(node, Row) else (node,)):
        if isinstance(group, Table):
            for name, members in group.entries.items():
                yield from _group(name, members, file, share=share)
        elif not (isinstance(group, Scalar) and group.empty):
            yield _unknown("key_groups", group, file)


def _group(name: str, node: Node, file: str, *, share: int = 0) -> Iterator[Recipient]:
    if isinstance(node, Scalar) and node.empty:
        return
    for member in node.items if isinstance(node, Row) else (node,):
        if name not in GROUPS or not isinstance(member, Table):
            yield _unknown(name, member, file)
            continue
        identity = {
            key: entry.text
            for key in GROUPS[name]
            if isinstance(entry := member.entries.get(key), Scalar) and not entry.empty
        }
        mark = Mark(file=file, line=member.line, column=member.column)
        wrap = member.entries.get("enc")
        yield Recipient(
            group=name,
            names=spellings(name, identity),
            mark=mark,
            wrap=wrap.text if isinstance(wrap, Scalar) else "",
            share=share,
        )


def _unknown(group: str, node: Node, file: str) -> Recipient:
    shown = "".join(c for c in group if c.isascii() and c.isprintable())[:_GROUP_SHOWN]
    # A group that no policy can name: the schema knows SOPS' groups only.
    return Recipient(
        group=f"unknown key service {shown!r}",
        names=(),
        mark=Mark(file=file, line=node.line, column=node.column),
    )


def _scalars(node: Node, path: Path) -> Iterator[tuple[Path, Scalar]]:
    """Depth first; the tree is at most ``tree.MAX_DEPTH`` deep, so recursion is bounded."""
    match node:
        case Scalar():
            yield path, node
        case Table():
            for name, child in node.entries.items():
                yield from _scalars(child, (*path, name))
        case Row():
            for index, child in enumerate(node.items):
                yield from _scalars(child, (*path, str(index)))


def _value(file: str, path: Path, node: Scalar) -> Value:
    kind = _type_of(node.text)
    return Value(
        path=path,
        mark=Mark(file=file, line=node.line, column=node.column),
        text=node.text,
        type=kind,
        broken=kind is None and node.text.startswith("ENC["),
        empty=node.empty,
    )


def _type_of(text: str) -> str | None:
    """The type word of sops in a well-formed ciphertext, else ``None``."""
    found = _CIPHERTEXT.fullmatch(text)
    if not found:
        return None
    data, iv, tag = (_decoded_length(found[part]) for part in ("data", "iv", "tag"))
    return found["type"] if data and iv == _IV_BYTES and tag == _TAG_BYTES else None


def _decoded_length(text: str) -> int:
    try:
        return len(base64.b64decode(text, validate=True))
    except binascii.Error:
        return 0


def _may_be_true(node: Node | None) -> bool:
    """Go's YAML takes several spellings for true, so only absence and ``false`` count as false."""
    return node is not None and not (isinstance(node, Scalar) and node.text.lower() == "false")
