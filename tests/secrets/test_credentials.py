"""From connections to credentials: what is refused on ciphertext alone, and what decryption gives."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.model.desired import Connection, CredentialRef, Policy
from reconciler.model.errors import (
    BindingMismatch,
    IntegrityFailed,
    KeyUnavailable,
    NotASecretFile,
    PlaintextSecret,
    SecretsError,
    SopsFailed,
    SopsHung,
    UnsafeRecipient,
)
from reconciler.model.secret import Credentials, Secret
from reconciler.secrets.credentials import inspect, inspect_all, owners_of
from reconciler.secrets.keyring import Keyring
from reconciler.secrets.owned import HANGS, open_owners, read_ciphertext
from reconciler.secrets.sops import Sops

CANARY = "canary-7fK2-do-not-show"
FIELDS = ("api_key", "secret", "passphrase")
SopsFile = Callable[..., Path]
Make = Callable[..., Connection]


def fields_of(exchange: str) -> tuple[str, ...]:
    return FIELDS if exchange == "kucoin" else FIELDS[:2]


def secret_as(text: str) -> Callable[[str], str]:
    """An edit that puts ``text`` where the ciphertext of ``secret`` stood."""
    return lambda file: re.sub(r"(?m)^secret: .*$", f"secret: {text}", file)


def judged(connection: Connection, policy: Policy | None = None) -> list[tuple[type[SecretsError], str]]:
    errors = inspect(connection, fields=fields_of(connection.exchange), policy=policy or Policy())
    for error in errors:
        assert error.hint
        assert error.mark
        assert CANARY not in str(vars(error))
    return [(type(error), error.message) for error in errors]


def opened(sops: Sops, *connections: Connection, policy: Policy | None = None):
    return Keyring(fields_of).open(connections, sops=sops, policy=policy or Policy())


@pytest.fixture
def no_sops(sops: Sops, tmp_path: Path, script: Callable[..., Path]) -> Callable[[], bool]:
    """Stands in for sops and tells whether it was started."""
    marker = tmp_path / "started"
    return dataclasses.replace(sops, path=script(f"touch {marker}\nexit 1\n")), marker.exists


def test_a_sound_file_opens(sops: Sops, sops_file: SopsFile, connection: Make) -> None:
    mine = connection(sops_file())
    assert judged(mine) == []
    assert opened(sops, mine) == {
        "main": Credentials(
            api_key=Secret(f"key-{CANARY}"), secret=Secret(f"secret-{CANARY}"), passphrase=Secret(CANARY)
        )
    }


def test_an_exchange_without_a_passphrase(sops: Sops, sops_file: SopsFile, connection: Make) -> None:
    path = sops_file(exchange="mexc", secrets={"api_key": "k", "secret": "s"})
    assert opened(sops, connection(path, exchange="mexc"))["main"].passphrase is None


@pytest.mark.parametrize(
    ("edit", "error", "words"),
    [
        (secret_as(CANARY), PlaintextSecret, "`secret` stands in clear"),
        (secret_as(f"ENC[{CANARY}]"), PlaintextSecret, "none that sops wrote"),
        (secret_as('""'), NotASecretFile, "missing or empty"),
        (secret_as(""), NotASecretFile, "missing or empty"),
        (secret_as(f"[{CANARY}]"), NotASecretFile, "missing or empty"),
        (lambda t: re.sub(r"(?m)^secret: .*\n", "", t), NotASecretFile, "missing or empty"),
        (lambda t: re.sub(r"(?m)^(passphrase: .*type:)str", r"\1int", t), NotASecretFile, "encrypted as int"),
        (lambda t: re.sub(r"(?m)^(secret: .*type:)str", r"\1float", t), NotASecretFile, "encrypted as float"),
        (lambda t: t.replace("connection: main", "connection: other"), BindingMismatch, "`connection: main`"),
        (lambda t: t.replace("connection: main\n", ""), BindingMismatch, "`connection: main`"),
        (lambda t: t.replace("exchange: kucoin", "exchange: mexc"), BindingMismatch, "`exchange: kucoin`"),
        (lambda t: f"label: {CANARY}\n{t}", NotASecretFile, "`label` is no field"),
        (lambda t: re.sub(r"(?m)^(secret: )(.*)$", r"\1\2\nother: \2", t), NotASecretFile, "`other` is no"),
        (lambda t: re.sub(r"(?m)^    mac: .*\n", "", t), IntegrityFailed, "no MAC"),
        (lambda t: re.sub(r"(?m)^    lastmodified: .*\n", "", t), IntegrityFailed, "no MAC"),
        (lambda t: t + "    mac_only_encrypted: true\n", IntegrityFailed, "mac_only_encrypted"),
        (lambda t: t + "    hc_vault: [{vault_address: 'http://evil'}]\n", UnsafeRecipient, "hc_vault http://evil"),
        (lambda t: t + "    kms: [{arn: 'arn:aws:kms:x'}]\n", UnsafeRecipient, "kms arn:aws:kms:x"),
        (lambda t: t + "    plugins: [{binary_name: evil}]\n", UnsafeRecipient, "'plugins'"),
        (lambda t: t.replace("    age:", "    pgp: []\n    Xage:"), UnsafeRecipient, "'Xage'"),
        (lambda t: re.sub(r"(?s)    age:.*?(?=    lastmod)", "", t), NotASecretFile, "names no recipient"),
        (lambda t: t + "---\nmore: 1\n", NotASecretFile, "second document"),
        (lambda t: t[: t.index("sops:")], NotASecretFile, "not encrypted"),
    ],
)  # fmt: skip
def test_what_ciphertext_alone_tells(
    *, no_sops, sops_file: SopsFile, connection: Make, edit, error, words
) -> None:
    mine = connection(sops_file(edit=edit))
    found = judged(mine)
    assert error in [kind for kind, _ in found]
    assert any(words in message for _, message in found), found
    stand_in, started = no_sops
    result = opened(stand_in, mine)["main"]
    assert isinstance(result, SecretsError)
    assert not started(), "a file with an objection is never given to sops"


def test_every_objection_is_told_at_once(sops_file: SopsFile, connection: Make) -> None:
    text = {"api_key": "a", "secret": "b"}
    path = sops_file(connection="other", secrets=text, edit=lambda t: t + "    mac_only_encrypted: true\n")
    assert [kind for kind, _ in judged(connection(path))] == [
        NotASecretFile,
        IntegrityFailed,
        BindingMismatch,
    ]


def test_an_unneeded_secret_in_clear_is_a_leak_all_the_same(sops_file: SopsFile, connection: Make) -> None:
    path = sops_file(
        exchange="mexc",
        secrets={"api_key": "a", "secret": "b"},
        edit=lambda t: t.replace("exchange:", f"passphrase: {CANARY}\nexchange:"),
    )
    assert (PlaintextSecret, "`passphrase` stands in clear") in judged(connection(path, exchange="mexc"))


def test_a_field_name_that_may_be_a_secret_is_not_shown(sops_file: SopsFile, connection: Make) -> None:
    """Somebody pasted the value where the name belongs."""
    names = ("Zk39-7fQ2hXvM81pLw", "5d0a1f7e3c9b4a6d8e2f0b7c1a9d3e5f", "two words", "x" * 60)
    path = sops_file(edit=lambda t: "".join(f"{name}: x\n" for name in names) + t)
    messages = [message for _, message in judged(connection(path))]
    assert len(messages) == len(names)
    assert not any(name[:12] in message for name in names for message in messages)


def test_a_private_key_in_clear_is_a_leak(sops_file: SopsFile, connection: Make) -> None:
    path = sops_file(edit=lambda t: f"private_key: {CANARY}\n{t}")
    assert (PlaintextSecret, "`private_key` stands in clear") in judged(connection(path))


def test_values_in_clear_cannot_be_renamed_into_the_binding(
    sops: Sops, sops_file: SopsFile, connection: Make
) -> None:
    """sops' MAC covers values and not names: this file, changed without any key, decrypts."""
    path = sops_file(clear={"label": "victim"})
    text = (
        path.read_text()
        .replace("connection: main", "kept: main")
        .replace("label: victim", "connection: victim")
    )
    assert sops.decrypt(text.encode())["connection"] == "victim"
    path.write_text(text)
    found = judged(connection(path, id="victim"))
    assert found == [(NotASecretFile, "`kept` is no field of the credentials of kucoin")]


