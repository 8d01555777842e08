"""How one API server is reached: its url, whom it is trusted by, and as whom this tool speaks to it.

In a cluster: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from reconciler.machine import is_this_one
from reconciler.model.errors import RuntimeFailed
from reconciler.model.runtime_kinds import RuntimeFailureKind
from reconciler.model.secret import Secret

if TYPE_CHECKING:
    import ssl

#: Where a pod finds its token and the CA of its cluster. The kubelet renews both in place.
SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")

#: Bytes of a kubeconfig, a certificate or a token. A pipe, through which keys go, holds 64 KiB.
_MOST: Final = 1 << 20
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,32768}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """A certificate and what belongs to it, in PEM. ``key`` is shown nowhere."""

    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One API server. ``authority`` is in PEM, ``None`` for those that the machine trusts.

    ``token`` gives the bearer token as it is now: it is asked before every request, since files are renewed.
    """

    url: str
    authority: str | None = None
    token: Callable[[], Secret] | None = None
    certificate: ClientCertificate | None = None

    def tls(self) -> ssl.SSLContext | None:
        """What verifies the server; ``None`` for plain http, which leads to this machine alone.

        Raise ``RuntimeFailed`` for another url, a CA that is none, or a certificate that cannot be used.
        """
        import ssl  # noqa: PLC0415 - what never talks to a cluster does not pay for it

        parts = _parts(self.url)
        if parts == ("http", True):
            return None
        if parts[0] != "https":
            raise locked(
                "the API server's url is neither https nor plain http to this machine",
                "credentials go over TLS: correct `server` in the kubeconfig",
            )
        try:
            context = ssl.create_default_context(cadata=self.authority)
        except (ssl.SSLError, ValueError):
            raise locked("the CA of the cluster is no certificate", "correct it in the kubeconfig") from None
        if self.certificate is not None:
            _load(context, self.certificate)
        return context


def in_cluster(environ: Mapping[str, str], folder: Path = SERVICE_ACCOUNT) -> Access:
    """How a pod reaches its own cluster. Raise ``RuntimeFailed`` outside of one."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise locked(
            "nobody said which cluster this is: no kubeconfig was named, and this is no pod",
            "give --kubeconfig PATH[:CONTEXT]; the files never say where credentials go",
        )
    shown = f"[{host}]" if ":" in host else host
    authority = read_bytes(folder / "ca.crt", "the CA of the ServiceAccount").decode("ascii", "replace")
    token = token_in(file=folder / "token", text=None, what="the ServiceAccount")
    return Access(url=f"https://{shown}:{port}", authority=authority, token=token)


def token_in(*, file: Path | None, text: str | None, what: str) -> Callable[[], Secret] | None:
    """What gives the token: from ``file`` anew each time, else ``text``; ``None`` where there is neither."""
    if file is None and text is None:
        return None

    def read() -> Secret:
        told = read_bytes(file, f"the token of {what}").decode("ascii", "replace") if file else text or ""
        if not _TOKEN.fullmatch(told.strip()):
            raise locked(f"the token of {what} is none that a header can carry", "renew it")
        return Secret(told.strip())

    return read


def read_bytes(file: Path, what: str) -> bytes:
    """The content of a file of the operator's. Raise ``RuntimeFailed``, which names it as ``what``."""
    try:
        with file.expanduser().open("rb") as opened:
            content = opened.read(_MOST + 1)
    except (OSError, ValueError, RuntimeError) as error:  # the latter two: no path, and no such user's home
        why = getattr(error, "strerror", None) or "that is no path of a file"
        raise locked(f"{what} cannot be read: {why}", "check the path and its permissions") from None
    if len(content) > _MOST:
        raise locked(f"{what} is too large to be one", "name another file")
    return content


def locked(message: str, hint: str) -> RuntimeFailed:
    """The error for credentials that cannot be had: nothing was asked."""
    return RuntimeFailed(message, kind=RuntimeFailureKind.LOCKED, untouched=True, hint=hint)


def _parts(url: str) -> tuple[str, bool]:
    """Scheme, and whether the host is this machine; no scheme for what is no url of an API server."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "", False
    if not host or "@" in parts.netloc or parts.query or parts.fragment:
        return "", False
    return parts.scheme, is_this_one(host)


def _load(context: ssl.SSLContext, certificate: ClientCertificate) -> None:
    """Have ``context`` present the certificate. OpenSSL takes it from files alone, so it gets pipes."""
    try:
        with _readable(certificate.chain) as chain, _readable(certificate.key) as key:
            context.load_cert_chain(chain, key, password=lambda: b"")  # else it would ask at the terminal
    except (OSError, ValueError):
        raise locked(
            "the client certificate cannot be used: it or its key is no PEM or encrypted, or they differ",
            "correct the user in the kubeconfig",
        ) from None


@contextmanager
def _readable(content: bytes) -> Iterator[str]:
    """A path from which ``content`` can be read once. It is in memory alone: a key is never in a new file."""
    reading, writing = os.pipe()
    try:
        try:
            os.set_blocking(writing, False)
            if os.write(writing, content) != len(content):
                raise ValueError("larger than a pipe")
        finally:
            os.close(writing)
        yield f"/dev/fd/{reading}"
    finally:
        os.close(reading)
