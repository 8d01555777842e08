"""Real repositories to follow: over a folder, and over HTTP by git's own server program."""

from __future__ import annotations

import os
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from reconciler.engine.follow import Followed, Following
from reconciler.git.remote import Remote, remote

CONFIG = "version: 1\negress:\n  bot-eu: {addresses: [203.0.113.10]}\n"

_IDENTITY = {
    "GIT_AUTHOR_NAME": "A Person",
    "GIT_AUTHOR_EMAIL": "person@example.org",
    "GIT_COMMITTER_NAME": "A Person",
    "GIT_COMMITTER_EMAIL": "person@example.org",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}


class Upstream:
    """The repository that is followed, and what people do in it."""

    config = CONFIG

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(root.parent)} | _IDENTITY
        self._count = 0
        self.git("init", "--quiet", "--initial-branch=main", "--template=")

    @property
    def url(self) -> str:
        return f"file://{self.root}"

    def git(self, *arguments: str, stdin: bytes = b"", **environ: str) -> str:
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607
            cwd=self.root,
            env=self.environ | environ,
            input=stdin,
            capture_output=True,
            check=False,
        )
        assert not done.returncode, done.stderr.decode("utf-8", "replace")
        return done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")

    def write(self, name: str, data: str | bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)

    def commit(self, *more: str, **files: str) -> str:
        """A commit with another configuration than the one before; gives its id."""
        self._count += 1
        self.write("connections.yaml", f"{CONFIG}# {self._count}\n")
        for name, text in files.items():
            self.write(name.replace("__", "/"), text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--no-verify", f"--message=change {self._count}", *more)
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def raw_tree(self, *entries: tuple[str, bytes, str]) -> str:
        """A tree that git itself might not write: mode, name and id of each entry as they are."""
        data = b"".join(
            f"{mode} ".encode() + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries
        )
        return self.git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", stdin=data)

    def blob(self, data: str | bytes) -> str:
        given = data.encode() if isinstance(data, str) else data
        return self.git("hash-object", "-w", "--stdin", stdin=given)

    def push_tree(self, tree: str) -> str:
        """A commit of this tree on top of ``main``."""
        commit = self.git("commit-tree", tree, "-p", "main", "-m", "a tree")
        self.git("update-ref", "refs/heads/main", commit)
        return commit


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    """A repository with one commit."""
    made = Upstream(tmp_path / "home" / "upstream")
    made.commit()
    return made


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The environment of whoever follows."""
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home")}


Follow = Callable[..., Followed]


@pytest.fixture
def follow(upstream: Upstream, tmp_path: Path, environ: dict[str, str]) -> Iterator[Follow]:
    """Makes followers of the upstream, all with one cache; each as after a start of its own."""
    made: list[Followed] = []

    def make(url: str | Remote | None = None, environ: dict[str, str] = environ, **more: Any) -> Followed:
        given = url if isinstance(url, Remote) else remote(url or upstream.url)
        chosen = {"files": ("connections.yaml",), "cache": tmp_path / "cache", "time_limit": 30.0} | more
        made.append(Followed(Following(remote=given, **chosen), environ))
        return made[-1]

    yield make
    for one in made:
        one.close()


@dataclass
class Web:
    """A smart HTTP server of git on loopback, and how it misbehaves."""

    url: str = ""
    token: str | None = None
    redirect: str | None = None
    cut: int | None = None
    """Bytes of a pack after which the connection breaks."""
    stall: int | None = None
    """Bytes of a pack after which nothing comes any more, until ``go``."""
    fetches: int = 0
    stalled: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    on_request: Callable[[], None] | None = None


class Handler(BaseHTTPRequestHandler):
    """Hands requests to ``git http-backend``, unless its server is to misbehave."""

    server: Server

    def log_message(self, *_: object) -> None:
        """Nothing: pytest's output is for pytest."""

    def do_GET(self) -> None:
        self.answer(b"")

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def answer(self, body: bytes) -> None:
        state = self.server.state
        if state.on_request:
            state.on_request()
        if state.redirect:
            self.refuse(302, Location=state.redirect + self.path)
        elif state.token and state.token != self.headers.get("Authorization"):
            self.refuse(401, WWW_Authenticate='Basic realm="git"')
        else:
            fetching = b"command=fetch" in body or b"command=fetch" in _unzipped(body)
            state.fetches += fetching
            self.give(self.head_and_body(body), fetching=fetching)

    def refuse(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": "0"}).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def head_and_body(self, body: bytes) -> bytes:
        """Send the head that git's program gives; the body is left to :meth:`give`."""
        path, _, query = self.path.partition("?")
        cgi = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.projects),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"],  # noqa: S607
            input=body,
            env=cgi | _IDENTITY,
            capture_output=True,
            check=False,
        )
        head, _, data = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200 OK").split()[0]))
        for name, value in (headers | {"Content-Length": str(len(data))}).items():
            self.send_header(name, value)
        self.end_headers()
        return data

    def give(self, data: bytes, *, fetching: bool) -> None:
        state = self.server.state
        if fetching and state.cut is not None:
            self.wfile.write(data[: state.cut])
            self.close_connection = True
        elif fetching and state.stall is not None:
            self.wfile.write(data[: state.stall])
            self.wfile.flush()
            state.stalled.set()
            state.go.wait(200)
        else:
            self.wfile.write(data)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, state: Web, projects: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.state, self.projects = state, projects

    def handle_error(self, *_: object) -> None:
        """Nothing: clients that go away are what some tests are about."""


@pytest.fixture
def web(upstream: Upstream) -> Iterator[Web]:
    """The upstream over HTTP."""
    state = Web()
    server = Server(state, upstream.root.parent)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/upstream/.git"
    yield state
    state.go.set()
    server.shutdown()
    server.server_close()
    thread.join()


def _unzipped(body: bytes) -> bytes:
    try:
        return zlib.decompress(body, 31)
    except zlib.error:
        return b""