def test_an_octal_looking_passphrase_is_caught_before_it_is_used(
    *, sops: Sops, sops_file: SopsFile, connection: Make, tree: Path, age_key, sops_raw
) -> None:
    plain = "connection: main\nexchange: kucoin\napi_key: a\nsecret: 1e3\npassphrase: 00123\n"
    regex = "^(api_key|secret|passphrase)$"
    blob = sops_raw("encrypt", "--age", age_key.public, "--encrypted-regex", regex, stdin=plain)
    assert sops.decrypt(blob)["passphrase"] == 83
    path = tree / "x.sops.yaml"
    path.write_bytes(blob)
    messages = [message for _, message in judged(connection(path))]
    assert [message.split(",")[0] for message in messages] == [
        "`secret` was encrypted as float",
        "`passphrase` was encrypted as int",
    ]


class TestRecipients:
    def test_only_named_ones_once_any_is_named(
        self, sops_file: SopsFile, connection: Make, age_key, other_key
    ):
        mine = connection(sops_file())
        assert judged(mine, Policy(recipients={"age": (age_key.public,)})) == []
        assert judged(mine, Policy(recipients={"age": ()})) == []
        for named in ({"age": (other_key.public,)}, {"pgp": ("AB",)}, {"kms": ("arn:x",)}):
            assert [kind for kind, _ in judged(mine, Policy(recipients=named))] == [UnsafeRecipient]

    @pytest.mark.parametrize(
        ("block", "named"),
        [
            ("hc_vault: [{vault_address: 'https://v:1/', engine_path: t, key_name: k}]", {"hc_vault": ("https://v:1",)}),
            ("hc_vault: [{vault_address: 'https://v:1', engine_path: t, key_name: k}]", {"hc_vault": ("https://v:1/v1/t/keys/k",)}),
            ("kms: [{arn: 'arn:x'}]", {"kms": ("arn:x",)}),
            ("azure_kv: [{vault_url: 'https://a', name: n}]", {"azure_kv": ("https://a",)}),
            ("pgp: [{fp: 'AB CD'}]", {"pgp": ("abcd",)}),
        ],
    )  # fmt: skip
    def test_key_services_named_in_policy(self, sops_file: SopsFile, connection: Make, age_key, block, named):
        mine = connection(sops_file(edit=lambda t: t + f"    {block}\n"))
        assert judged(mine, Policy(recipients={"age": (age_key.public,), **named})) == []

    def test_another_vault_is_not_the_named_one(self, sops_file: SopsFile, connection: Make, age_key):
        block = "    hc_vault: [{vault_address: 'https://v.evil', engine_path: t, key_name: k}]\n"
        mine = connection(sops_file(edit=lambda t: t + block))
        policy = Policy(recipients={"age": (age_key.public,), "hc_vault": ("https://v",)})
        assert [kind for kind, _ in judged(mine, policy)] == [UnsafeRecipient]

    def test_the_vault_of_a_stranger_is_never_contacted(
        self, sops: Sops, sops_file: SopsFile, connection: Make
    ):
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(0.3)
            address = f"http://127.0.0.1:{server.getsockname()[1]}"
            block = f"        - vault_address: {address}\n          engine_path: t\n          key_name: k\n"
            edit = lambda t: re.sub(r"(?s)    age:.*?(?=    lastmod)", f"    hc_vault:\n{block}", t)  # noqa: E731
            environ = dict(sops.environ) | {"VAULT_TOKEN": "s.REAL"}
            result = opened(dataclasses.replace(sops, environ=environ), connection(sops_file(edit=edit)))
            assert isinstance(result["main"], UnsafeRecipient)
            with pytest.raises(TimeoutError):
                server.accept()


