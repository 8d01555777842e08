"""The action's shell, run for real: inputs reach the command line as they are, and nothing else happens."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
import yaml

from reconciler.cli.root import root
from reconciler.resources import folder

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "action"
BASH = str(shutil.which("bash"))
KEY = "AGE-SECRET-KEY-1CANARYCANARYCANARYCANARYCANARYCANARYCANARY"
HOSTILE = [
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned",
    "x\ny",
    '"; touch pwned; "',
    "${IFS}touch${IFS}pwned",
    "* ~ {a,b} <(touch pwned)",
    "--help",
]
#: Says what it was started with, then does what the file beside it says.
RECORDER = """#!{python}
import json, os, pathlib, sys
here = pathlib.Path(__file__).parent
key = os.environ.get("SOPS_AGE_KEY_FILE")
seen = {{"line": sys.argv[1:], "cwd": os.getcwd(), "environ": dict(os.environ)}}
if key:
    seen["key"], seen["mode"] = pathlib.Path(key).read_text(), oct(pathlib.Path(key).stat().st_mode & 0o7777)
(here / "seen.json").write_text(json.dumps(seen))
exec((here / "then.py").read_text())
"""


class Runner:
    """A runner's folders and files, and ``reconcile`` as ``then`` says."""

    def __init__(self, tmp_path):
        self.temp, self.work = tmp_path / "temp", tmp_path / "work"
        self.bin = self.temp / "reconciler" / "venv" / "bin"
        self.output, self.summary = tmp_path / "output", tmp_path / "summary"
        self.bin.mkdir(parents=True)
        self.work.mkdir()
        self.be(RECORDER.format(python=sys.executable))
        self.then("")

    def be(self, script):
        reconcile = self.bin / "reconcile"
        reconcile.write_text(script)
        reconcile.chmod(0o755)

    def then(self, code):
        (self.bin / "then.py").write_text(code)

    def environ(self, **inputs):
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "INPUT_BASE": "HEAD^1",
            "INPUT_HEAD": "HEAD",
            **{f"INPUT_{name.upper()}": value for name, value in inputs.items()},
        }

    def run(self, **inputs):
        self.output.write_text("")
        return subprocess.run(
            [BASH, str(SCRIPTS / "run.sh")],
            cwd=self.work,
            env=self.environ(**inputs),
            text=True,
            capture_output=True,
            check=False,
            timeout=200,
        )

    @property
    def seen(self):
        return json.loads((self.bin / "seen.json").read_text())

    @property
    def outputs(self):
        return dict(line.split("=", 1) for line in self.output.read_text().splitlines())


@pytest.fixture
def runner(tmp_path):
    return Runner(tmp_path)


def parse(line):
    """What click makes of a command line, without running it: ``(command, values)``. Raise what it raises."""
    context = root.make_context("reconcile", list(line))
    rest = [*context._protected_args, *context.args]
    if not rest:
        return "", context.params
    name, command, arguments = root.resolve_command(context, rest)
    assert command is not None
    inner = command.make_context(name, arguments, parent=context)
    return name, inner.params


def test_shellcheck_finds_nothing(tool):
    scripts = sorted(map(str, SCRIPTS.glob("*.sh")))
    assert scripts
    assert tool("shellcheck", "--severity=style", *scripts) == (0, "", "")


@pytest.mark.parametrize("command", ["validate", "diff", "check", "dry-run", "apply"])
def test_every_command_line_of_the_action_is_one_that_reconcile_takes(runner, command):
    runner.run(command=command, files="a.yaml\nb c.yaml", plan="plan.json" if command == "dry-run" else "")
    name, values = parse(runner.seen["line"])
    assert values["files"] == ("a.yaml", "b c.yaml")
    assert values["output"] == "github"
    assert {item.partition("=")[0] for item in values["output_files"]} == {
        "json",
        "markdown",
        "sarif",
        "junit",
    }
    assert name == ("" if command in {"dry-run", "apply"} else command)
    if command == "dry-run":
        assert (values["dry_run"], values["detailed_exitcode"], values["out"]) == (True, True, "plan.json")
    if command == "apply":
        assert (values["yes"], values["plan"]) == (True, None)
    if command == "diff":
        assert (values["base"], values["head"], values["detailed_exitcode"]) == ("HEAD^1", "HEAD", True)


def test_apply_with_a_plan_applies_that_plan_and_says_no_yes(runner):
    runner.run(command="apply", plan="plan.json")
    _, values = parse(runner.seen["line"])
    assert (values["yes"], values["plan"]) == (False, "plan.json")


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    "name", ["files", "args", "base", "head", "plan", "working_directory", "command", "age_key"]
)
def test_no_input_reaches_a_shell(runner, name, text):
    inputs = {"command": "diff" if name in {"base", "head"} else "dry-run", name: text}
    runner.run(**inputs)
    assert not list(runner.work.glob("pwned"))
    assert not list(runner.temp.rglob("pwned"))
    if name in {"files", "args"}:
        wanted = text.splitlines()
        assert [
            item.removeprefix("--file=")
            for item in runner.seen["line"]
            if item.removeprefix("--file=") in wanted
        ]


