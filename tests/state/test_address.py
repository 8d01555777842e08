"""A PostgreSQL URL: what is shown of it, what is refused, and when encryption is asked for."""

from __future__ import annotations

import socket
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from reconciler.model.errors import ExitCode, StateError, UsageError
from reconciler.state.address import parse
from reconciler.state.store import open_for_reading, open_for_writing


def mode(url, **environ):
    return conninfo_to_dict(parse(url, environ).conninfo).get("sslmode")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ada:hunter2@db.example:5433/kept", "postgresql://ada@db.example:5433/kept"),
        ("postgresql+psycopg://ada:hunter2@db.example/kept", "postgresql://ada@db.example/kept"),
        ("postgres://ada@db.example/kept?password=hunter2", "postgresql://ada@db.example/kept"),
        ("postgresql://ada@db.example/kept?sslpassword=hunter2", "postgresql://ada@db.example/kept"),
        ("postgresql://ada:hunter2@[::1]:5/kept", "postgresql://ada@[::1]:5/kept"),
        ("postgresql://ada:hunter2@a:1,b:2/kept", "postgresql://ada@a:1,b:2/kept"),
        ("postgresql://ada:hunter2@/kept?host=/run/pg", "postgresql://ada@/kept?host=/run/pg"),
        ("postgresql:///kept", "postgresql:///kept"),
    ],
)
def test_it_prints_without_password_and_options(url, shown):
    found = parse(url, {})
    assert str(found) == shown
    assert "hunter2" not in repr(found)


def test_what_the_url_leaves_open_is_shown_as_the_environment_says():
    environ = {"PGHOST": "db.example", "PGUSER": "ada", "PGDATABASE": "kept", "PGPASSWORD": "hunter2"}
    assert str(parse("postgresql://", environ)) == "postgresql://ada@db.example/kept"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:hunter2@db.example/kept?passwrd=hunter2",
        "postgresql://ada:hunter2%zz@db.example/kept",
        "postgresql://ada:hunter2/more@db.example/kept",
        "postgresql://ada:x@hunter2@db.example/kept",
        "postgresql://ada:hunter2@db.example:hunter2/kept",
        "postgresql://ada:hunter2@db.example/kept?sslmode=hunter2",
        "postgresql://ada:hunter2@db.example/kept?sslmode=disable",
    ],
)
@pytest.mark.parametrize("open_", [open_for_reading, open_for_writing])
def test_a_refusal_comes_before_anything_is_sent_and_quotes_nothing(url, open_):
    with pytest.raises(UsageError) as caught:
        open_(url)
    error = caught.value
    assert error.exit_code is ExitCode.CONFIG
    assert error.hint
    assert "hunter2" not in f"{error} {error.hint} {error.__cause__}"
    assert error.__suppress_context__ or error.__context__ is None


def said(url):
    try:
        found = parse(url, {})
    except UsageError as error:
        return f"{error} {error.hint}"
    return f"{found} {found!r}"


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_no_password_however_badly_quoted_is_ever_shown(password):
    assert "hunter2" not in said(f"postgresql://ada:{password}hunter2@db.example/kept")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///kept",
        "postgresql://localhost/kept",
        "postgresql://127.0.0.1/kept",
        "postgresql://[::1]/kept",
        "postgresql://ada@/kept?host=/run/postgresql",
        "postgresql://db.example/kept?hostaddr=127.0.0.1",
    ],
)
def test_this_machine_needs_no_encryption(url):
    assert mode(url) is None
    assert mode(url, PGSSLMODE="disable") is None


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db.example/kept",
        "postgresql://192.0.2.1/kept",
        "postgresql://localhost,db.example/kept",
        "postgresql://localhost/kept?hostaddr=192.0.2.1",
        "postgresql:///kept?service=main",
    ],
)
@pytest.mark.parametrize("weak", ["disable", "allow", "prefer"])
def test_elsewhere_encryption_is_required_and_nothing_weaker_accepted(url, weak):
    assert mode(url) == "require"
    assert mode(url, PGSSLMODE="verify-full") is None, "libpq reads it from there itself"
    with pytest.raises(UsageError, match="in the clear"):
        mode(url, PGSSLMODE=weak)
    with pytest.raises(UsageError, match="in the clear"):
        mode(f"{url}{'&' if '?' in url else '?'}sslmode={weak}")


def test_the_environment_can_name_another_machine_too():
    assert mode("postgresql:///kept", PGHOST="db.example") == "require"
    assert mode("postgresql:///kept", PGSERVICE="main") == "require"
    assert mode("postgresql:///kept", PGHOST="/run/postgresql") is None


@pytest.mark.parametrize("strong", ["require", "verify-ca", "verify-full"])
def test_what_is_as_strong_is_left_as_it_is(strong):
    assert mode(f"postgresql://db.example/kept?sslmode={strong}") == strong


def test_with_the_systems_certificates_libpq_verifies_by_itself():
    assert mode("postgresql://db.example/kept?sslrootcert=system") is None


def test_a_server_without_tls_gets_no_password(monkeypatch):
    """The real libpq against one that says "no TLS", as who listens in between would."""
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            for _ in range(2):
                with server.accept()[0] as client:
                    client.settimeout(5)
                    while got := client.recv(1000):
                        heard.append(got)
                        client.sendall(b"N")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        port = server.getsockname()[1]
        monkeypatch.setattr("reconciler.state.address._here", lambda _found: False)
        url = f"postgresql://ada:hunter2@127.0.0.1:{port}/kept?gssencmode=disable"
        for use in (lambda: open_for_reading(url).inventory(), lambda: open_for_writing(url)):
            with pytest.raises(StateError, match="no TLS") as caught:
                use()
            assert "hunter2" not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"
        thread.join(5)
    assert heard
    assert not any(b"ada" in got or b"hunter2" in got for got in heard)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    for module in ("reconciler.state.postgres", "reconciler.state.address"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UsageError) as caught:
        open_for_reading("postgresql://ada:hunter2@db.example/kept")
    assert "pip install 'reconciler[postgres]'" in caught.value.hint
    assert "hunter2" not in str(caught.value)


def test_a_password_that_strayed_into_the_user_is_not_shown():
    with pytest.raises(UsageError) as caught:
        parse("postgresql://u?password=canary@127.0.0.1/db", {})
    assert "canary" not in f"{caught.value} {caught.value.hint}"


def test_a_byte_that_is_no_text_is_a_wrong_url():
    with pytest.raises(UsageError, match="no URL"):
        parse("postgresql://u:\udcff@127.0.0.1/db", {})
