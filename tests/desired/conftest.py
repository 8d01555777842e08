"""Writes configurations for the tests of files to model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.desired import load
from reconciler.model.desired import Desired
from reconciler.model.errors import ConfigError, Problem

#: Lines 1 to 4, then a whole and sound configuration: tests append to it or replace parts of it.
SOUND = """\
version: 1
egress:
  bot-eu: {addresses: [203.0.113.10]}
connections:
  mexc-spot-main:
    name: MEXC Spot Main
    exchange: mexc
    market: spot
    egress: bot-eu
    account: {uid: "209302839"}
    credentials: secrets/mexc-spot-main.sops.yaml
runtimes:
  paper: {type: ledger}
strategies:
  btc-eth:
    name: BTC ETH
    connection: mexc-spot-main
    runtime: paper
    enabled: true
    pairs: [BTC/USDT, ETH/USDT]
"""

Write = Callable[..., Path]


@pytest.fixture
def sound() -> str:
    """A configuration in which nothing is wrong."""
    return SOUND


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file of the tree, and the secret file that ``SOUND`` names; give its path."""

    def write_file(text: str | bytes, name: str = "connections.yaml") -> Path:
        secret = tmp_path / "secrets" / "mexc-spot-main.sops.yaml"
        secret.parent.mkdir(exist_ok=True)
        secret.touch()
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write_file


@pytest.fixture
def desired(write: Write) -> Callable[[str], Desired]:
    """What one file with this text amounts to."""
    return lambda text: load([write(text)])


@pytest.fixture
def problems(write: Write) -> Callable[[str | bytes], tuple[Problem, ...]]:
    """What is wrong with one file with this text."""

    def find(text: str | bytes) -> tuple[Problem, ...]:
        path = write(text)
        with pytest.raises(ConfigError) as caught:
            load([path])
        return caught.value.problems

    return find


@pytest.fixture
def places(problems: Callable[[str | bytes], tuple[Problem, ...]]) -> Callable[[str | bytes], list[tuple]]:
    """Line, column and code of each problem in one file with this text."""
    return lambda text: [(p.mark.line, p.mark.column, p.code) for p in problems(text)]
