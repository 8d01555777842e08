"""The real command with people to tell: what they hear, what monitoring reads, and what nobody ever sees."""

from __future__ import annotations

import base64
import json
import stat
import subprocess
from urllib.parse import quote

import pytest

from reconciler.state.store import open_for_reading

SECRET = "whsec_" + base64.b64encode(b"canary-secret-of-the-webhook-0123").decode()
WIDER = "SPOT_ACCOUNT_READ,SPOT_DEAL_WRITE,SPOT_DEAL_READ,SPOT_WITHDRAW_WRITE"
APPLY = ("--yes", "--notify-file", "sinks.yaml")


@pytest.fixture
def sinks(site, receiver):
    """One sink of each kind, all at the same receiver."""
    return write(site, receiver)


def write(site, receiver):
    file = site.root / "sinks.yaml"
    url = f"http://127.0.0.1:{receiver.port}"
    document = {
        "sinks": {
            "chat": {"type": "slack", "url": f"{url}/services/{TOKENS[0]}"},
            "siem": {"type": "webhook", "url": f"{url}/siem?token={TOKENS[1]}", "secret": SECRET},
            "pager": {
                "type": "apprise",
                "url": f"json://bot:{TOKENS[2]}@127.0.0.1:{receiver.port}/pager",
                "min_severity": "critical",
            },
        }
    }
    file.write_text(json.dumps(document))
    file.chmod(0o600)
    return receiver


TOKENS = ("T00CANARY0SLACK0PATH0TOKEN", "q00CANARY0QUERY0TOKEN", "p00CANARY0PASSWORD")


def heard(receiver, of: str) -> list:
    """What one sink took: the webhook's kinds of events, or the texts for people."""
    mine = [one.json for one in receiver.taken if one.path.startswith(f"/{of}")]
    return [one.get("type" if of == "siem" else "text") or one["title"] for one in mine]


def test_everybody_hears_what_concerns_them_once(site, sinks):
    done = site.call(*APPLY)
    assert done.returncode == 5
    kinds = heard(sinks, "siem")
    assert "strategy-enabled" in kinds
    assert len(kinds) == len(heard(sinks, "services")) == open_for_reading(str(site.state)).audit_head().seq
    assert all(text.startswith("CRITICAL: ") for text in heard(sinks, "pager"))
    sinks.taken.clear()
    site.call(*APPLY)
    assert sinks.taken == []
    site.key("mexc-spot-main").permissions = WIDER
    site.call(*APPLY)
    assert heard(sinks, "siem") == ["key-changed", "strategy-disabled", "found"]
    assert heard(sinks, "pager") == ["CRITICAL: withdraw-enabled of connection mexc-spot-main"]


def test_what_an_apply_without_sinks_did_is_told_by_the_next_with_them(site, sinks):
    site.call(*APPLY)
    sinks.taken.clear()
    site.key("mexc-spot-main").permissions = WIDER
    site.call("--yes")
    assert sinks.taken == []
    site.call(*APPLY)
    assert heard(sinks, "siem") == ["key-changed", "strategy-disabled", "found"]


def test_a_dry_run_tells_nobody(site, sinks):
    site.call("--dry-run", "--notify-file", "sinks.yaml", "--metrics-file", "m.prom")
    assert sinks.taken == []
    assert not site.state.exists()
    assert not (site.root / "m.prom").exists()


def test_who_does_not_listen_changes_neither_report_nor_exit_code(site, sinks):
    sinks.status(503)
    done = site.call(*APPLY)
    assert (done.returncode, done.stdout.splitlines()[-1][:10]) == (5, "reconcile:")
    assert done.stderr.count("notifications do not reach") == 3
    assert "it answered 503" in done.stderr


def test_notify_tries_those_that_were_named(site, sinks):
    done = site.run("notify", "--notify-file", "sinks.yaml", raw=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "chat                 taken; it is told of everything",
        "siem                 taken; it is told of everything",
        "pager                taken; it is told of what is critical or worse",
    ]
    sinks.taken.clear()
    sinks.status(404)
    done = site.run("notify", "siem", "--notify-file", "sinks.yaml", raw=True)
    assert (done.returncode, heard(sinks, "siem")) == (1, ["test"])
    assert done.stdout == "siem                 failed: it answered 404: there is nothing at that URL\n"
    done = site.run("notify", "nobody", "--notify-file", "sinks.yaml", raw=True)
    assert (done.returncode, "chat, siem, pager" in done.stderr) == (3, True)
    assert site.run("notify", raw=True).returncode == 3


def metrics(site) -> str:
    return (site.root / "m.prom").read_text()


def test_metrics_are_written_whole_for_others_to_read(site, sinks):
    site.call(*APPLY, "--metrics-file", "m.prom")
    text = metrics(site)
    assert 'reconciler_connection_status{connection="mexc-spot-main",status="connected"} 1.0' in text
    assert 'reconciler_findings_open{check="withdraw-enabled",severity="blocking",verdict="fail"} 1.0' in text
    assert 'reconciler_strategies{decision="run"} 1.0' in text
    assert 'reconciler_actions_total{kind="enable",outcome="done"} 1.0' in text
    assert 'reconciler_passes_total{exit_code="5"} 1.0' in text
    assert 'reconciler_sink_behind_events{sink="chat"} 0.0' in text
    assert "reconciler_lock_held 0.0" in text
    assert "reconciler_last_run_exit_code 5.0" in text
    assert stat.S_IMODE((site.root / "m.prom").stat().st_mode) == 0o644
    site.call(*APPLY, "--metrics-file", "m.prom")
    assert 'reconciler_passes_total{exit_code="5"} 2.0' in metrics(site)