@pytest.mark.parametrize("text", ["--output-file=json=/tmp/x", "-f", "", "HEAD\n--help"])
def test_a_revision_is_never_an_option(runner, text):
    done = runner.run(command="diff", head=text)
    assert done.returncode == 3
    assert not (runner.bin / "seen.json").exists()


def test_revisions_stand_behind_the_end_of_options(runner):
    runner.run(command="diff", args="--no-color")
    assert runner.seen["line"][-4:] == ["--no-color", "--", "HEAD^1", "HEAD"]


@pytest.mark.parametrize(
    ("command", "code", "changes"),
    [("dry-run", 0, "false"), ("dry-run", 2, "true"), ("diff", 5, "unknown"), ("validate", 3, "")],
)
def test_the_outputs_say_what_came_of_it(runner, command, code, changes):
    runner.then(
        "for a in sys.argv:\n"
        "    if a.startswith('--output-file='): open(a.split('=', 2)[2], 'w').write('report')\n"
        f"sys.exit({code})"
    )
    assert runner.run(command=command).returncode == 0
    assert runner.outputs["exit-code"] == str(code)
    assert runner.outputs["has-changes"] == changes
    for kind in ("json", "markdown", "sarif", "junit"):
        assert Path(runner.outputs[f"report-{kind}"]).read_text() == "report"


def test_a_run_without_a_report_leaves_one_that_can_be_posted(runner, publish):
    runner.then("sys.exit(4)")
    runner.run(command="dry-run")
    text = sys.modules["report"].read(runner.outputs["report-markdown"])
    assert text.startswith("<!-- reconciler:dry-run:00000000 -->\n")
    assert "exit code 4" in text
    assert runner.summary.read_text() == text
    assert "report-json" not in runner.outputs


def test_the_key_is_in_a_file_of_its_own_while_the_command_runs_and_nowhere_after(runner):
    done = runner.run(command="dry-run", age_key=KEY)
    seen = runner.seen
    assert (seen["key"].strip(), seen["mode"]) == (KEY, "0o600")
    assert KEY not in json.dumps([seen["line"], seen["environ"]])
    assert KEY not in done.stdout + done.stderr
    assert not Path(seen["environ"]["SOPS_AGE_KEY_FILE"]).exists()
    assert not any(KEY in path.read_text() for path in runner.temp.rglob("report*/*") if path.is_file())


