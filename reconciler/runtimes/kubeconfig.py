"""Which kubeconfig the operator named, and what of it this tool takes. Nothing of it comes from git.

The format: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/. What would start a program,
trust any certificate or send credentials through somebody else is refused in plain words.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from reconciler.model.errors import UsageError
from reconciler.runtimes.kubernetes_access import Access, ClientCertificate, locked, read_bytes, token_in

_HINT: Final = "write it like ~/.kube/bots, ~/.kube/bots:CONTEXT or RUNTIME=~/.kube/bots:CONTEXT"
_NAMED: Final = re.compile(r"([a-z0-9][a-z0-9-]{0,62})=(.*)", re.DOTALL)
#: What a cluster or a user of a kubeconfig may say, and why this tool does not do it.
_REFUSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "exec": "is an exec plugin, and this tool starts no program to get credentials",
        "auth-provider": "is an auth provider, which Kubernetes itself has given up",
        "username": "logs in with a password, which Kubernetes itself has given up",
        "as": "acts as another user",
        "as-uid": "acts as another user",
        "as-groups": "acts as another user",
        "as-user-extra": "acts as another user",
        "proxy-url": "is reached through a proxy",
        "tls-server-name": "is trusted under another name than its own",
    }
)
_INSTEAD: Final = (
    "make a kubeconfig with the token of a ServiceAccount, or a client certificate, and the CA of the "
    "cluster: docs/runtimes/kubernetes.md"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubeconfig:
    """A file that the operator named, and the context in it; its current one where ``context`` is empty."""

    path: str
    context: str = ""

    def access(self) -> Access:
        """How to reach the cluster. Raise ``RuntimeFailed`` where the file does not say, or not safely."""
        file = Path(self.path)
        return _Reader(file, self._document(file)).access(self.context)

    def _document(self, file: Path) -> Mapping[str, Any]:
        import yaml  # noqa: PLC0415 - what never talks to a cluster does not pay for it

        # Every scalar as text: ``true`` and ``"true"`` are the same there, and no tag makes an object.
        loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
        try:
            document = yaml.load(read_bytes(file, "the kubeconfig"), Loader=loader)  # noqa: S506 - as above
        except (yaml.YAMLError, ValueError, RecursionError):
            raise locked("the kubeconfig is no YAML that can be read", _INSTEAD) from None
        if not isinstance(document, Mapping) or document.get("kind", "Config") != "Config":
            raise locked("the file that was named is no kubeconfig", _INSTEAD)
        return document


def parse_kubeconfigs(values: Sequence[str]) -> Mapping[str, Kubeconfig]:
    """``["/a", "eu=/b:ctx"]`` by the id of the runtime that each is for; ``""`` for all others.

    A context may hold colons, as those of EKS do; a path must not.

    Raises:
        UsageError: empty, or two for the same runtime.
    """
    found: dict[str, Kubeconfig] = {}
    for value in values:
        named = _NAMED.fullmatch(value)
        runtime, rest = (named[1], named[2]) if named else ("", value)
        path, _, context = rest.partition(":")
        if not path.strip():
            raise UsageError("--kubeconfig names no file", hint=_HINT)
        if runtime in found:
            raise UsageError(
                f"--kubeconfig is given twice for {runtime or 'all runtimes'}",
                hint=f"give it once, or {_HINT}",
            )
        found[runtime] = Kubeconfig(path=path, context=context)
    return MappingProxyType(found)


class _Reader:
    """One document, read from ``file``: relative paths in it start at the folder of that."""

    def __init__(self, file: Path, document: Mapping[str, Any]) -> None:
        self._folder = file.parent  # of ``~`` as well: what is read there is expanded then
        self._document = document

    def access(self, context: str) -> Access:
        chosen = context or _text(self._document, "current-context")
        if not chosen:
            raise locked("the kubeconfig has no current context", "name one: --kubeconfig PATH:CONTEXT")
        pair = self._named("contexts", "context", chosen)
        cluster = self._named("clusters", "cluster", _text(pair, "cluster"))
        user = self._named("users", "user", _text(pair, "user")) if _text(pair, "user") else {}
        _refuse(cluster, "its cluster")
        _refuse(user, "its user")
        if cluster.get("insecure-skip-tls-verify", "false") != "false":
            raise locked("the kubeconfig trusts any certificate of its cluster", _INSTEAD)
        authority = self._content(cluster, "certificate-authority")
        return Access(
            url=_text(cluster, "server"),
            authority=authority.decode("ascii", "replace") if authority is not None else None,
            token=token_in(
                file=self._path(user, "tokenFile"), text=_text(user, "token") or None, what="the kubeconfig"
            ),
            certificate=self._certificate(user),
        )

    def _certificate(self, user: Mapping[str, Any]) -> ClientCertificate | None:
        chain, key = self._content(user, "client-certificate"), self._content(user, "client-key")
        if chain is None and key is None:
            return None
        if chain is None or key is None:
            raise locked("the kubeconfig has a client certificate without its key, or a key alone", _INSTEAD)
        return ClientCertificate(chain=chain, key=key)

    def _named(self, section: str, field: str, name: str) -> Mapping[str, Any]:
        listed = self._document.get(section)
        for item in listed if isinstance(listed, list) else ():
            if isinstance(item, Mapping) and item.get("name") == name:
                value = item.get(field)
                return value if isinstance(value, Mapping) else {}
        raise locked(f"the kubeconfig has no such {field} as it, or --kubeconfig, names", _INSTEAD)

    def _content(self, item: Mapping[str, Any], name: str) -> bytes | None:
        """What stands there in base64, which outranks the file that is named; ``None`` for neither."""
        inline, path = _text(item, f"{name}-data"), self._path(item, name)
        if inline:
            try:
                return base64.b64decode(inline, validate=True)
            except (binascii.Error, ValueError):
                raise locked(f"`{name}-data` of the kubeconfig is no base64", _INSTEAD) from None
        return read_bytes(path, f"`{name}` of the kubeconfig") if path else None

    def _path(self, item: Mapping[str, Any], name: str) -> Path | None:
        written = _text(item, name)
        return self._folder / written if written else None


def _refuse(item: Mapping[str, Any], what: str) -> None:
    for name, why in _REFUSED.items():
        if item.get(name):
            raise locked(f"the kubeconfig is not used: {what} {why}", _INSTEAD)


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name, "")
    return value if isinstance(value, str) else ""
