"""The secret files of runtimes: bound to runtime and url, and judged as those of connections are."""

from __future__ import annotations

import pytest

from reconciler.model.desired import CredentialRef, Policy, RuntimeSpec
from reconciler.model.errors import (
    BindingMismatch,
    Mark,
    NotASecretFile,
    PlaintextSecret,
    SecretsError,
    UnsafeRecipient,
)
from reconciler.model.secret import Secret
from reconciler.secrets.creation_rules import ENCRYPTED_REGEX, lint_rules, runtime_shape
from reconciler.secrets.envelope import read_envelope
from reconciler.secrets.owned import inspect_owners, open_owners
from reconciler.secrets.owner import of_runtime
from reconciler.secrets.ring import Ring
from reconciler.secrets.sealed import sealed

CANARY = "canary-7fK2-do-not-show"
URL = "https://bots.example:8080"
FIELDS = ("username", "password")


@pytest.fixture
def file(tree, sops, age_key):
    """Makes the secret file of a runtime."""

    def make(edit=lambda text: text, **changes):
        document = {"runtime": "ft", "url": URL, "username": Secret("bot"), "password": Secret(CANARY)}
        document = {name: value for name, value in (document | changes).items() if value is not None}
        path = tree / "ft.sops.yaml"
        path.write_text(edit(sops.encrypt(document, filename=path, age=[age_key.public]).decode()))
        return path

    return make


@pytest.fixture
def owner(tree):
    def make(path, **changes):
        mark = Mark(file="connections.yaml", line=9)
        given = {"id": "ft", "type": "freqtrade", "url": URL} | changes
        ref = CredentialRef(file=str(path), mark=mark, root=str(tree))
        return of_runtime(RuntimeSpec(mark=mark, **given), ref, FIELDS)

    return make


@pytest.fixture
def errors(owner):
    def look(path, policy=None, **changes):
        (found,) = inspect_owners([owner(path, **changes)], policy=policy or Policy()).values()
        assert CANARY not in repr([str(one) + one.hint for one in found])
        return [type(one) for one in found]

    return look


def test_a_sound_file_opens(sops, file, owner, errors):
    path = file()
    assert errors(path) == []
    found = open_owners([owner(path)], sops=sops, policy=Policy())["ft"]
    assert {name: value.reveal() for name, value in found.items()} == {"username": "bot", "password": CANARY}
    assert CANARY not in repr(found)


@pytest.mark.parametrize(
    ("of_file", "of_git"),
    [
        ({"url": "https://evil.example"}, {}),
        ({}, {"url": "https://evil.example"}),
        ({}, {"url": "http://bots.example:8080"}),
        ({}, {"id": "other"}),
        ({"runtime": "other"}, {}),
    ],
)
def test_credentials_go_to_the_url_that_their_file_names_and_nowhere_else(sops, file, owner, of_file, of_git):
    mine = owner(file(**of_file), **of_git)
    ((judged,),) = inspect_owners([mine], policy=Policy()).values()
    (opened,) = open_owners([mine], sops=sops, policy=Policy()).values()
    assert {type(judged), type(opened)} == {BindingMismatch}


def test_a_url_that_was_changed_in_both_places_is_found_by_the_mac(sops, file, owner, errors):
    """A pull request can change git and the clear text; it cannot sign them."""
    path = file(edit=lambda text: text.replace(URL, "https://evil.example"))
    assert errors(path, url="https://evil.example") == []
    (found,) = open_owners([owner(path, url="https://evil.example")], sops=sops, policy=Policy()).values()
    assert isinstance(found, SecretsError)
    assert found.code == "integrity"


def test_fields_are_those_of_the_type(file, errors):
    assert errors(file(username=None)) == [NotASecretFile]
    assert errors(file(token=Secret("x"))) == [NotASecretFile]
    assert errors(file(connection="main")) == [NotASecretFile]


def test_a_password_in_clear_is_one(file, errors):
    path = file(edit=lambda text: text)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(f"password: {CANARY}\n" if one.startswith("password:") else one for one in lines))
    assert errors(path) == [PlaintextSecret]


def test_policy_decides_who_may_open_it(file, errors):
    nobody = Policy(recipients={"age": ("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",)})
    assert errors(file(), nobody) == [UnsafeRecipient]


def test_a_password_may_begin_with_a_space_and_a_user_name_may_not(sops, file, owner):
    opened = open_owners([owner(file(password=Secret(" x ")))], sops=sops, policy=Policy())["ft"]
    assert opened["password"].reveal() == " x "
    assert isinstance(
        open_owners([owner(file(username=Secret(" x ")))], sops=sops, policy=Policy())["ft"], NotASecretFile
    )


@pytest.mark.parametrize(
    ("regex", "codes"),
    [
        (ENCRYPTED_REGEX, []),
        ("^(username|password)$", []),
        ("^(api_key|secret|passphrase|private_key)$", ["secret-in-clear"]),
        ("^(password|username|url)$", ["binding-encrypted"]),
    ],
)
def test_rules_are_judged_for_what_a_runtimes_file_holds(regex, codes):
    text = f"creation_rules:\n  - {{age: age1x, encrypted_regex: '{regex}'}}\n"
    found = lint_rules(text, file=".sops.yaml", shape=runtime_shape(FIELDS))
    assert [one.code for one in found] == codes


def test_a_review_asks_of_a_runtimes_file_what_it_holds(file):
    path = file()
    told = sealed(read_envelope(path.read_bytes(), file=str(path)))
    assert told.left_in_clear == ()
    weak = path.read_text().replace(ENCRYPTED_REGEX, "^username$")
    assert sealed(read_envelope(weak.encode(), file=str(path))).left_in_clear == ("password",)


class TestRing:
    """What a loop keeps: only what nothing speaks against."""

    def test_what_did_not_change_is_not_decrypted_again(self, sops, file, owner):
        ring, mine = Ring(), owner(file())
        assert ring.recall([mine], policy=Policy()) == {}
        opened = ring.open([mine], sops=sops, policy=Policy())
        assert ring.recall([mine], policy=Policy()) == opened
        assert CANARY not in repr(ring) + repr(ring.__dict__)

    @pytest.mark.parametrize("change", ["bytes", "gone", "url", "policy", "left out"])
    def test_what_changed_in_any_way_is_not_recalled(self, sops, file, owner, change):
        ring, path = Ring(), file()
        mine, policy = owner(path), Policy()
        ring.open([mine], sops=sops, policy=policy)
        match change:
            case "bytes":
                path.write_text(path.read_text() + "\n")
            case "gone":
                path.unlink()
            case "url":
                mine = owner(path, url="https://elsewhere.example")
            case "policy":
                policy = Policy(recipients={"age": ("age1x",)})
            case _:
                ring.keep_only([])
                assert repr(ring) == "Ring(0)"
        assert ring.recall([mine], policy=policy) == {}

    def test_what_could_not_be_opened_is_tried_again(self, sops, file, owner):
        ring, mine = Ring(), owner(file(url="https://elsewhere.example"))
        assert isinstance(ring.open([mine], sops=sops, policy=Policy())["ft"], BindingMismatch)
        assert ring.recall([mine], policy=Policy()) == {}
