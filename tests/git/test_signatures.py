"""Which signatures let a commit be taken: real ssh-keygen, real gpg."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.git.signatures import signers
from reconciler.model.errors import NotSigned, UsageError

pytestmark = pytest.mark.skipif(
    not shutil.which("ssh-keygen"), reason="no ssh-keygen on PATH (Debian: openssh-client)"
)


@dataclass(frozen=True)
class SshKey:
    path: Path

    @property
    def public(self) -> str:
        """Its kind and its base64, without the comment."""
        return " ".join(self.path.with_suffix(".pub").read_text().split()[:2])

    def line(self, options: str = "") -> str:
        return f"{self.path.name}@example.org {options} {self.public}\n"


@pytest.fixture(scope="session")
def ssh_keys(tmp_path_factory) -> dict[str, SshKey]:
    folder = tmp_path_factory.mktemp("ssh")
    for name in ("alice", "bob", "mallory"):
        call = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
        subprocess.run(call, check=True)
    return {name: SshKey(folder / name) for name in ("alice", "bob", "mallory")}


@pytest.fixture
def alice(ssh_keys):
    return ssh_keys["alice"]


@pytest.fixture
def without_keygen(environ, tmp_path) -> dict[str, str]:
    """The environment of a machine that has git alone."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").symlink_to(shutil.which("git"))
    return environ | {"PATH": str(tmp_path / "bin")}


@pytest.fixture
def mallory(ssh_keys):
    return ssh_keys["mallory"]


@pytest.fixture
def allowed(tmp_path, alice, ssh_keys) -> Path:
    """A file that lists Alice and Bob."""
    file = tmp_path / "allowed"
    file.write_text(f"# who may sign\n\n{alice.line()}{ssh_keys['bob'].line()}")
    return file


def by(key: SshKey) -> tuple[str, ...]:
    """What lets git sign with a key."""
    return ("-c", "gpg.format=ssh", "-c", f"user.signingKey={key.path}", "-c", f"gpg.ssh.program={KEYGEN}")


KEYGEN = shutil.which("ssh-keygen")


def sign(upstream, key, *more: str, **environ: str) -> str:
    """An empty commit, signed; gives its id."""
    upstream.git(*by(key), "commit", "--quiet", "--allow-empty", "-S", "--message=signed", *more, **environ)
    return upstream.head


async def refused(source, words: str) -> None:
    with pytest.raises(NotSigned, match=words) as error:
        await source.refresh()
    assert "--git-signed-by" in error.value.hint


async def test_a_commit_of_a_listed_key_is_taken(upstream, follow, allowed, alice):
    head = sign(upstream, alice)
    assert (await follow(signed_by=str(allowed)).refresh()).commit == head


async def test_an_unsigned_commit_is_refused(upstream, follow, allowed, tmp_path):
    await refused(follow(signed_by=str(allowed)), "it is not signed")
    assert not list(tmp_path.glob("cache/*/*.json"))


async def test_a_key_that_is_not_listed_is_refused(upstream, follow, allowed, mallory):
    sign(upstream, mallory)
    await refused(follow(signed_by=str(allowed)), "not among those that are listed")


async def test_a_key_that_has_ended_is_refused(upstream, follow, allowed, alice):
    sign(upstream, alice)
    allowed.write_text(alice.line('valid-before="20200101"'))
    await refused(follow(signed_by=str(allowed)), "listed, but is not valid now")


async def test_a_date_that_the_commit_tells_does_not_revive_a_key(upstream, follow, allowed, alice):
    """git alone would take it: it judges a key by the commit's own date."""
    allowed.write_text(alice.line('namespaces="git",valid-before="20200101"'))
    sign(upstream, alice, GIT_COMMITTER_DATE="2019-06-01T00:00:00Z")
    check = ("-c", f"gpg.ssh.allowedSignersFile={allowed}", "verify-commit", "HEAD")
    upstream.git(*check)
    await refused(follow(signed_by=str(allowed)), "listed, but is not valid now")


async def test_a_key_that_is_not_valid_yet_is_refused(upstream, follow, allowed, alice):
    sign(upstream, alice)
    allowed.write_text(alice.line('valid-after="20990101"'))
    await refused(follow(signed_by=str(allowed)), "listed, but is not valid now")


async def test_a_key_within_its_time_is_taken(upstream, follow, allowed, alice):
    head = sign(upstream, alice)
    allowed.write_text(alice.line('valid-after="20200101",valid-before="20990101"'))
    assert (await follow(signed_by=str(allowed)).refresh()).commit == head


async def test_a_key_for_another_use_is_refused(upstream, follow, allowed, alice):
    sign(upstream, alice)
    allowed.write_text(alice.line('namespaces="file"'))
    await refused(follow(signed_by=str(allowed)), "bad|not among")


