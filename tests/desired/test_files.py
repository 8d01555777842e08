"""Which files are read: folders, links, and everything that is no configuration file."""

from __future__ import annotations

import os
import resource
import socket
import time
from pathlib import Path

import pytest

from reconciler.desired import load
from reconciler.desired.disk import Disk
from reconciler.desired.files import MAX_BYTES, OUTSIDE
from reconciler.model.errors import ConfigError, ExitCode, UsageError


def codes(*paths: str | Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(paths)
    assert caught.value.exit_code is ExitCode.CONFIG
    return [problem.code for problem in caught.value.problems]


@pytest.fixture(autouse=True)
def quick():
    """Bad input is refused within a second."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 5  # wall time on a busy machine; one second on an idle one


def test_no_path_is_a_usage_error():
    with pytest.raises(UsageError):
        load([])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load([tmp_path / "gone.yaml"])
    (problem,) = caught.value.problems
    assert problem.code == "not-found"
    assert problem.mark.file == str(tmp_path / "gone.yaml")


def test_an_empty_folder_is_refused(tmp_path):
    assert codes(tmp_path) == ["no-files"]


def test_every_bad_path_is_reported(tmp_path, write, sound):
    assert codes(tmp_path / "a", write(sound), tmp_path / "b") == ["not-found", "not-found"]


def test_a_path_with_a_null_byte(tmp_path):
    assert codes(f"{tmp_path}/\0") == ["unreadable"]


def test_a_path_that_is_too_long():
    assert codes("x" * 5000) == ["unreadable"]


def test_a_loop_of_links(tmp_path):
    (tmp_path / "a.yaml").symlink_to(tmp_path / "a.yaml")
    assert codes(tmp_path / "a.yaml") == ["unreadable"]


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    assert codes(tmp_path / "pipe.yaml") == ["special-file"]
    assert codes(tmp_path) == ["special-file"]


def test_a_socket_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.yaml")
        assert codes("socket.yaml") == ["special-file"]


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero", "/dev/tty"])
def test_a_device_is_refused(device):
    assert codes(device) == ["special-file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_read_permission(write, sound):
    path = write(sound)
    path.chmod(0)
    assert codes(path) == ["unreadable"]


def test_a_large_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "large.yaml"
    with path.open("wb") as handle:
        handle.truncate(50 * 1024 * 1024)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert codes(path) == ["too-large"]
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 40 * 1024  # KiB


def test_the_largest_allowed_file_is_read(tmp_path):
    path = tmp_path / "large.yaml"
    path.write_bytes(b"version: 1\n" + b"#" * (MAX_BYTES - 11))
    assert load([path]).files == (str(path),)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty-file"),
        (b"\x00" * 1000, "not-text"),
        (bytes(range(256)) * 100, "not-utf8"),
        ("version: 1\n".encode("utf-16"), "not-utf8"),
        ("name: größe\n".encode("latin-1"), "not-utf8"),
        (b"[" * 100_000, "too-deep"),
        (b"{a: " * 100_000, "too-deep"),
        (b"- " * 100_000, "too-deep"),
        (b"? " * 100_000, "complex-key"),
        (b'"' + b"\\n" * 100_000, "yaml-syntax"),
        (b":" * 1_000_000, "yaml-syntax"),
        (b"just text", "wrong-type"),
        (b"- a\n- list\n", "wrong-type"),
        (b"17\n", "wrong-type"),
        (b"---\n", "wrong-type"),
    ],
)
def test_what_is_no_configuration_is_refused(write, data, code):
    assert codes(write(data)) == [code]


def test_a_folder_is_merged_in_order_and_below(tmp_path, write, sound):
    head, runtimes, tail = sound.partition("runtimes:")
    write(head, "b.yaml")
    write("version: 1\n" + runtimes + tail, "a/deep/er/z.yml")
    desired = load([tmp_path])
    assert desired.files == (str(tmp_path / "b.yaml"), str(tmp_path / "a/deep/er/z.yml"))
    assert list(desired.connections) == ["mexc-spot-main"]
    assert list(desired.strategies) == ["btc-eth"]
    assert desired.strategies["btc-eth"].mark.file == str(tmp_path / "a/deep/er/z.yml")
    assert desired.connections["mexc-spot-main"].credentials.root == str(tmp_path)


def test_in_a_folder_what_is_hidden_or_secret_is_skipped(tmp_path, write, sound):
    write(sound)
    write("not: [yaml", ".hidden.yaml")
    write("not: [yaml", ".git/config.yaml")
    write("not: [yaml", "secrets/x.sops.yaml")
    write("not: [yaml", "secrets/x.sops.yml")
    write("not: [yaml", ".sops.yaml")
    write("not: [yaml", "README.md")
    write("connection: x\nexchange: mexc\nsops: {version: 3.11.0}\n", "secrets/other.yaml")
    assert load([tmp_path]).files == (str(tmp_path / "connections.yaml"),)


def test_a_folder_of_secret_files_alone_is_no_configuration(tmp_path, write):
    """An empty configuration would mean: stop everything that runs."""
    write("connection: x\nexchange: mexc\nsops: {version: 3.11.0}\n", "only/secrets/x.yaml")
    assert codes(tmp_path / "only") == ["no-files"]
    assert codes(tmp_path / "only", tmp_path / "only" / "secrets") == ["no-files"]


def test_a_secret_file_that_is_named_is_refused(write):
    path = write("connection: x\napi_key: ENC[x]\nsops: {version: 3.11.0}\n", "secret.yaml")
    assert codes(path) == ["secret-file"]


def test_a_secret_in_clear_in_a_folder_is_never_skipped(tmp_path, write, sound):
    write(sound)
    write("connection: x\nexchange: mexc\napi_key: hunter2\nsecret: hunter2\n", "secrets/plain.yaml")
    with pytest.raises(ConfigError) as caught:
        load([tmp_path])
    assert [p.code for p in caught.value.problems].count("plaintext-secret") == 2
    assert not any("hunter2" in str(p) for p in caught.value.problems)


def test_a_file_that_is_named_twice_is_read_once(tmp_path, write, sound):
    path = write(sound)
    assert load([path, tmp_path, str(path)]).files == (str(path),)


def test_paths_stay_as_the_user_gave_them(monkeypatch, tmp_path, write, sound):
    write(sound, "conf/connections.yaml")
    write("", "conf/secrets/mexc-spot-main.sops.yaml")
    monkeypatch.chdir(tmp_path)
    desired = load(["conf/connections.yaml"])
    assert str(desired.connections["mexc-spot-main"].mark) == "conf/connections.yaml:5:3"
    assert desired.connections["mexc-spot-main"].credentials.file == "conf/secrets/mexc-spot-main.sops.yaml"
    monkeypatch.chdir(tmp_path / "conf")
    desired = load([Path("connections.yaml")])
    assert str(desired.connections["mexc-spot-main"].mark) == "connections.yaml:5:3"
    assert desired.connections["mexc-spot-main"].credentials.root == "."


def test_a_link_out_of_the_tree_is_refused(tmp_path, write, sound):
    write(sound, "tree/connections.yaml")
    write("", "tree/secrets/mexc-spot-main.sops.yaml")
    outside = write("version: 1\n", "outside/other.yaml")
    (tmp_path / "tree" / "link.yaml").symlink_to(outside)
    assert codes(tmp_path / "tree") == ["outside-tree"]
    (tmp_path / "tree" / "link.yaml").unlink()
    (tmp_path / "tree" / "folder").symlink_to(outside.parent)
    assert codes(tmp_path / "tree") == ["outside-tree"]


def test_a_link_out_of_the_tree_to_what_is_not_read_is_no_matter(tmp_path, write, sound):
    write(sound)
    (tmp_path / "README.md").symlink_to("/etc/hostname")
    assert load([tmp_path])


def test_links_as_kubernetes_mounts_them_are_followed(tmp_path, write, sound):
    write(sound, "mount/..2026_11_22/connections.yaml")
    write("", "mount/..2026_11_22/secrets/mexc-spot-main.sops.yaml")
    mount = tmp_path / "mount"
    (mount / "..data").symlink_to("..2026_11_22")
    (mount / "connections.yaml").symlink_to("..data/connections.yaml")
    (mount / "secrets").symlink_to("..data/secrets")
    desired = load([mount])
    assert desired.files == (str(mount / "connections.yaml"),)
    assert desired.connections["mexc-spot-main"].credentials.file == str(
        mount / "secrets/mexc-spot-main.sops.yaml"
    )


def test_links_in_a_circle_end(tmp_path, write, sound):
    write(sound)
    (tmp_path / "again").symlink_to(tmp_path)
    assert load([tmp_path]).files == (str(tmp_path / "connections.yaml"),)


def test_a_file_name_that_cannot_be_shown_is_refused(tmp_path, write, sound):
    write(sound)
    write(sound, "bad\x1b[31m.yaml")
    assert codes(tmp_path) == ["file-name"]
    (tmp_path / "bad\x1b[31m.yaml").unlink()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.yaml")).write_text(sound)
    with pytest.raises(ConfigError) as caught:
        load([tmp_path])
    str(caught.value.problems[0]).encode()


def test_a_folder_with_the_name_of_a_file(tmp_path, write, sound):
    write(sound)
    write("version: 1\n", "folder.yaml/more.yaml")
    assert len(load([tmp_path]).files) == 2


class TestBelowATop:
    """Names are those of a repository, wherever its files were written to."""

    @pytest.fixture
    def top(self, tmp_path, sound):
        top = tmp_path / "kept" / "4f2a-1"
        for name, text in (
            ("bots/a.yaml", sound),
            ("bots/secrets/mexc-spot-main.sops.yaml", "x"),
            ("broken.yaml", "version: 3\n"),
            ("away.sops.yaml", "x"),
        ):
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_text(text)
        return top

    @pytest.mark.parametrize(("path", "name"), [("bots/a.yaml", "bots/a.yaml"), ("bots", "bots/a.yaml")])
    def test_every_name_is_relative_to_it(self, top, path, name):
        (found,) = Disk(top=str(top)).find([path]).sources
        assert (found.file, found.root) == (name, "bots")

    @pytest.mark.parametrize("path", [".", ""])
    def test_the_top_itself_is_a_folder_as_another(self, top, path):
        found = Disk(top=str(top)).find([path])
        assert [one.file for one in found.sources] == ["broken.yaml", "bots/a.yaml"]
        assert {one.root for one in found.sources} == {"."}

    def test_so_is_what_is_wrong(self, top):
        with pytest.raises(ConfigError) as caught:
            load(["broken.yaml", "gone.yaml"], files=Disk(top=str(top)))
        assert {one.mark.file for one in caught.value.problems} == {"broken.yaml", "gone.yaml"}

    def test_a_secret_file_stands_below_it_and_nowhere_else(self, top):
        disk = Disk(top=str(top))
        place = disk.secret("secrets/mexc-spot-main.sops.yaml", beside="bots/a.yaml", root="bots")
        assert place.file == "bots/secrets/mexc-spot-main.sops.yaml"
        assert place.real == str(top / place.file)
        assert place.refusal is None
        assert disk.secret("../away.sops.yaml", beside="bots/a.yaml", root="bots").refusal is OUTSIDE
        assert disk.secret("../../../x.yaml", beside="bots/a.yaml", root=".").refusal is OUTSIDE
