"""The main job over each kind of database: the same outcome, no trace of a dry run, no secret kept."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta

import psycopg
import pytest
import sqlalchemy as sa
import yaml

from reconciler.resources import folder
from reconciler.state import schema
from reconciler.state.store import open_for_reading, open_for_writing

RUNNING = "btc-eth-recovery"
SCENARIO = yaml.safe_load((folder("examples") / "sandbox.yaml").read_text())
PLANTED = sorted(
    {
        str(key[field])
        for exchange in SCENARIO["exchanges"].values()
        for key in exchange["keys"].values()
        for field in ("api_key", "secret", "passphrase")
        if field in key
    }
)


def traces_of(secret):
    """The secret and what would let anybody who guesses it know that the guess is right."""
    plain = secret.encode()
    yield secret
    yield base64.b64encode(plain).decode().rstrip("=")
    for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b", "blake2s", "sha3_256"):
        digest = hashlib.new(name, plain)
        yield digest.hexdigest()[:16]  # also of a shortened one
        yield base64.b64encode(digest.digest()).decode()[:16]


@pytest.fixture
def desk(site, state_url):
    site.database = state_url
    return site


def kept(url):
    """Everything in the database, as text."""
    state = open_for_reading(url)
    tables = schema.metadata.sorted_tables
    rows = state._reader.read(
        lambda db: [tuple(row) for table in tables for row in db.execute(sa.select(table))]
    )
    return repr(rows)


def test_dry_run_apply_dry_run(desk):
    planned = desk.report("--dry-run")
    assert open_for_reading(desk.database).passes() == ()
    applied = desk.report("--yes")
    assert planned["plan"]["digest"] == applied["plan"]["digest"]
    state = open_for_reading(desk.database)
    assert set(state.inventory()) == {RUNNING}
    assert state.unfinished() == ()
    assert state.lease_record().holder is None
    again = desk.report("--dry-run")
    assert not [one for one in again["plan"]["actions"] if one["kind"] in ("enable", "change", "disable")]


def test_neither_a_secret_nor_an_unkeyed_hash_of_one_is_kept(desk):
    assert desk.call("--yes", "-v").returncode == 5
    found = kept(desk.database)
    assert RUNNING in found
    for secret in PLANTED:
        assert not [trace for trace in traces_of(secret) if trace in found]


def test_an_apply_beside_another_is_refused_and_a_dry_run_is_not(desk):
    with open_for_writing(desk.database) as store, store.lease(ttl=timedelta(hours=1)):
        assert desk.call("--yes").returncode == 7
        assert desk.report("--dry-run")["exit_code"] == 5


def test_a_dry_run_makes_not_even_a_table(site, postgres, database):
    site.database = postgres.url(database)
    before = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"
    with psycopg.connect(site.database, autocommit=True) as connection:
        seen = connection.execute(before).fetchone()
        assert site.call("--dry-run").returncode == 5
        assert connection.execute(before).fetchone() == seen
