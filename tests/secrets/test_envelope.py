"""What is read of a SOPS file without a key, and that nothing in a file can make the reading misbehave."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.errors import NotASecretFile, SecretsError
from reconciler.secrets.envelope import read_envelope

CANARY = "canary-7fK2-do-not-show"
ENC = (
    "ENC[AES256_GCM,data:l/aH4x4=,iv:KJmWRvYWht4IsY0AOWLSEIipqPHGosCI/qn6rsDAXXI=,"
    "tag:0RcD9HerIvxwh8PWgYvlKA==,type:str]"
)
BLOCK = f"sops:\n  mac: {ENC}\n  lastmodified: '2026-01-01T00:00:00Z'\n"


def test_a_file_made_by_sops(sops_file: Callable[..., Path], age_key) -> None:
    path = sops_file()
    envelope = read_envelope(path.read_bytes(), file="main.sops.yaml")
    assert envelope.fields() == ("connection", "exchange", "api_key", "secret", "passphrase")
    assert [(value.path, value.type) for value in envelope.values()] == [
        (("connection",), None),
        (("exchange",), None),
        (("api_key",), "str"),
        (("secret",), "str"),
        (("passphrase",), "str"),
    ]
    assert (envelope.mac, envelope.mac_only_encrypted) == (True, False)
    assert [(r.group, r.names) for r in envelope.recipients] == [("age", (age_key.public,))]
    assert envelope.settings["version"] == "3.11.0"
    lines = path.read_text().splitlines()
    api_key = envelope.value("api_key")
    assert lines[api_key.mark.line - 1].startswith("api_key: ")
    assert lines[envelope.mark.line - 2] == "sops:"


def test_every_group_of_recipients() -> None:
    text = f"""\
a: 1
{BLOCK}
  age: [{{recipient: age1x, enc: e}}]
  pgp: [{{fp: 85d7 7543}}]
  kms: [{{arn: "arn:aws:kms:x", role: r}}]
  gcp_kms: [{{resource_id: projects/p}}]
  azure_kv: [{{vault_url: "https://v/", name: n, version: "1"}}]
  hc_vault: [{{vault_address: "https://h:8200/", engine_path: transit, key_name: k}}]
  hckms: [{{key_id: "r:u"}}]
  key_groups:
    - age: [{{recipient: ssh-ed25519 AAAA me@host}}]
      hc_vault: []
    - pgp: [{{fp: AB}}]
