"""What stands in a SOPS file is shown short, and nothing that changed is hidden by that."""

from __future__ import annotations

import base64
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.resources import folder
from reconciler.secrets.textconv import shortened

KINDS = ("str", "int", "float", "bool", "time", "bytes", "comment")
ARMOR = (
    b"            -----BEGIN AGE ENCRYPTED FILE-----\n"
    b"            YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBwZXpxTmJWbWtDV2VLL3FB\n"
    b"            BrMCW+eJka6XnDWHRcclid4umc23U1sNTXVe2+/K67fYJurQITMsjQ==\n"
    b"            -----END AGE ENCRYPTED FILE-----\n"
)


def shorten(blob: bytes) -> bytes:
    return b"".join(shortened(io.BytesIO(blob)))


def ciphertext(data: bytes, kind: str = "str", *, iv: bytes = b"i" * 32, tag: bytes = b"t" * 16) -> bytes:
    parts = [base64.b64encode(part).decode() for part in (data, iv, tag)]
    return f"ENC[AES256_GCM,data:{parts[0]},iv:{parts[1]},tag:{parts[2]},type:{kind}]".encode()


def wrapped(armor: bytes = ARMOR) -> bytes:
    return (
        b"sops:\n    age:\n        - recipient: age1xyz\n          enc: |\n"
        + armor
        + b"    version: 3.11.0\n"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_becomes_its_type_and_length(kind):
    shown = shorten(b"api_key: " + ciphertext(b"x" * 20, kind) + b"\n")
    assert re.fullmatch(rb"api_key: <encrypted %s 20B #[0-9a-f]{16}>\n" % kind.encode(), shown)


def test_a_comment_too():
    assert shorten(b"  #" + ciphertext(b"xyz", "comment")).startswith(b"  #<encrypted comment 3B #")


def test_json_and_dotenv_too():
    for before, after in ((b'{"a": "', b'"}\n'), (b"A=", b"")):
        shown = shorten(before + ciphertext(b"abc") + after)
        assert shown.startswith(before + b"<encrypted str 3B #")
        assert shown.endswith(b">" + after)


@given(
    st.binary(min_size=1, max_size=40),
    st.binary(min_size=1, max_size=40),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=16, max_size=16),
)
def test_every_change_of_ciphertext_shows(data, other, iv, tag):
    before = shorten(ciphertext(data, iv=iv, tag=tag))
    assert before == shorten(ciphertext(data, iv=iv, tag=tag))
    for changed in (
        ciphertext(data + b"x", iv=iv, tag=tag),
        ciphertext(data, iv=bytes(32) if any(iv) else b"1" * 32, tag=tag),
        ciphertext(data, iv=iv, tag=bytes(16) if any(tag) else b"1" * 16),
        ciphertext(data, "bytes", iv=iv, tag=tag),
    ):
        assert shorten(changed) != before
    if other != data:
        assert shorten(ciphertext(other, iv=iv, tag=tag)) != before


def test_a_wrapped_data_key_becomes_one_line():
    shown = shorten(wrapped())
    assert re.search(rb"enc: \|\n            <wrapped data key #[0-9a-f]{16}>\n    version", shown)
    assert shorten(wrapped(ARMOR.replace(b"BrMC", b"BrMD"))) != shown
    assert shorten(wrapped(ARMOR.replace(b"\n", b"\r\n"))) == shown.replace(b">\n", b">\r\n")


@pytest.mark.parametrize(
    "wrap",
    [b"AQICAHhZbW9ja2VkLXdyYXBwZWQ=", b"vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZR", b'"Y2lwaGVy-dGV4dA_x"'],
)
def test_a_wrap_on_one_line_too(wrap):
    text = (
        b"sops:\n    kms:\n        - arn: arn:aws:kms:x\n          enc: "
        + wrap
        + b"\n          aws_profile: p\n"
    )
    assert re.search(rb"enc: <wrapped data key #[0-9a-f]{16}>\n          aws_profile: p\n", shorten(text))


@pytest.mark.parametrize(
    "text",
    [
        ARMOR,
        b"age:\n" + ARMOR,
        b"note:\n    enc: AQICAHhZbW9ja2VkLXdyYXBwZWQ=\n",
        wrapped(ARMOR.replace(b"-----END AGE", b"-----END BAD")),
        wrapped(ARMOR.partition(b"\n")[0] + b"\n"),
        b"sops: text\n" + ARMOR,
    ],
    ids=["alone", "elsewhere", "a-field-named-enc", "no-end", "no-more", "no-block"],
)
def test_what_is_no_wrap_of_sops_stays(text):
    assert shorten(text) == text


@pytest.mark.parametrize(
    "line",
    [
        b"    mac_only_encrypted: true\n",
        b"            mac_only_encrypted: true\n",
        b"            -----BEGIN AGE ENCRYPTED FILE-----\n",
        b"clear: 1\n",
    ],
)
def test_nothing_can_hide_within_a_wrap(line):
    first, rest = ARMOR.split(b"\n", 1)
    assert line in shorten(wrapped(first + b"\n" + line + rest))


def test_after_the_block_nothing_is_taken_for_a_wrap():
    text = b"sops:\n    version: 3.11.0\nother:\n" + ARMOR
    assert shorten(text) == text


@pytest.mark.parametrize(
    "broken",
    [
        b"ENC[AES256_GCM,data:a,iv:aa==,tag:aa==,type:str]",
        b"ENC[AES256_GCM,data:aaaa,iv:aa==,tag:aa==,type:secret]",
        b"ENC[AES256_GCM,data:hunter2 hunter2]",
        b"ENC[]",
        b"ENC[AES256_GCM,data:",
    ],
)
def test_what_only_looks_like_ciphertext_stays(broken):
    assert shorten(b"api_key: " + broken + b"\n") == b"api_key: " + broken + b"\n"


@given(st.binary(max_size=300))
def test_any_other_bytes_stay_as_they_are(blob):
    assert shorten(blob) == blob


@given(
    st.lists(st.sampled_from([ciphertext(b"secret"), ARMOR, b"sops:\n", b"\xff\x00", b"\r\n", b"x: ", b"\n"]))
)
def test_shortening_twice_is_shortening_once(pieces):
    once = shorten(b"".join(pieces))
    assert shorten(once) == once
    assert ciphertext(b"secret") not in once or ARMOR[:40] in once


@pytest.mark.parametrize("path", sorted(folder("examples").rglob("*.sops.yaml")), ids=lambda path: path.name)
def test_the_examples_keep_every_other_line(path):
    before, after = path.read_bytes().splitlines(), shorten(path.read_bytes()).splitlines()
    armored = b"            "
    clear = [line for line in before if b"ENC[" not in line and not line.startswith(armored)]
    assert not any(b"ENC[" in line or b"BEGIN" in line for line in after)
    assert [line for line in after if b"<" not in line] == clear


def test_a_large_file_is_never_held_whole():
    lines = (b"api_key: " + ciphertext(b"x") + b"\n" for _ in iter(int, 1))
    first = next(iter(shortened(lines)))
    assert first.startswith(b"api_key: <encrypted str 1B #")


@pytest.mark.parametrize(
    "piece", [b"ENC[AES256_GCM,data:", b"a", b'"', b"ENC[AES256_GCM,data:aaaa,iv:", b" enc: "]
)
def test_a_line_of_megabytes_is_read_once(piece):
    # The patterns are possessive: what they took they never try shorter, so work grows with length.
    # A quadratic one would run for hours here and meet the time limit of the tests.
    blob = b"sops:\n " + piece * (4_000_000 // len(piece))
    assert shorten(blob) == blob