def test_metrics_tell_of_a_run_that_came_to_no_pass(site, sinks):
    site.call("--yes", "--metrics-file", "m.prom")
    site.edit(lambda document: document.update(nonsense=1))
    assert site.call("--yes", "--metrics-file", "m.prom").returncode == 3
    assert "reconciler_last_run_exit_code 3.0" in metrics(site)
    assert 'reconciler_passes_total{exit_code="5"} 1.0' in metrics(site)


def test_a_place_where_no_metrics_can_be_is_told_before_anything_is_done(site):
    done = site.call("--yes", "--metrics-file", "nowhere/m.prom")
    assert (done.returncode, "--metrics-file" in done.stderr, site.state.exists()) == (3, True, False)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda file: file.chmod(0o644), 4),
        (lambda file: file.write_text(file.read_text().replace("slack", "pigeon")), 3),
        (lambda file: file.unlink(), 3),
    ],
)
def test_a_file_of_sinks_that_is_wrong_stops_a_run_before_it_begins(site, sinks, change, code):
    change(site.root / "sinks.yaml")
    done = site.call(*APPLY)
    assert (done.returncode, site.state.exists()) == (code, False)
    hunt(done.stdout + done.stderr)


def test_where_only_sops_cannot_open_it_strategies_are_stopped_all_the_same(site, sinks):
    file = site.root / "sinks.yaml"
    subprocess.run(
        [site.environment["RECONCILER_SOPS"], "encrypt", "--in-place", "--age", AGE, str(file)],
        check=True,
        cwd=site.root.parent,
        capture_output=True,
        env=site.environment,
    )
    site.call("--yes")
    site.key("mexc-spot-main").permissions = WIDER
    done = site.call(*APPLY)
    assert "nobody is told what happens: " in done.stderr
    assert done.returncode == 5
    assert sinks.taken == []
    ran = open_for_reading(str(site.state)).ledger_rows("paper")
    assert not ran["btc-eth-recovery"].enabled
    hunt(done.stdout + done.stderr)


def lockdown(site, *more: str):
    state = ("--state", f"sqlite:///{site.state}")
    return site.run("lockdown", *more, "--yes", *state, "--notify-file", "sinks.yaml", raw=True)


def test_a_lockdown_tells_once_all_is_stopped_and_so_does_its_end(site, sinks):
    site.call(*APPLY)
    sinks.taken.clear()
    done = lockdown(site, "--all", "--reason", "a key leaked")
    assert done.returncode == 0, done.stderr
    assert set(heard(sinks, "siem")) == {"lockdown", "strategy-disabled"}
    assert "CRITICAL: lockdown of everything" in heard(sinks, "pager")
    assert lockdown(site, "--lift", "1").returncode == 0
    assert heard(sinks, "siem")[-1] == "lockdown-lifted"
    assert heard(sinks, "pager")[-1] == "Warning: the lockdown of everything was lifted"


def test_nothing_about_sinks_keeps_a_lockdown_from_stopping(site, sinks):
    site.call(*APPLY)
    (site.root / "sinks.yaml").chmod(0o644)
    done = lockdown(site, "--all", "--reason", "a key leaked")
    assert (done.returncode, "nobody is told what happens: " in done.stderr) == (0, True)
    assert not open_for_reading(str(site.state)).ledger_rows("paper")["btc-eth-recovery"].enabled
    hunt_everywhere(site, done)


#: Nobody here has the private key of it.
AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"


FORBIDDEN = sorted(
    {
        form
        for secret in (*TOKENS, SECRET, SECRET.removeprefix("whsec_"), "canary-secret-of-the-webhook")
        for form in (
            secret,
            quote(secret, safe=""),
            secret[4:-2],
            base64.b64encode(secret.encode()).decode()[:-3],
        )
    }
)


def hunt(text: str) -> None:
    """Nothing that was planted is in ``text``."""
    assert not [form for form in FORBIDDEN if form in text]


def hunt_everywhere(site, done) -> None:
    hunt(done.stdout)
    hunt(done.stderr)
    for path in site.root.parent.rglob("*"):
        if path.is_file() and path.name != "sinks.yaml":
            hunt(path.read_bytes().decode("utf-8", "replace"))


ANSWERS = {
    "taken": b"HTTP/1.1 204 No Content\r\n\r\n",
    "echoes": b"HTTP/1.1 400 %b\r\nContent-Length: 26\r\n\r\n%b" % ((TOKENS[0].encode(),) * 2),
    "redirects": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/%b\r\n\r\n" % TOKENS[1].encode(),
    "no HTTP": b"q00CANARY0QUERY0TOKEN\r\n\r\n",
    "closes": b"",
    "long header": b"HTTP/1.1 200 OK\r\nX: " + b"p00CANARY0PASSWORD" * 2_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_url_and_no_secret_is_ever_seen(site, sinks, answer, form):
    sinks.answer = answer
    more = ("-v", "--log-format", form, "--metrics-file", "m.prom", "--output-file", "json=report.json")
    for command in ((*APPLY, *more), (*APPLY, *more)):
        done = site.call(*command)
        hunt_everywhere(site, done)
        if form == "json":
            assert all(json.loads(line)["event"] for line in done.stderr.splitlines())
    done = site.run("notify", "--notify-file", "sinks.yaml", "--log-format", form, raw=True)
    hunt_everywhere(site, done)


def test_nobody_there_shows_nothing_either(site, sinks):
    file = site.root / "sinks.yaml"
    file.write_text(file.read_text().replace(str(sinks.port), "1"))
    done = site.call(*APPLY, "-v")
    assert done.stderr.count("notifications do not reach") == 3
    hunt_everywhere(site, done)


def test_the_hunt_finds_what_it_hunts_for():
    for secret in (*TOKENS, SECRET):
        with pytest.raises(AssertionError):
            hunt(f"... {secret} ...")
