"""Secrets as Hummingbot keeps them: opened, refused, and never shown."""

from __future__ import annotations

import json

import pytest
from hummingbot_files import PASSWORD, keystore
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import API_KEY, ENCRYPTED_KEY
from recorded import PASSWORD as RECORDED

from reconciler.importing.keystore import NotAKeystore, WrongPassword, decrypt
from reconciler.model.secret import Secret


def test_what_hummingbot_itself_wrote():
    assert decrypt(ENCRYPTED_KEY, Secret(RECORDED)) == Secret(API_KEY)


#: The vector of the Web3 Secret Storage Definition, password "testpassword". It holds 32 raw bytes: no text.
VECTOR = {
    "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
    "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
    "kdf": "pbkdf2",
    "kdfparams": {
        "c": 262144,
        "dklen": 32,
        "prf": "hmac-sha256",
        "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
    },
    "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
}


def test_the_vector_of_the_definition():
    text = json.dumps({"crypto": {"cipher": "aes-128-ctr", **VECTOR}, "version": 3}).encode().hex()
    with pytest.raises(WrongPassword):
        decrypt(text, Secret("testpasswore"))
    with pytest.raises(NotAKeystore):  # it opens: only its MAC tells, and 32 random bytes are no text
        decrypt(text, Secret("testpassword"))


@given(value=st.text(st.characters(codec="utf-8"), min_size=1, max_size=80), iv=st.integers(0, 2**128 - 1))
@settings(max_examples=50, deadline=None)
def test_whatever_was_sealed_is_opened(value, iv):
    assert decrypt(keystore(value, iv=iv), Secret(PASSWORD)) == Secret(value)


def altered(**changes) -> str:
    document = json.loads(bytes.fromhex(keystore("planted")))
    document["crypto"].update(changes)
    return json.dumps(document).encode().hex()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "planted-in-clear",
        "ab",
        json.dumps([1]).encode().hex(),
        json.dumps({"crypto": []}).encode().hex(),
        ("[" * 5000).encode().hex(),
        altered(kdf="argon2"),
        altered(cipher="aes-256-cbc"),
        altered(ciphertext="zz"),
        altered(mac=None),
        keystore("x", c=10**9),
        keystore("x", c="10"),
        keystore("x", c=0),
        keystore("x", dklen=1 << 40),
        keystore("x", salt="zz"),
        altered(kdf="scrypt", kdfparams={"n": 262144, "r": 1, "p": 8, "dklen": 32, "salt": "00"}),
        altered(cipherparams={"iv": "00" * 40}),
    ],
)
def test_what_is_no_keystore_costs_nothing_and_is_not_quoted(text):
    with pytest.raises((NotAKeystore, WrongPassword)) as caught:
        decrypt(text, Secret(PASSWORD))
    assert str(caught.value) == ""


def test_a_sealed_text_that_was_changed():
    sealed = json.loads(bytes.fromhex(keystore("planted")))["crypto"]["ciphertext"]
    with pytest.raises(WrongPassword):
        decrypt(altered(ciphertext="00" + sealed[2:]), Secret(PASSWORD))