@pytest.mark.parametrize("command", ["validate", "diff"])
def test_a_command_that_reads_a_pull_request_gets_no_key(runner, command):
    assert runner.run(command=command, age_key=KEY).returncode == 3
    assert not (runner.bin / "seen.json").exists()
    assert list(runner.temp.rglob("age.*")) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_cancelled_run_ends_reconcile_in_order_and_removes_the_key(runner, number):
    runner.then(
        "import signal, time\n"
        "def end(*_):\n    (here / 'ended').write_text('in order'); sys.exit(130)\n"
        "signal.signal(signal.SIGTERM, end)\n(here / 'ready').write_text('')\ntime.sleep(400)"
    )
    runner.output.write_text("")
    process = subprocess.Popen(
        [BASH, str(SCRIPTS / "run.sh")], cwd=runner.work, env=runner.environ(command="apply", age_key=KEY),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not (runner.bin / "ready").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    process.wait(timeout=200)
    assert (runner.bin / "ended").read_text() == "in order"
    assert runner.outputs["exit-code"] == "130"
    assert list(runner.temp.rglob("age.*")) == []


def test_standard_error_cannot_command_the_runner_and_standard_output_can(runner):
    runner.then(
        "print('::error file=a.yaml,line=1::wrong')\n"
        "print('::stop-commands::x', file=sys.stderr)\nprint('  ::add-mask::x ##[error]y', file=sys.stderr)"
    )
    done = runner.run(command="validate")
    assert "::error file=a.yaml,line=1::wrong" in done.stdout.splitlines()
    assert done.stderr.splitlines() == ["stderr: ::stop-commands::x", "stderr:   ::add-mask::x # #[error]y"]


def test_code_beside_the_configuration_is_not_run(runner):
    runner.be(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c "import click, reconciler.cli.entry" "$@"\n')
    for name in ("click.py", "reconciler.py", "sitecustomize.py", "usercustomize.py"):
        (runner.work / name).write_text("open('pwned', 'w')")
    runner.run(command="validate")
    assert not (runner.work / "pwned").exists()
    assert runner.outputs["exit-code"] == "0"


@pytest.mark.parametrize(
    ("code", "allowed", "ends"),
    [("0", "0 2", 0), ("2", "0,2", 0), ("5", "0 2", 5), ("2", "0 x", 3), ("1", "", 1)],
)
def test_the_step_fails_with_any_exit_code_that_is_not_allowed(code, allowed, ends):
    done = subprocess.run(
        [BASH, str(SCRIPTS / "verdict.sh")],
        env={"PATH": os.environ["PATH"], "EXIT_CODE": code, "ALLOWED": allowed},
        capture_output=True,
        check=False,
    )
    assert done.returncode == ends


def fetch_sops(tmp_path, version, digest, content=b"a sops"):
    """Run sops.sh with a curl that gives ``content`` and says how it was called."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tmp_path / "content").write_bytes(content)
    curl = tools / "curl"
    curl.write_text(
        f'#!/bin/bash\nprintf "%s\\n" "$@" > {tmp_path}/called\n'
        'while [ "$1" != --output ]; do shift; done\n'
        f'cp {tmp_path}/content "$2"\n'
    )
    curl.chmod(0o755)
    environ = {"PATH": f"{tools}:{os.environ['PATH']}", "SOPS_VERSION": version, "SOPS_SHA256": digest}
    return subprocess.run(
        [BASH, str(SCRIPTS / "sops.sh"), str(tmp_path / "bin")],
        env=environ,
        capture_output=True,
        check=False,
    )


def test_sops_is_kept_when_it_is_the_one_that_was_named(tmp_path):
    assert fetch_sops(tmp_path, "3.11.0", hashlib.sha256(b"a sops").hexdigest()).returncode == 0
    sops = tmp_path / "bin" / "sops"
    assert (sops.read_bytes(), stat.S_IMODE(sops.stat().st_mode)) == (b"a sops", 0o700)
    called = (tmp_path / "called").read_text()
    assert "--proto\n=https\n" in called
    assert "/getsops/sops/releases/download/v3.11.0/sops-v3.11.0." in called


def test_another_sops_is_removed(tmp_path):
    assert fetch_sops(tmp_path, "3.11.0", "0" * 64).returncode == 3
    assert list((tmp_path / "bin").iterdir()) == []


@pytest.mark.parametrize(
    ("version", "digest"),
    [("3.11.0", ""), ("3.11.0", "x" * 64), ("../../evil", "0" * 64), ("3.11.0 -o x", "0" * 64)],
)
def test_an_unpinned_sops_is_not_even_downloaded(tmp_path, version, digest):
    assert fetch_sops(tmp_path, version, digest).returncode == 3
    assert not (tmp_path / "called").exists()


def test_a_downloaded_sops_is_the_one_that_reconcile_is_told(runner):
    sops = runner.temp / "reconciler" / "bin" / "sops"
    sops.parent.mkdir()
    sops.write_text("")
    sops.chmod(0o700)
    runner.run(command="dry-run")
    assert runner.seen["environ"]["RECONCILER_SOPS"] == str(sops)


def test_the_real_validate_says_what_is_wrong_where_it_is(runner):
    runner.be(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m reconciler.cli "$@"\n')
    shutil.copytree(folder("examples"), runner.work, dirs_exist_ok=True)
    done = runner.run(command="validate", files="connections.yaml")
    assert runner.outputs["exit-code"] == "0", done.stderr
    assert runner.outputs["report-markdown"]
    config = runner.work / "connections.yaml"
    config.write_text(config.read_text().replace("exchange: mexc\n", "exchange: mexx\n", 1))
    done = runner.run(command="validate", files="connections.yaml")
    assert runner.outputs["exit-code"] == "3"
    assert "::error " in done.stdout
    assert "file=connections.yaml" in done.stdout


def test_inputs_reach_shells_only_as_variables():
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    for step in action["runs"]["steps"]:
        if "run" in step:
            assert step["shell"] == "bash"
            assert "${{" not in step["run"], step["name"]


def test_the_token_is_given_to_the_steps_that_post_alone():
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    holders = [step["name"] for step in action["runs"]["steps"] if "inputs.token" in json.dumps(step)]
    assert holders == ["Comment on the pull request", "Open, update or close the issue"]


def test_every_input_is_used_and_every_output_is_made():
    text = (ROOT / "action.yml").read_text()
    action, script = yaml.safe_load(text), (SCRIPTS / "run.sh").read_text()
    for name in action["inputs"]:
        assert text.count(f"inputs.{name} ") + text.count(f"inputs.{name}}}") > 0, name
    for output in action["outputs"].values():
        name = output["value"].removeprefix("${{ steps.run.outputs.").removesuffix(" }}")
        assert f"{name}=" in script or name.startswith("report-"), name


def test_click_refuses_what_the_parser_of_this_test_would_have_to_refuse():
    with pytest.raises(click.UsageError):
        parse(["validate", "--no-such-option"])
