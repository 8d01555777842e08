"""Decrypted once, kept while the ciphertext stays byte for byte, dropped with its connection."""

from __future__ import annotations

import dataclasses
import shutil

import pytest

from reconciler.model.desired import Policy
from reconciler.model.errors import SecretsError
from reconciler.model.secret import Credentials
from reconciler.secrets.keyring import Keyring


def fields_of(exchange):
    return ("api_key", "secret", "passphrase")


@pytest.fixture
def ring():
    return Keyring(fields_of)


def opened(ring, sops, *connections, policy=None):
    return ring.open(connections, sops=sops, policy=policy or Policy())


def test_nothing_is_recalled_before_it_was_opened(ring, sops_file, connection):
    assert ring.recall([connection(sops_file())], policy=Policy()) == {}


def test_what_was_opened_is_recalled_without_sops_until_a_byte_changes(ring, sops, sops_file, connection):
    file = sops_file()
    mine = connection(file)
    first = opened(ring, sops, mine)[mine.id]
    assert isinstance(first, Credentials)
    assert ring.recall([mine], policy=Policy()) == {mine.id: first}
    file.write_bytes(file.read_bytes() + b"\n")
    assert ring.recall([mine], policy=Policy()) == {}
    assert ring.remembered([mine]) == {mine.id: first}


def test_a_file_that_is_gone_is_not_recalled_and_stands_in_for_a_broken_configuration(
    ring, sops, sops_file, connection
):
    file = sops_file()
    mine = connection(file)
    opened(ring, sops, mine)
    file.unlink()
    assert ring.recall([mine], policy=Policy()) == {}
    assert list(ring.remembered([mine])) == [mine.id]


def test_what_cannot_be_opened_is_tried_again(ring, sops, sops_file, connection, tmp_path):
    mine = connection(sops_file())
    broken = dataclasses.replace(sops, environ={"HOME": str(tmp_path)})
    assert isinstance(opened(ring, broken, mine)[mine.id], SecretsError)
    assert ring.recall([mine], policy=Policy()) == {}
    assert isinstance(opened(ring, sops, mine)[mine.id], Credentials)


def test_a_connection_that_left_is_forgotten(ring, sops, sops_file, connection):
    mine = connection(sops_file())
    opened(ring, sops, mine)
    ring.keep_only(["another"])
    assert ring.recall([mine], policy=Policy()) == {}
    assert ring.remembered([mine]) == {}


def test_the_file_of_another_connection_is_none_of_ours(ring, sops, sops_file, connection):
    file = sops_file()
    mine = connection(file)
    opened(ring, sops, mine)
    moved = shutil.copy(file, file.with_name("copy.sops.yaml"))
    other = dataclasses.replace(mine, credentials=dataclasses.replace(mine.credentials, file=str(moved)))
    assert ring.recall([other], policy=Policy()) == {}
    assert ring.remembered([other]) == {}


def test_it_shows_nothing_of_what_it_holds(ring, sops, sops_file, connection):
    mine = connection(sops_file())
    held = opened(ring, sops, mine)[mine.id]
    assert repr(ring) == "Keyring(Ring(1))"
    assert held.secret.reveal() not in repr(vars(ring)) + repr(vars(ring._ring))


def test_another_policy_judges_the_ciphertext_anew(ring, sops, sops_file, connection):
    mine = connection(sops_file())
    first = opened(ring, sops, mine)[mine.id]
    other = dataclasses.replace(Policy(), settle=7)
    assert ring.recall([mine], policy=other) == {mine.id: first}
    assert ring.recall([mine], policy=other) == {mine.id: first}


def test_every_secret_is_learnt_so_that_no_output_shows_it(sops, sops_file, connection):
    learnt = []
    ring = Keyring(fields_of, learn=learnt.extend)
    mine = connection(sops_file())
    held = opened(ring, sops, mine)[mine.id]
    assert learnt == list(held.all())