def rewritten(upstream, old: bytes, new: bytes) -> str:
    """The newest commit with other bytes, its signature kept."""
    raw = subprocess.run(
        ["git", "cat-file", "commit", "HEAD"],  # noqa: S607
        cwd=upstream.root,
        capture_output=True,
        check=True,
    ).stdout
    assert old in raw
    oid = upstream.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=raw.replace(old, new, 1))
    upstream.git("update-ref", "refs/heads/main", oid)
    return oid


async def test_a_commit_that_is_not_what_was_signed_is_refused(upstream, follow, allowed, alice):
    before = upstream.git("rev-parse", "HEAD^{tree}")
    upstream.write("connections.yaml", upstream.config + "# other\n")
    upstream.git("add", "--all")
    sign(upstream, alice)
    rewritten(upstream, upstream.git("rev-parse", "HEAD^{tree}").encode(), before.encode())
    await refused(follow(signed_by=str(allowed)), "its signature is bad")


async def test_two_signatures_are_none(upstream, follow, allowed, alice, mallory):
    sign(upstream, alice)
    rewritten(upstream, b"gpgsig ", b"gpgsig -----BEGIN SSH SIGNATURE-----\n x\ngpgsig ")
    await refused(follow(signed_by=str(allowed)), "not known")


async def test_a_signature_of_another_kind_is_refused(upstream, follow, allowed, alice):
    sign(upstream, alice)
    rewritten(upstream, b"-----BEGIN SSH SIGNATURE-----", b"-----BEGIN SIGNED MESSAGE-----")
    await refused(follow(signed_by=str(allowed)), "a way that is not known")


async def test_a_signature_in_the_message_is_none(upstream, follow, allowed, alice):
    signature = "gpgsig -----BEGIN SSH SIGNATURE-----\n x\n -----END SSH SIGNATURE-----"
    upstream.git("commit", "--quiet", "--allow-empty", f"--message=x\n\n{signature}")
    await refused(follow(signed_by=str(allowed)), "it is not signed")


async def test_what_the_user_trusts_is_not_what_the_operator_lists(
    upstream, follow, allowed, mallory, tmp_path
):
    trusting = tmp_path / "trusting"
    trusting.write_text(mallory.line())
    (tmp_path / "home/.gitconfig").write_text(f"[gpg.ssh]\n\tallowedSignersFile = {trusting}\n")
    upstream.git("config", "gpg.ssh.allowedSignersFile", str(trusting))
    sign(upstream, mallory)
    await refused(follow(signed_by=str(allowed)), "not among those that are listed")


# --- a range


async def test_every_commit_on_the_first_parent_line_must_be_signed(upstream, follow, allowed, alice):
    sign(upstream, alice)
    source = follow(signed_by=str(allowed))
    first = await source.refresh()
    unsigned = upstream.commit()
    tip = sign(upstream, alice)
    with pytest.raises(NotSigned, match=unsigned):
        await source.refresh()
    assert (await follow(signed_by=str(allowed), reset_to=tip).refresh()).commit == tip
    assert first.commit != tip


async def test_a_signed_merge_answers_for_the_branch_that_it_merges(upstream, follow, allowed, alice):
    sign(upstream, alice)
    source = follow(signed_by=str(allowed))
    await source.refresh()
    upstream.git("switch", "--quiet", "--create", "side")
    upstream.commit()
    upstream.git("switch", "--quiet", "main")
    upstream.git(*by(alice), "merge", "--quiet", "--no-ff", "-S", "--message=merge", "side")
    assert (await source.refresh()).commit == upstream.head


async def test_a_merge_the_other_way_round_answers_for_nothing(upstream, follow, allowed, alice):
    """The line of first parents then is that of the branch, with its unsigned commit."""
    sign(upstream, alice)
    source = follow(signed_by=str(allowed))
    start = await source.refresh()
    upstream.git("switch", "--quiet", "--create", "side")
    unsigned = upstream.commit()
    upstream.git("switch", "--quiet", "main")
    sign(upstream, alice)
    upstream.git("switch", "--quiet", "side")
    upstream.git(*by(alice), "merge", "--quiet", "--no-ff", "-S", "--message=merge", "main")
    upstream.git("branch", "--force", "main", "side")
    assert upstream.git("merge-base", "--is-ancestor", start.commit, "main") == ""
    with pytest.raises(NotSigned, match=unsigned):
        await source.refresh()