"""
    found = [(r.group, r.names) for r in read_envelope(text.encode(), file="f").recipients]
    assert found == [
        ("age", ("age1x",)),
        ("pgp", ("85D77543",)),
        ("kms", ("arn:aws:kms:x",)),
        ("gcp_kms", ("projects/p",)),
        ("azure_kv", ("https://v/keys/n", "https://v")),
        ("hc_vault", ("https://h:8200/v1/transit/keys/k", "https://h:8200")),
        ("hckms", ("r:u",)),
        ("age", ("ssh-ed25519 AAAA me@host", "ssh-ed25519 AAAA")),
        ("pgp", ("AB",)),
    ]


@pytest.mark.parametrize(
    "entry",
    [
        "plugins: [{binary_name: evil}]",
        "new_service: {address: x}",
        "new_service: text",
        "age: text",
        "age: [text]",
        "key_groups: text",
        "key_groups: [text]",
        "key_groups: [{plugins: [{binary_name: evil}]}]",
        'Age: [{recipient: "\\u202e"}]',
    ],
)
def test_what_is_not_known_counts_as_a_key_service_that_policy_cannot_name(entry: str) -> None:
    (recipient,) = read_envelope(f"{BLOCK}  {entry}\n".encode(), file="f").recipients
    assert recipient.group.startswith("unknown key service")
    assert recipient.names == ()
    assert str(recipient).isprintable()


@pytest.mark.parametrize("empty", ["age: []", "age: null", "age:", "key_groups: []", "key_groups:"])
def test_empty_groups_name_nobody(empty: str) -> None:
    assert read_envelope(f"{BLOCK}  {empty}\n".encode(), file="f").recipients == ()


@pytest.mark.parametrize(
    ("text", "kind", "broken"),
    [
        (ENC, "str", False),
        (ENC.replace("type:str", "type:int"), "int", False),
        (ENC.replace("type:str", "type:secret"), None, True),
        (ENC.replace("data:l/aH4x4=", "data:"), None, True),
        (ENC.replace("data:l/aH4x4=", "data:l/aH4x4"), None, True),
        (ENC.replace("AES256_GCM", "ROT13"), None, True),
        (ENC.replace("tag:0RcD9HerIvxwh8PWgYvlKA==", "tag:AAAA"), None, True),
        (ENC + "tail", None, True),
        ("ENC[AES256_GCM,data:my real key]", None, True),
        ("plain", None, False),
    ],
)
def test_only_what_sops_writes_counts_as_ciphertext(text: str, kind: str | None, broken: bool) -> None:
    value = read_envelope(f"a: '{text}'\n{BLOCK}".encode(), file="f").value("a")
    assert (value.type, value.broken, value.encrypted) == (kind, broken, kind is not None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("true", True), ("True", True), ("yes", True), ("on", True), ("'x'", True), ("[]", True),
     ("false", False), ("False", False)],
)  # fmt: skip
def test_mac_only_encrypted_is_false_only_when_it_says_so(value: str, expected: bool) -> None:
    envelope = read_envelope(f"{BLOCK}  mac_only_encrypted: {value}\n".encode(), file="f")
    assert envelope.mac_only_encrypted is expected


@pytest.mark.parametrize("mac", ["", "mac: text\n", "mac: [a]\n", f"mac: {ENC}\n"])
def test_a_mac_needs_its_date(mac: str) -> None:
    assert not read_envelope(
        "a: 1\nsops: {}\n".replace("{}", "\n  " + (mac or "x: y")).encode(), file="f"
    ).mac


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        (f"a: 1\n---\nb: 1\n{BLOCK}", "a second document", 2),
        (f"a: &x 1\n{BLOCK}", "an anchor", 1),
        (f"a: 1\nb: *x\n{BLOCK}", "an alias", 2),
        (f"a: !!str 1\n{BLOCK}", "an explicit tag", 1),
        (f"a: !<x> {{}}\n{BLOCK}", "an explicit tag", 1),
        (f"%YAML 1.1\n---\n{BLOCK}", "a YAML directive", 1),
        (f"<<: {{a: 1}}\n{BLOCK}", "a merge key", 1),
        ("a: 1\nsops:\n  <<: {hc_vault: []}\n", "a merge key", 3),
        (f"a: 1\na: 2\n{BLOCK}", "stands there twice", 2),
        (f"{BLOCK}sops: {{}}\n", "stands there twice", 4),
        ('sops: {}\n"so\\x70s": {}\n', "stands there twice", 2),
        (f"? [a]\n: 1\n{BLOCK}", "name of a field", 1),
        (f"? {{a: b}}\n: 1\n{BLOCK}", "name of a field", 1),
        ("a: " + "[" * 33, "more than 32 levels", 1),
        ("\ta: 1", "not well-formed", 1),
        (f"a: b: {CANARY}", "not well-formed", 1),
        ("a: 1\nb: \x00", "not well-formed", 1),
        ("", "no mapping", 1),
        ("- sops", "no mapping", 1),
        ("a: 1", "not encrypted with sops", 1),
        ("a: 1\nsops: text", "not encrypted with sops", 2),
        ("a: 1\nsops: []", "not encrypted with sops", 2),
    ],
)  # fmt: skip
def test_what_sops_never_writes(text: str, words: str, line: int) -> None:
    with pytest.raises(NotASecretFile) as caught:
        read_envelope(text.encode(), file="main.sops.yaml")
    assert words in caught.value.message
    assert (caught.value.mark.file, caught.value.mark.line) == ("main.sops.yaml", line)
    assert caught.value.__context__ is None
    assert CANARY not in str(vars(caught.value))


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_other_encodings(encoding: str) -> None:
    with pytest.raises(NotASecretFile, match="not UTF-8") as caught:
        read_envelope(f"a: {CANARY}\nb: é\n{BLOCK}".encode(encoding), file="f")
    assert caught.value.__context__ is None, "the decoding error holds the bytes"


def test_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    text = f"a: x\n{BLOCK}".replace("\n", "\r\n")
    assert read_envelope(b"\xef\xbb\xbf" + text.encode(), file="f").value("a").text == "x"


@pytest.mark.parametrize(
    "blob",
    [
        b"[" * 1_000_000,
        b"{a: " * 250_000,
        b"- " * 500_000,
        b"? " * 500_000,
        b"a: &a [" + b"*a," * 300_000,
        b"\x00" * 1_000_000,
        b"a" * 1_000_000,
        b"'" * 1_000_000,
        b"a: |\n" + b" x\n" * 300_000,
    ],
    ids=range(9),
)
def test_hostile_shapes_end_at_once(blob: bytes) -> None:
    began = time.process_time()
    with pytest.raises(NotASecretFile):
        read_envelope(blob, file="f")
    assert time.process_time() - began < 5


def test_no_plain_value_shows_in_a_repr() -> None:
    envelope = read_envelope(f"secret: {CANARY}\n{BLOCK}".encode(), file="f")
    assert CANARY not in repr(envelope) + repr(list(envelope.values()))
    assert envelope.value("secret").text == CANARY


@given(st.binary(max_size=400))
def test_any_bytes_give_an_envelope_or_a_secrets_error(blob: bytes) -> None:
    with suppress(SecretsError):
        read_envelope(blob, file="f")


_fragments = st.sampled_from(
    [
        "sops:", "\n", "  ", "age:", "- recipient: x",
        "mac:", ENC, "a: b", ": ", "- ", "[", "]", "{", "}", "&a ",
        "*a", "!!x ", "---", "...",
        "|", ">", "? ", "#", "\t", '"', "'", "\u2028", "\ufeff", "%YAML 1.2", "<<: ",
    ]
)  # fmt: skip


@given(st.lists(_fragments, max_size=30).map("".join))
def test_any_yaml_like_text_gives_an_envelope_or_a_secrets_error(text: str) -> None:
    try:
        envelope = read_envelope(text.encode(), file="f")
    except SecretsError:
        return
    assert all(value.path[0] != "sops" for value in envelope.values())


def test_the_parser_in_pure_python_survives_impossible_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.secrets.tree._LOADER", yaml.SafeLoader)
    with pytest.raises(NotASecretFile, match="well-formed"):
        read_envelope(b'a: "\\UFFFFFFFF"\n' + BLOCK.encode(), file="x")
