"""Decryption by the real binary: what it gives, and every failure that it is known for, in our words."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.model.errors import (
    IntegrityFailed,
    KeyUnavailable,
    NotASecretFile,
    PlaintextSecret,
    SecretsError,
    SopsFailed,
)
from reconciler.secrets.sops import Sops

CANARY = "canary-7fK2-do-not-show"
SopsFile = Callable[..., Path]


def everything_in(error: BaseException) -> str:
    """All that a handler, a log or a debugger could show of an error and of what led to it."""
    parts: list[str] = []
    seen: BaseException | None = error
    while seen is not None:
        parts += [str(seen), repr(seen), repr(vars(seen))]
        seen = seen.__cause__ or seen.__context__
    return "\n".join(parts)


def refused(sops: Sops, blob: bytes, expected: type[SecretsError]) -> SecretsError:
    with pytest.raises(expected) as caught:
        sops.decrypt(blob, file="main.sops.yaml")
    error = caught.value
    assert type(error) is expected
    assert CANARY not in everything_in(error)
    assert error.hint
    assert str(error).startswith("main.sops.yaml:1:1: ")
    return error


def with_key(sops: Sops, **variables: str) -> Sops:
    environ = {k: v for k, v in sops.environ.items() if k != "SOPS_AGE_KEY"} | variables
    return dataclasses.replace(sops, environ=environ)


def test_a_file_gives_its_values_exactly(sops: Sops, sops_file: SopsFile) -> None:
    secrets = {"api_key": "00123", "secret": "NO", "passphrase": "1e3 \u2603"}
    path = sops_file(secrets=secrets)
    assert sops.decrypt(path.read_bytes()) == {"connection": "main", "exchange": "kucoin", **secrets}


def test_the_version_is_told_without_the_network(sops: Sops) -> None:
    assert sops.version() == "3.11.0"


def test_no_key(sops: Sops, sops_file: SopsFile) -> None:
    error = refused(with_key(sops), sops_file().read_bytes(), KeyUnavailable)
    assert "no private key was found" in error.message


def test_a_key_of_somebody_else(sops: Sops, sops_file: SopsFile, other_key) -> None:
    error = refused(with_key(sops, SOPS_AGE_KEY=other_key.private), sops_file().read_bytes(), KeyUnavailable)
    assert "not one of the file's recipients" in error.message


@pytest.mark.parametrize("key", ["garbage", "AGE-SECRET-KEY-1QQQQ"])
def test_a_malformed_key(sops: Sops, sops_file: SopsFile, key: str) -> None:
    error = refused(with_key(sops, SOPS_AGE_KEY=key), sops_file().read_bytes(), KeyUnavailable)
    assert "malformed" in error.message


def test_a_key_file_that_is_not_there(sops: Sops, sops_file: SopsFile) -> None:
    gone = with_key(sops, SOPS_AGE_KEY_FILE="/nowhere/keys.txt")
    error = refused(gone, sops_file().read_bytes(), KeyUnavailable)
    assert "cannot be opened" in error.message


def test_a_key_command_that_fails_is_not_quoted(sops: Sops, sops_file: SopsFile) -> None:
    failing = with_key(sops, SOPS_AGE_KEY_CMD=f"false --token={CANARY}")
    error = refused(failing, sops_file().read_bytes(), KeyUnavailable)
    assert "key command" in error.message


def test_a_damaged_key_block(sops: Sops, sops_file: SopsFile) -> None:
    text = re.sub(r"\n +-----END AGE ENCRYPTED FILE-----", "", sops_file().read_text())
    refused(sops, text.encode(), NotASecretFile)


def test_a_plain_value_in_place_of_ciphertext_is_never_shown(sops: Sops, sops_file: SopsFile) -> None:
    text = re.sub(r"(?m)^secret: .*$", f"secret: {CANARY}", sops_file().read_text())
    leaked = subprocess.run(
        [sops.path, "decrypt", "--input-type", "yaml"],
        input=text.encode(),
        env=dict(sops.environ) | {"SOPS_DISABLE_VERSION_CHECK": "1"},
        capture_output=True,
        check=False,
    )
    assert leaked.returncode == 25
    assert CANARY.encode() in leaked.stderr, "sops itself shows it: that is what must not get further"
    refused(sops, text.encode(), PlaintextSecret)


def test_ciphertext_under_another_name(sops: Sops, sops_file: SopsFile) -> None:
    text = sops_file().read_text()
    text = re.sub(r"(?m)^secret: .*\n", "", text).replace("api_key:", "secret:")
    refused(sops, text.encode(), PlaintextSecret)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("connection: main", "connection: other"),
        ("exchange: kucoin", "exchange: kucoin\nadded: value"),
        ("    mac: ENC[", "    ignored: ENC["),
        ('    lastmodified: "2', '    lastmodified: "1'),
    ],
    ids=["binding", "added", "no mac", "date"],
)
def test_an_edit_without_sops(sops: Sops, sops_file: SopsFile, before: str, after: str) -> None:
    text = sops_file().read_text()
    assert before in text
    refused(sops, text.replace(before, after).encode(), IntegrityFailed)


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"# only a comment\n",
        b"a: 1\n",
        b"- a\n",
        b"text",
        b"a: [\n",
        b"<<<<<<< HEAD\na: 1\n=======\n",
        b"sops: {}\n",
        b"a: 1\nsops:\n  version: 3.11.0\n  lastmodified: '2026-01-01T00:00:00Z'\n",
        f"a: b: {CANARY}\n".encode(),
    ],
)
def test_what_is_no_sops_file(sops: Sops, blob: bytes) -> None:
    refused(sops, blob, NotASecretFile)


def test_a_damaged_version(sops: Sops, sops_file: SopsFile) -> None:
    text = re.sub(r"(?m)^    version: .*$", "    version: new", sops_file().read_text())
    refused(sops, text.encode(), NotASecretFile)


def test_a_file_that_needs_several_keys(sops: Sops, age_key, other_key, tmp_path: Path) -> None:
    third = "age1l9d2h0pxarpcvmd4m7qny5g9ggf2y2szlkq9j34qc5uj9ucnfu4qpz5w0r"
    rules = tmp_path / ".sops.yaml"
    groups = ", ".join(f"{{age: [{key}]}}" for key in (age_key.public, other_key.public, third))
    rules.write_text(f"creation_rules: [{{key_groups: [{groups}], shamir_threshold: 2}}]\n")
    encrypted = subprocess.run(
        [sops.path, "--config", rules, "encrypt", "--input-type", "json", "--output-type", "yaml",
         "--filename-override", tmp_path / "x.yaml"],
        input=b'{"a": "b"}', env=dict(sops.environ), capture_output=True, check=True,
    ).stdout  # fmt: skip
    error = refused(sops, encrypted, KeyUnavailable)
    assert "several groups" in error.message


def test_a_pgp_key_that_is_not_here(sops: Sops, sops_file: SopsFile, home: Path) -> None:
    block = (
        "    pgp:\n"
        "        - created_at: '2026-01-01T00:00:00Z'\n"
        "          enc: none\n"
        "          fp: 85D77543B3D624B63CEA9E6DBC17301B491B3F21\n"
    )
    text = re.sub(
        r"    age:\n(?:        .*\n|            .*\n)+?(?=    lastmodified)", block, sops_file().read_text()
    )
    assert "age:" not in text
    refused(with_key(sops, GNUPGHOME=str(home)), text.encode(), KeyUnavailable)


@pytest.mark.parametrize(
    "body",
    ["echo not json", "echo '[1]'", "true", f"printf '{{\"a\": {CANARY}'"],
    ids=["text", "list", "nothing", "cut off"],
)
def test_success_without_a_document(sops: Sops, script: Callable[..., Path], body: str) -> None:
    stand_in = dataclasses.replace(sops, path=script(f"cat >/dev/null\n{body}\n"))
    refused(stand_in, b"x: 1", SopsFailed)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("echo 'panic: runtime error' >&2; echo 'goroutine 1 [running]:' >&2; exit 2", "crashed"),
        ("kill -SEGV $$", "crashed"),
        (f"echo {CANARY} >&2; exit 77", "exit code 77"),
        (f"echo {CANARY} >&2; exit 1", "exit code 1"),
        (f"echo {CANARY} >&2; exit 128", "none of the file's key holders"),
        ("exit 52", "MAC does not hold"),
    ],
)
def test_other_ends_of_sops(sops: Sops, script: Callable[..., Path], body: str, words: str) -> None:
    stand_in = dataclasses.replace(sops, path=script(f"{body}\n"))
    with pytest.raises(SecretsError) as caught:
        stand_in.decrypt(b"x: 1")
    assert words in caught.value.message
    assert CANARY not in everything_in(caught.value)


@pytest.mark.parametrize("answer", ["sops 3.x", "", "hello"])
def test_a_program_that_is_not_sops_has_no_version(
    sops: Sops, script: Callable[..., Path], answer: str
) -> None:
    with pytest.raises(SopsFailed, match="does not tell its version"):
        dataclasses.replace(sops, path=script(f"echo '{answer}'\n")).version()