async def test_a_line_longer_than_the_way_to_the_last_commit_is_fetched_whole(
    upstream, follow, allowed, alice, monkeypatch
):
    """A short way leads to the commit before, a long one along the first parents: both must be seen."""
    monkeypatch.setattr("reconciler.git.repository.DEPTHS", (3, 6, 12))
    sign(upstream, alice)
    source = follow(signed_by=str(allowed))
    await source.refresh()
    base = upstream.head
    unsigned = upstream.commit()
    for _ in range(4):
        sign(upstream, alice)
    upstream.git(*by(alice), "merge", "--quiet", "-S", "--strategy=ours", "--message=x", base)
    tree, tip = upstream.git("rev-parse", "HEAD^{tree}"), upstream.head
    merged = upstream.git(*by(alice), "commit-tree", tree, "-p", tip, "-p", base, "-S", "-m", "merge")
    upstream.git("update-ref", "refs/heads/main", merged)
    with pytest.raises(NotSigned, match=unsigned):
        await source.refresh()


async def test_too_many_commits_at_once_are_refused(upstream, follow, allowed, alice, monkeypatch):
    monkeypatch.setattr("reconciler.engine.follow.MAX_COMMITS", 2)
    sign(upstream, alice)
    source = follow(signed_by=str(allowed))
    await source.refresh()
    for _ in range(3):
        sign(upstream, alice)
    with pytest.raises(NotSigned, match="3 commits came at once"):
        await source.refresh()


# --- the list changes


async def test_a_key_that_is_listed_no_longer_ends_what_it_signed(upstream, follow, allowed, alice, ssh_keys):
    sign(upstream, alice)
    source = follow(signed_by=str(allowed))
    source.good(await source.refresh())
    assert source.last_good() is not None
    allowed.write_text(ssh_keys["bob"].line())
    await refused(source, "not among those that are listed")
    assert source.last_good() is None
    allowed.write_text(alice.line())
    assert (await source.refresh()).commit == upstream.head


async def test_what_was_taken_unsigned_is_judged_once_signatures_are_asked_for(
    upstream, follow, allowed, alice
):
    await follow().refresh()
    await refused(follow(signed_by=str(allowed)), "it is not signed")
    head = sign(upstream, alice)
    assert (await follow(signed_by=str(allowed)).refresh()).commit == head


@pytest.mark.parametrize("text", ["", "# nobody\n", "\n\n", "\xff"])
async def test_a_list_of_nobody_is_refused(follow, allowed, text):
    allowed.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError):
        await follow(signed_by=str(allowed)).refresh()