class TestFiles:
    def test_missing(self, tree: Path, connection: Make) -> None:
        ((kind, message),) = judged(connection(tree / "none.yaml"))
        assert kind is NotASecretFile
        assert "no such file" in message

    def test_a_folder_and_a_pipe_do_not_block(self, tree: Path, connection: Make) -> None:
        os.mkfifo(tree / "pipe")
        for path in (tree / "pipe", tree):
            assert judged(connection(path)) == [(NotASecretFile, f"{path} is not a regular file")]

    def test_a_device(self, connection: Make) -> None:
        mine = connection(Path("/dev/zero"))
        ref = dataclasses.replace(mine.credentials, root="/")
        mine = dataclasses.replace(mine, credentials=ref)
        assert judged(mine) == [(NotASecretFile, "/dev/zero is not a regular file")]

    @pytest.mark.parametrize("path", ["../outside.yaml", "link.yaml", "folder/outside.yaml"])
    def test_out_of_the_tree(self, tree: Path, connection: Make, sops_file: SopsFile, path: str) -> None:
        outside = tree.parent / "outside.yaml"
        shutil.copy(sops_file(), outside)
        (tree / "link.yaml").symlink_to(outside)
        (tree / "folder").symlink_to(tree.parent)
        ((kind, message),) = judged(connection(tree / path))
        assert kind is NotASecretFile
        assert "leads out of" in message

    def test_a_link_inside_the_tree_is_followed(
        self, tree: Path, connection: Make, sops_file: SopsFile
    ) -> None:
        (tree / "link.yaml").symlink_to(sops_file())
        assert judged(connection(tree / "link.yaml")) == []

    def test_a_link_that_takes_the_place_of_the_file_is_not_followed(
        self, tree: Path, connection: Make, sops_file: SopsFile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The file is exchanged in the moment between the look at its path and its opening."""
        path = sops_file()
        outside = shutil.copy(path, tree.parent / "outside.yaml")
        look = os.path.realpath

        def look_and_exchange(name: str) -> str:
            real = look(name)
            if name == str(path):
                path.unlink()
                path.symlink_to(outside)
            return real

        monkeypatch.setattr(os.path, "realpath", look_and_exchange)
        ((kind, message),) = judged(connection(path))
        assert kind is NotASecretFile
        assert "cannot be opened" in message

    def test_too_large(self, tree: Path, connection: Make) -> None:
        path = tree / "large.yaml"
        with path.open("wb") as stream:
            stream.truncate(50 << 20)
        began = time.process_time()
        ((kind, message),) = judged(connection(path))
        assert time.process_time() - began < 1
        assert kind is NotASecretFile
        assert "more than 1,048,576 bytes" in message

    def test_a_path_that_cannot_be(self, tree: Path, connection: Make) -> None:
        ((kind, _),) = judged(connection(tree / "a\0b"))
        assert kind is NotASecretFile

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
    def test_not_readable(self, connection: Make, sops_file: SopsFile) -> None:
        path = sops_file()
        path.chmod(0)
        assert "permission denied" in judged(connection(path))[0][1]


class TestInline:
    @pytest.fixture
    def inline(self, tree: Path, sops: Sops, age_key) -> Path:
        document = {
            "connections": {
                name: {
                    "exchange": "mexc",
                    "credentials": {"api_key": Secret(f"key-of-{name}"), "secret": Secret(CANARY)},
                }
                for name in ("main", "spare")
            }
        }
        path = tree / "connections.yaml"
        path.write_bytes(sops.encrypt(document, filename=path, age=[age_key.public]))
        return path

    def test_values_beside_the_configuration_open(self, sops: Sops, inline: Path, connection: Make) -> None:
        pair = [
            connection(inline, id=i, exchange="mexc", inline=True, pinned=True) for i in ("main", "spare")
        ]
        assert [judged(one) for one in pair] == [[], []]
        found = opened(sops, *pair)
        assert {name: one.api_key.reveal() for name, one in found.items()} == {
            "main": "key-of-main",
            "spare": "key-of-spare",
        }

    def test_the_file_is_decrypted_once(
        self, sops: Sops, inline: Path, connection: Make, script, tmp_path: Path
    ) -> None:
        counting = script(f'echo x >> {tmp_path}/count\nexec {sops.path} "$@"\n')
        pair = [
            connection(inline, id=i, exchange="mexc", inline=True, pinned=True) for i in ("main", "spare")
        ]
        found = opened(dataclasses.replace(sops, path=counting), *pair)
        assert all(isinstance(one, Credentials) for one in found.values())
        assert (tmp_path / "count").read_text() == "x\n"

    def test_many_are_judged_with_one_reading(self, tree: Path, connection: Make, inline: Path) -> None:
        """A thousand connections in one file: reading it for each would take minutes."""
        text = inline.read_text()
        entry = text[text.index("    main:") : text.index("    spare:")]
        many = "".join(entry.replace("main:", f"c{n}:") for n in range(1000))
        inline.write_text(text.replace(entry, many))
        mine = [
            connection(inline, id=f"c{n}", exchange="mexc", inline=True, pinned=True) for n in range(1000)
        ]
        began = time.process_time()
        found = inspect_all(mine, fields_of=fields_of, policy=Policy())
        assert time.process_time() - began < 5
        assert list(found) == [one.id for one in mine]
        assert set(found.values()) == {()}
        missing = inspect_all([connection(tree / "none")], fields_of=fields_of, policy=Policy())
        assert [type(error) for error in missing["main"]] == [NotASecretFile]

    def test_without_an_account_pin_nothing_binds_them(
        self, sops: Sops, inline: Path, connection: Make
    ) -> None:
        pinned = connection(inline, id="main", exchange="mexc", inline=True, pinned=True)
        loose = connection(inline, id="spare", exchange="mexc", inline=True)
        assert [kind for kind, _ in judged(loose)] == [BindingMismatch]
        found = opened(sops, pinned, loose)
        assert isinstance(found["main"], Credentials)
        assert isinstance(found["spare"], BindingMismatch)

    def test_a_plain_value_is_found(self, inline: Path, connection: Make) -> None:
        inline.write_text(re.sub(r"secret: ENC.*", f"secret: {CANARY}", inline.read_text(), count=1))
        mine = connection(inline, exchange="mexc", inline=True, pinned=True)
        assert judged(mine) == [(PlaintextSecret, "`secret` stands in clear")]

    def test_mac_only_encrypted_is_right_here(self, inline: Path, connection: Make) -> None:
        inline.write_text(inline.read_text() + "    mac_only_encrypted: true\n")
        assert judged(connection(inline, exchange="mexc", inline=True, pinned=True)) == []

    def test_a_connection_that_is_not_in_the_file(self, inline: Path, connection: Make) -> None:
        found = judged(connection(inline, id="gone", exchange="mexc", inline=True, pinned=True))
        assert [message.split(",")[0] for _, message in found] == [
            "`api_key` is missing or empty",
            "`secret` is missing or empty",
        ]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("api_key", "abc\n", "line break"),
        ("api_key", " abc", "space"),
        ("api_key", "ab\u200bc", "invisible"),
        ("api_key", "abcé", "do not have"),
        ("secret", "abc\n", "line break"),
        ("secret", "abc ", "space"),
        ("secret", "-----BEGIN KEY-----\né\n", "PEM"),
        ("passphrase", "a\tb", "line break or an invisible"),
    ],
)
def test_a_value_that_no_exchange_issued(
    *, sops: Sops, sops_file: SopsFile, connection: Make, field: str, value: str, words: str
) -> None:
    secrets = {"api_key": "key", "secret": "secret", "passphrase": "phrase"} | {field: value}
    error = opened(sops, connection(sops_file(secrets=secrets)))["main"]
    assert isinstance(error, NotASecretFile)
    assert words in error.message
    assert f"`{field}`" in error.message
    assert value not in str(vars(error))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("secret", "-----BEGIN EC PRIVATE KEY-----\nMHcCAQ==\n-----END EC PRIVATE KEY-----\n"),
        ("passphrase", " with spaces "),
        ("passphrase", "00123"),
        ("secret", "NO"),
        ("api_key", "1e3"),
    ],
)
def test_a_value_is_given_exactly(
    sops: Sops, sops_file: SopsFile, connection: Make, field: str, value: str
) -> None:
    secrets = {"api_key": "key", "secret": "secret", "passphrase": "phrase"} | {field: value}
    credentials = opened(sops, connection(sops_file(secrets=secrets)))["main"]
    assert getattr(credentials, field).reveal() == value


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ('{"connection": "main", "exchange": "kucoin"}', NotASecretFile),
        ('{"connection": "other", "exchange": "kucoin"}', BindingMismatch),
        ('{"connection": "main", "exchange": "mexc"}', BindingMismatch),
        ('{"connection": 1, "exchange": "kucoin"}', BindingMismatch),
        ('{"connection": "main", "exchange": "kucoin", "api_key": 83}', NotASecretFile),
        ('{"connection": "main", "exchange": "kucoin", "api_key": "\\ud800"}', NotASecretFile),
    ],
)
def test_the_decrypted_document_is_judged_again(
    *, sops: Sops, sops_file: SopsFile, connection: Make, script, answer: str, error: type[SecretsError]
) -> None:
    stand_in = dataclasses.replace(sops, path=script(f"cat >/dev/null\ncat <<'END'\n{answer}\nEND\n"))
    assert type(opened(stand_in, connection(sops_file()))["main"]) is error


def test_an_inline_document_that_lost_its_credentials(
    sops: Sops, tree: Path, connection: Make, script, age_key
) -> None:
    document = {"connections": {"main": {"credentials": {"api_key": Secret("a"), "secret": Secret("b")}}}}
    path = tree / "c.yaml"
    path.write_bytes(sops.encrypt(document, filename=path, age=[age_key.public]))
    stand_in = dataclasses.replace(sops, path=script("cat >/dev/null\necho '{\"connections\": []}'\n"))
    mine = connection(path, exchange="mexc", inline=True, pinned=True)
    assert isinstance(opened(stand_in, mine)["main"], SopsFailed)


def test_what_was_judged_is_what_is_decrypted(
    sops: Sops, sops_file: SopsFile, connection: Make, script
) -> None:
    """The file changes after it was read; sops still gets the bytes that were judged."""
    path = sops_file()
    swapping = script(f'echo "swapped: true" > {path}\nexec {sops.path} "$@"\n')
    found = opened(dataclasses.replace(sops, path=swapping), connection(path))["main"]
    assert isinstance(found, Credentials)
    assert path.read_text() == "swapped: true\n"


def test_two_hundred_files_side_by_side_and_the_broken_ones_alone_fail(
    sops: Sops, sops_file: SopsFile, connection: Make, tree: Path
) -> None:
    first = sops_file("c0", connection="c0").read_text()
    connections = []
    for number in range(200):
        path = tree / f"c{number}.sops.yaml"
        # The name stands in the MAC, so copies that name themselves fail in sops; copies of c0 fail before.
        renamed = number % 2
        path.write_text(first.replace("connection: c0", f"connection: c{number}") if renamed else first)
        connections.append(connection(path, id=f"c{number}"))
    began = time.perf_counter()
    found = opened(sops, *connections)
    assert time.perf_counter() - began < 120
    assert list(found) == [f"c{number}" for number in range(200)]
    assert isinstance(found.pop("c0"), Credentials)
    kinds = {name: type(one) for name, one in found.items()}
    assert kinds == {f"c{n}": IntegrityFailed if n % 2 else BindingMismatch for n in range(1, 200)}


def test_no_key_fails_each_file_with_the_same_plain_words(
    sops: Sops, sops_file: SopsFile, connection: Make
) -> None:
    keyless = dataclasses.replace(sops, environ={"PATH": os.environ["PATH"], "HOME": "/nowhere"})
    pair = [connection(sops_file(name, connection=name), id=name) for name in ("a", "b")]
    found = opened(keyless, *pair)
    assert [type(one) for one in found.values()] == [KeyUnavailable, KeyUnavailable]
    assert [one.mark.file for one in found.values()] == [one.credentials.file for one in pair]


def test_cancelling_ends_all(sops: Sops, sops_file: SopsFile, connection: Make, script) -> None:
    cancel = threading.Event()
    hanging = dataclasses.replace(sops, path=script("sleep 100\n"), grace=0.2)
    pair = [connection(sops_file(name, connection=name), id=name) for name in ("a", "b")]
    timer = threading.Timer(0.3, cancel.set)
    timer.start()
    began = time.perf_counter()
    found = Keyring(fields_of).open(pair, sops=hanging, policy=Policy(), cancel=cancel)
    timer.join()
    assert time.perf_counter() - began < 60
    assert {type(one) for one in found.values()} == {SopsFailed}


def test_a_fault_of_ours_ends_what_is_running(
    sops: Sops, sops_file: SopsFile, connection: Make, script
) -> None:
    hanging = dataclasses.replace(sops, path=script("sleep 100\n"), grace=0.2)
    pair = [connection(sops_file(name, connection=name), id=name) for name in ("b", "a")]

    def faulty(ref: CredentialRef) -> bytes:
        if ref == pair[0].credentials:
            raise RuntimeError("a fault")
        return read_ciphertext(ref)

    began = time.perf_counter()
    with pytest.raises(RuntimeError, match="a fault"):
        open_owners(owners_of(pair, fields_of), sops=hanging, policy=Policy(), read=faulty)
    assert time.perf_counter() - began < 60


def test_nothing_to_open(sops: Sops) -> None:
    assert opened(sops) == {}


def test_a_stuck_agent_is_waited_for_on_few_files_and_not_on_all(
    sops: Sops, sops_file: SopsFile, connection: Make, tmp_path: Path, script: Callable[..., Path]
) -> None:
    """Else five hundred files at thirty seconds each would hold the lease for hours."""
    started = tmp_path / "started"
    stuck = dataclasses.replace(sops, path=script(f"echo x >> {started}\nsleep 60\n"), limit=0.2, grace=0.1)
    names = [f"stuck-{number}" for number in range(20)]
    mine = [connection(sops_file(name, connection=name), id=name) for name in names]
    results = opened(stuck, *mine)
    assert {type(result) for result in results.values()} == {SopsHung}
    tried = len(started.read_text().split())
    assert HANGS <= tried <= HANGS + (os.cpu_count() or 1)
    assert sum("not tried" in result.message for result in results.values()) == len(names) - tried


def test_files_that_fail_otherwise_use_up_no_patience(
    sops: Sops, sops_file: SopsFile, connection: Make, script: Callable[..., Path]
) -> None:
    crashing = dataclasses.replace(sops, path=script("exit 77\n"))
    names = [f"c-{number}" for number in range(8)]
    mine = [connection(sops_file(name, connection=name), id=name) for name in names]
    messages = {result.message for result in opened(crashing, *mine).values()}
    assert messages == {"sops failed with exit code 77"}
