"""Encryption: what comes out is checked, and rules that would leave a secret in clear are refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.model.desired import Policy
from reconciler.model.errors import PlaintextSecret, SecretsError, SopsFailed, UnsafeRecipient
from reconciler.model.secret import Secret
from reconciler.secrets.creation_rules import ENCRYPTED_REGEX
from reconciler.secrets.envelope import read_envelope
from reconciler.secrets.sops import Sops

CANARY = "canary-7fK2-do-not-show"
DOCUMENT = {"connection": "main", "exchange": "mexc", "api_key": Secret("00123"), "secret": Secret(CANARY)}


@pytest.fixture
def rules(tree: Path, age_key) -> Callable[[str], Path]:
    """Writes a .sops.yaml with one rule and gives the file that it is for."""

    def write(selection: str, recipients: str | None = None) -> Path:
        named = recipients or f"age: {age_key.public}"
        (tree / ".sops.yaml").write_text(f"creation_rules:\n  - {named}\n    {selection}\n")
        folder = tree / "secrets"
        folder.mkdir(exist_ok=True)
        return folder / "main.sops.yaml"

    return write


def test_it_comes_back_as_it_went_in(sops: Sops, tree: Path, age_key) -> None:
    blob = sops.encrypt(DOCUMENT, filename=tree / "x.sops.yaml", age=[age_key.public])
    assert CANARY.encode() not in blob
    assert list(tree.iterdir()) == [], "nothing is written"
    expected = {"connection": "main", "exchange": "mexc", "api_key": "00123", "secret": CANARY}
    assert sops.decrypt(blob) == expected
    envelope = read_envelope(blob, file="x")
    assert envelope.value("connection").text == "main"
    assert {envelope.value(name).type for name in ("api_key", "secret")} == {"str"}


def test_the_secret_is_in_no_argument(sops: Sops, script, tmp_path: Path, age_key) -> None:
    stand_in = script(f'cat >/dev/null; echo "$*" > {tmp_path}/argv; env > {tmp_path}/env; exit 1\n')
    with pytest.raises(SopsFailed):
        dataclasses.replace(sops, path=stand_in).encrypt(
            DOCUMENT, filename=tmp_path / "x", age=[age_key.public]
        )
    assert age_key.public in (tmp_path / "argv").read_text()
    assert CANARY not in (tmp_path / "argv").read_text() + (tmp_path / "env").read_text()


def test_the_rules_above_the_file_decide(sops: Sops, rules, monkeypatch, home: Path) -> None:
    path = rules(f"encrypted_regex: '{ENCRYPTED_REGEX}'")
    monkeypatch.chdir(home)
    assert sops.decrypt(sops.encrypt(DOCUMENT, filename=path))["secret"] == CANARY


@pytest.mark.parametrize(
    "selection",
    [
        "encrypted_regex: '^(api_key|secret'",
        "encrypted_regex: '^(?!(connection|exchange)$).*$'",
        "encrypted_regex: '^(api_key)$'",
        "encrypted_regex: '^nothing$'",
        "unencrypted_regex: 'secret'",
        "encrypted_suffix: _key",
    ],
)
def test_rules_that_leave_a_secret_in_clear(sops: Sops, rules, selection: str) -> None:
    """sops itself says nothing and exits 0 in each of these."""
    with pytest.raises(PlaintextSecret, match="in clear") as caught:
        sops.encrypt(DOCUMENT, filename=rules(selection))
    assert CANARY not in repr(vars(caught.value)) + str(caught.value)
    assert ENCRYPTED_REGEX in caught.value.hint


def test_rules_that_hide_the_binding(sops: Sops, rules) -> None:
    with pytest.raises(SecretsError, match="`connection`, which must stay readable"):
        sops.encrypt(DOCUMENT, filename=rules("mac_only_encrypted: false"))


def test_no_rules_and_no_recipients(sops: Sops, tree: Path) -> None:
    with pytest.raises(SecretsError, match="nothing says for whom"):
        sops.encrypt(DOCUMENT, filename=tree / "x.sops.yaml")


def test_recipients_that_policy_does_not_name(sops: Sops, tree: Path, age_key, other_key) -> None:
    policy = Policy(recipients={"age": (other_key.public,)})
    with pytest.raises(UnsafeRecipient):
        sops.encrypt(DOCUMENT, filename=tree / "x", age=[age_key.public], policy=policy)


def test_a_nested_document(sops: Sops, tree: Path, age_key) -> None:
    document = {"connections": {"main": {"credentials": {"api_key": Secret(CANARY)}, "name": "Main"}}}
    blob = sops.encrypt(document, filename=tree / "x", age=[age_key.public])
    assert read_envelope(blob, file="x").value("connections", "main", "credentials", "api_key").encrypted
    nested = {"connections": {"api_key": {"note": "readable"}}}
    with pytest.raises(SecretsError, match="`note`"):
        sops.encrypt(nested, filename=tree / "x", age=[age_key.public])
