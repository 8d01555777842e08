"""A remote repository: which URLs are taken, what is shown of them, how a token goes along, what failed."""

from __future__ import annotations

import base64
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

from reconciler.git.plumbing import Ended, Plumbing
from reconciler.model.errors import RemoteRefused, RemoteUnreachable, SourceError, UsageError
from reconciler.model.secret import Secret

_SCP: Final = re.compile(r"(?:[A-Za-z0-9._-]+@)?[A-Za-z0-9][A-Za-z0-9.-]*:(?!//)[^\s:][^\s]*")
_HOST: Final = re.compile(r"[A-Za-z0-9.\-\[\]:]+")
_PLAIN: Final = re.compile(r"[\x21-\x7e]+")
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_TAKEN: Final = (
    "https://host/path.git, ssh://user@host/path.git, user@host:path.git, or a folder of this machine"
)

#: Who a token belongs to unless the URL says so; the forges that were looked at take any name.
_ANYBODY: Final = "git"

#: Never followed elsewhere; one pack however small; given up when a server all but stops; no other program.
_FETCHING: Final = (
    *("-c", "http.followRedirects=false", "-c", "protocol.version=2", "-c", "fetch.unpackLimit=1"),
    *("-c", "http.lowSpeedLimit=100", "-c", "http.lowSpeedTime=30", "-c", "fetch.recurseSubmodules=false"),
    *("-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "transfer.bundleURI=false"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Where a repository is fetched from. ``url`` holds no password and may be shown.

    ``protocol`` is the only one that git may speak; ``token`` is for HTTP alone.
    """

    url: str
    protocol: str
    token: Secret | None = None
    user: str = field(default=_ANYBODY)

    @property
    def name(self) -> str:
        """The last part of its path, for people: ``config``."""
        last = re.split(r"[/:]", self.url.rstrip("/"))[-1].removesuffix(".git")
        return re.sub(r"[^A-Za-z0-9._-]", "", last).lstrip(".-")[:40] or "repository"

    def with_token(self, token: Secret) -> Remote:
        """The same, with a token. Raise ``UsageError`` where it could not be used, or not safely."""
        if self.protocol not in ("https", "http"):
            raise UsageError(
                "a token is for https:// alone", hint="ssh takes its keys from your ssh agent or config"
            )
        if not _PLAIN.fullmatch(token.reveal()):
            raise UsageError("this is no token", hint="the file holds one line: the token alone")
        if sys.platform != "linux":
            raise UsageError(
                "a token can be handed to git safely on Linux alone", hint="use ssh:// with a key"
            )
        return replace(self, token=token)

    def ls_remote(self, plumbing: Plumbing, refs: Sequence[str]) -> Mapping[str, str]:
        """The object that each of ``refs`` names there; those that are not there are left out."""
        done = self._talk(plumbing, "ls-remote", "--quiet", "--", self.url, *refs)
        pairs = (line.split("\t", 1) for line in done.stdout.decode("utf-8", "replace").splitlines())
        return {pair[1]: pair[0] for pair in pairs if len(pair) > 1 and pair[1] in refs}

    def fetch(self, plumbing: Plumbing, folder: Path, ref: str, into: str, *, depth: int) -> None:
        """Have ``depth`` commits of ``ref`` in the bare repository ``folder``, as ``into``."""
        flags = (
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--no-auto-maintenance",
        )
        wanted = f"+{ref}:{into}"
        self._talk(
            plumbing, "fetch", *flags, f"--depth={depth}", "--end-of-options", self.url, wanted, folder=folder
        )

    def _talk(self, plumbing: Plumbing, *arguments: str, folder: Path | None = None) -> Ended:
        with self._secretly() as (environ, fds):
            allowed = {**environ, "GIT_ALLOW_PROTOCOL": self.protocol}
            done = plumbing.git(*_FETCHING, *arguments, folder=folder, environ=allowed, fds=fds)
        if done.code:
            raise _trouble(self, done.stderr.decode("utf-8", "replace").lower())
        return done

    @contextmanager
    def _secretly(self) -> Iterator[tuple[Mapping[str, str], Sequence[int]]]:
        """The token as a nameless file of configuration in memory: on no disk, in no environment, no argv."""
        if self.token is None:
            yield {}, ()
            return
        basic = base64.b64encode(f"{self.user}:{self.token.reveal()}".encode()).decode()
        parts = urlsplit(self.url)
        text = f'[http "{parts.scheme}://{parts.netloc}/"]\n\textraHeader = "Authorization: Basic {basic}"\n'
        descriptor = os.memfd_create("git")
        try:
            os.write(descriptor, text.encode())
            yield {"GIT_CONFIG_GLOBAL": f"/proc/self/fd/{descriptor}"}, (descriptor,)
        finally:
            os.close(descriptor)


def remote(text: str) -> Remote:
    """The remote that an operator named. Raise ``UsageError``, without the URL, for what is not taken."""
    if not text.isprintable() or not text or text.startswith("-"):
        raise UsageError("this is no URL of a repository", hint=f"give {_TAKEN}")
    if "://" in text:
        return _of_url(text)
    if "::" not in text and "/" not in text.partition(":")[0] and _SCP.fullmatch(text):
        return Remote(url=text, protocol="ssh")
    if "::" in text:
        raise UsageError("helpers of git are not taken", hint=f"give {_TAKEN}")
    return Remote(url=f"file://{quote(str(Path(text).absolute()))}", protocol="file")


def _of_url(text: str) -> Remote:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UsageError("this is no URL of a repository", hint=f"give {_TAKEN}") from None
    if parts.query or parts.fragment:
        raise UsageError(
            "a URL of a repository has no ? and no #", hint="give a token in a file: --git-token-file"
        )
    if parts.scheme == "file" and not parts.netloc:
        return Remote(url=text, protocol="file")
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise UsageError("http:// is taken from this machine alone", hint="use https://")
    if parts.scheme not in ("https", "http", "ssh"):
        raise UsageError("this protocol is not taken", hint=f"give {_TAKEN}")
    if not _HOST.fullmatch(host) or host.startswith("-"):
        raise UsageError("this URL names no host", hint=f"give {_TAKEN}")
    where = f"[{host}]" if ":" in host else host
    return _with_user(parts, where if port is None else f"{where}:{port}")


def _with_user(parts: SplitResult, where: str) -> Remote:
    user, password = unquote(parts.username or ""), parts.password
    if parts.scheme == "ssh":
        if password or user.startswith("-"):
            raise UsageError(
                "ssh takes no password from a URL", hint="use a key: your ssh agent or config names it"
            )
        return Remote(
            url=f"ssh://{quote(user)}@{where}{parts.path}" if user else f"ssh://{where}{parts.path}",
            protocol="ssh",
        )
    if user and not _PLAIN.fullmatch(user):
        raise UsageError("the user in this URL cannot be sent", hint=f"give {_TAKEN}")
    plain = Remote(url=f"{parts.scheme}://{where}{parts.path}", protocol=parts.scheme, user=user or _ANYBODY)
    return plain.with_token(Secret(unquote(password))) if password else plain


#: What git, curl and ssh say, in the C locale and in small letters, to what it means; the first that holds.
_SAID: Final = (
    (
        ("host key verification failed", "no matching host key"),
        RemoteRefused,
        "ssh does not know the host key of the server",
        "connect once by hand, compare the key, and let it into known_hosts",
    ),
    (
        (
            "returned error: 301",
            "returned error: 302",
            "returned error: 303",
            "returned error: 307",
            "returned error: 308",
        ),
        RemoteRefused,
        "the server sends us elsewhere, and no redirect is followed",
        "give the URL that it leads to, once you trust it",
    ),
    (
        (
            *("authentication failed", "terminal prompts disabled", "could not read username"),
            *("could not read password", "permission denied", "returned error: 401", "returned error: 403"),
        ),
        RemoteRefused,
        "the server does not let us read the repository",
        "give a token that may read it (--git-token-file), or an ssh key",
    ),
    (
        (
            *("repository not found", "does not appear to be a git repository", "not valid: is this a git"),
            *("returned error: 404", "' not found", "does not exist", "no such file or directory"),
        ),
        RemoteRefused,
        "there is no such repository, or it is not shown to us",
        "look at the URL, and at what the token or key may read",
    ),
    (
        ("dubious ownership",),
        RemoteRefused,
        "the folder belongs to another user, so git does not trust it",
        "follow it over ssh or https, or as the user that owns it",
    ),
    (
        ("certificate", "ssl", "tls"),
        RemoteUnreachable,
        "no trusted TLS connection to the server came about",
        "look at its certificate; GIT_SSL_CAINFO names an authority of your own",
    ),
    (
        ("early eof", "unexpected disconnect", "rpc failed", "hung up", "transfer closed"),
        RemoteUnreachable,
        "its answer broke off",
        "it is asked again the next time",
    ),
    (
        (
            "file too large",
            "invalid index-pack output",
        ),  # the program that writes it was stopped at the limit
        SourceError,
        "the repository is larger than is fetched",
        "keep the configuration in a repository of its own",
    ),
    (
        ("no space left",),
        SourceError,
        "there is no room on the disk to fetch into",
        "make room, or name another folder by --git-cache",
    ),
    (
        ("couldn't find remote ref", "not our ref"),
        RemoteRefused,
        "the branch or tag went away while it was fetched",
        "look at the repository, and at --ref",
    ),
)


def _trouble(where: Remote, said: str) -> SourceError:
    """What git's words mean, in ours: its own may repeat what a server wrote."""
    for words, kind, message, hint in _SAID:
        if any(word in said for word in words):
            return kind(f"{where.url}: {message}", hint=hint)
    return RemoteUnreachable(
        f"{where.url}: the repository cannot be reached, or its answer broke off",
        hint="what was taken before goes on; `git ls-remote URL` says more",
    )