async def test_a_list_that_is_not_there_is_refused(follow, tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        await follow(signed_by=str(tmp_path / "nobody")).refresh()


async def test_without_the_program_nothing_is_taken(upstream, follow, allowed, alice, without_keygen):
    sign(upstream, alice)
    with pytest.raises(UsageError, match="ssh-keygen was not found"):
        await follow(signed_by=str(allowed), environ=without_keygen).refresh()


def test_the_example_lists_keys():
    example = Path(__file__).parents[2] / "examples/follow/allowed_signers"
    lines = signers(str(example)).ssh.splitlines()
    assert len(lines) == 2
    for line in lines:
        public = " ".join(line.split()[-2:]).encode()
        subprocess.run([KEYGEN, "-l", "-f", "-"], input=public, check=True, capture_output=True)


# --- OpenPGP


class Gpg:
    """A person's own GnuPG home."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *arguments: str, stdin: bytes = b"") -> bytes:
        quiet = ("--batch", "--pinentry-mode", "loopback", "--passphrase", "", "--yes")
        done = subprocess.run(
            ["gpg", "--homedir", str(self.home), *quiet, *arguments],  # noqa: S607
            input=stdin,
            capture_output=True,
            check=False,
        )
        assert not done.returncode, done.stderr.decode()
        return done.stdout

    def key(self, name: str, until: str = "never", *more: str) -> str:
        """Make a key that signs; gives its fingerprint."""
        self(*more, "--quick-generate-key", f"{name} <{name}@example.org>", "ed25519", "sign", until)
        listed = self("--list-keys", "--with-colons", f"{name}@example.org").decode().splitlines()
        return next(line.split(":")[9] for line in listed if line.startswith("fpr:"))

    def public(self, key: str) -> str:
        return self("--armor", "--export", key).decode()


@pytest.fixture
def gpg() -> Iterator[Gpg]:
    if not shutil.which("gpg"):
        pytest.skip("no gpg on PATH (Debian: gnupg)")
    home = Path(tempfile.mkdtemp(prefix="gpg-"))  # short: the agent's socket has a path of 108 characters
    yield Gpg(home)
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)  # noqa: S607
    shutil.rmtree(home, ignore_errors=True)


def sign_pgp(upstream, gpg, key: str, *more: str) -> str:
    settings = ("-c", f"user.signingKey={key}", "-c", f"gpg.program={shutil.which('gpg')}")
    upstream.git(
        *settings,
        *more,
        "commit",
        "--quiet",
        "--allow-empty",
        "-S",
        "--message=signed",
        GNUPGHOME=str(gpg.home),
    )
    return upstream.head


async def test_openpgp_keys_that_are_listed_are_taken_beside_those_of_ssh(
    upstream, follow, allowed, gpg, alice
):
    carol = gpg.key("carol")
    allowed.write_text(allowed.read_text() + gpg.public(carol))
    source = follow(signed_by=str(allowed))
    head = sign(upstream, alice)
    assert (await source.refresh()).commit == head
    head = sign_pgp(upstream, gpg, carol)
    assert (await source.refresh()).commit == head


async def test_openpgp_keys_that_are_not_listed_are_refused(upstream, follow, allowed, gpg):
    carol, dave = gpg.key("carol"), gpg.key("dave")
    sign_pgp(upstream, gpg, dave)
    await refused(follow(signed_by=str(allowed)), "only SSH keys are listed")
    allowed.write_text(gpg.public(carol))
    await refused(follow(signed_by=str(allowed)), "not among those that are listed")


async def test_an_ssh_key_is_refused_where_openpgp_keys_alone_are_listed(
    upstream, follow, allowed, gpg, alice
):
    allowed.write_text(gpg.public(gpg.key("carol")))
    sign(upstream, alice)
    await refused(follow(signed_by=str(allowed)), "not among those that are listed")


async def test_the_keyring_of_the_user_is_not_asked(upstream, follow, allowed, gpg, environ):
    carol, dave = gpg.key("carol"), gpg.key("dave")
    sign_pgp(upstream, gpg, dave)
    allowed.write_text(gpg.public(carol))
    mine = environ | {"GNUPGHOME": str(gpg.home)}
    await refused(follow(signed_by=str(allowed), environ=mine), "not among those that are listed")


async def test_an_openpgp_key_that_has_ended_is_refused(upstream, follow, allowed, gpg):
    past = ("--faked-system-time", "20200101T000000")
    key = gpg.key("carol", "1d", *past)
    fake = gpg.home / "then"
    fake.write_text(f'#!/bin/sh\nexec {shutil.which("gpg")} --faked-system-time 20200101T010000 "$@"\n')
    fake.chmod(0o700)
    settings = ("-c", f"user.signingKey={key}", "-c", f"gpg.program={fake}")
    upstream.git(
        *settings, "commit", "--quiet", "--allow-empty", "-S", "--message=x", GNUPGHOME=str(gpg.home)
    )
    allowed.write_text(gpg.public(key))
    await refused(follow(signed_by=str(allowed)), "its key is past its end")


async def test_an_openpgp_signature_that_has_ended_is_refused(upstream, follow, allowed, gpg):
    old = gpg.key("erin", "never", "--faked-system-time", "20200101T000000")
    then = gpg.home / "then"
    when = "--faked-system-time 20200102T000000 --default-sig-expire 1d"
    then.write_text(f'#!/bin/sh\nexec {shutil.which("gpg")} {when} "$@"\n')
    then.chmod(0o700)
    settings = ("-c", f"user.signingKey={old}", "-c", f"gpg.program={then}")
    upstream.git(
        *settings, "commit", "--quiet", "--allow-empty", "-S", "--message=x", GNUPGHOME=str(gpg.home)
    )
    allowed.write_text(gpg.public(old))
    await refused(follow(signed_by=str(allowed)), "its signature is past its end")


async def test_an_openpgp_key_that_was_revoked_is_refused(upstream, follow, allowed, gpg):
    key = gpg.key("carol")
    sign_pgp(upstream, gpg, key)
    written = next((gpg.home / "openpgp-revocs.d").glob("*.rev"))
    gpg("--import", stdin=written.read_bytes().replace(b":-----BEGIN", b"-----BEGIN"))
    allowed.write_text(gpg.public(key))
    await refused(follow(signed_by=str(allowed)), "its key is revoked")


async def test_a_commit_that_is_not_what_openpgp_signed_is_refused(upstream, follow, allowed, gpg):
    key = gpg.key("carol")
    sign_pgp(upstream, gpg, key)
    rewritten(upstream, b"\n\nsigned", b"\n\nforged")
    allowed.write_text(gpg.public(key))
    await refused(follow(signed_by=str(allowed)), "its signature is bad")


async def test_keys_that_are_damaged_are_an_error_or_list_nobody(upstream, follow, allowed, gpg):
    key = gpg.key("carol")
    sign_pgp(upstream, gpg, key)
    begin = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n"
    allowed.write_text(f"{begin}A*A\n-----END PGP PUBLIC KEY BLOCK-----\n")
    with pytest.raises(UsageError, match="damaged"):
        await follow(signed_by=str(allowed)).refresh()
    allowed.write_text(f"{begin}AAAA\n-----END PGP PUBLIC KEY BLOCK-----\n")
    await refused(follow(signed_by=str(allowed)), "not among those")
