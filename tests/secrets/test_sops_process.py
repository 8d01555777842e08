"""How sops is run: where it is found, what it is given, and that it never outlives us."""

from __future__ import annotations

import dataclasses
import os
import resource
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.model.desired import Policy
from reconciler.model.errors import SecretsError, SopsFailed, SopsMissing
from reconciler.secrets.sops import Sops, find_sops

Script = Callable[..., Path]
SopsFile = Callable[..., Path]


def test_the_option_is_taken_before_the_variable_and_the_path(script: Script) -> None:
    first, second, third = (script("", name=name) for name in ("one", "two", "sops"))
    environ = {"RECONCILER_SOPS": str(second), "PATH": str(third.parent)}
    assert find_sops(str(first), environ).path == first
    assert find_sops(None, environ).path == second
    assert find_sops(None, {"PATH": str(third.parent)}).path == third
    assert [find_sops(option, environ).source for option in (str(first), None)] == [
        "--sops",
        "RECONCILER_SOPS",
    ]


def test_a_relative_option_becomes_absolute(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    path = script("")
    monkeypatch.chdir(path.parent)
    assert find_sops(path.name, {}).path == path


def test_a_named_program_that_is_not_there_is_not_replaced_by_another(script: Script, tmp_path: Path) -> None:
    on_path = {"PATH": str(script("", name="sops").parent)}
    plain = tmp_path / "plain"
    plain.write_text("")
    for wrong in (tmp_path / "nowhere", tmp_path, plain):
        with pytest.raises(SopsMissing, match="not an executable file") as caught:
            find_sops(str(wrong), on_path)
        assert "install sops" in caught.value.hint


@pytest.mark.parametrize("path", ["", "/nowhere", ".", "relative:"])
def test_no_sops_on_the_path(path: str, script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(script("", name="sops").parent)
    with pytest.raises(SopsMissing, match="was not found"):
        find_sops(None, {"PATH": path})


def test_a_program_that_does_not_start(sops: Sops, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF nonsense")
    broken.chmod(0o755)
    with pytest.raises(SopsMissing, match="does not start"):
        dataclasses.replace(sops, path=broken).decrypt(b"x: 1")


@pytest.fixture
def seen(sops: Sops, script: Script, tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Runs a stand-in for sops and gives the environment, arguments and folder that it saw."""
    out = tmp_path / "seen"

    def look(environ: dict[str, str], policy: Policy | None = None) -> dict[str, str]:
        path = script(
            f"""\
            cat > {out}.stdin
            env > {out}
            echo "ARGV=$*" >> {out}
            echo "CWD=$(pwd)" >> {out}
            echo "CORE=$(ulimit -c)" >> {out}
            echo "SESSION=$(cut -d' ' -f6 /proc/$$/stat) $$" >> {out}
            echo '{{}}'
            """
        )
        dataclasses.replace(sops, path=path, environ=environ).decrypt(b"blob: 1\n", policy=policy)
        return dict(line.split("=", 1) for line in out.read_text().splitlines())

    return look


def test_sops_sees_what_it_needs_and_nothing_else(seen: Callable[..., dict[str, str]]) -> None:
    allowed = {
        "HOME": "/home/x",
        "SOPS_AGE_KEY": "k",
        "SOPS_AGE_KEY_FILE": "/k",
        "SOPS_AGE_KEY_CMD": "c",
        "SOPS_AGE_SSH_PRIVATE_KEY_FILE": "/s",
        "GNUPGHOME": "/g",
        "SOPS_GPG_EXEC": "/gpg",
        "XDG_CONFIG_HOME": "/c",
        "XDG_RUNTIME_DIR": "/r",
    }
    withheld = {
        "VAULT_TOKEN": "s.REAL",
        "VAULT_ADDR": "http://v",
        "AWS_SECRET_ACCESS_KEY": "a",
        "GOOGLE_APPLICATION_CREDENTIALS": "/j",
        "AZURE_CLIENT_SECRET": "z",
        "SOPS_CONFIG": "/evil/.sops.yaml",
        "SOPS_EDITOR": "x",
        "HTTPS_PROXY": "http://p",
        "LD_PRELOAD_X": "no",
        "BINANCE_SECRET": "b",
        "DATABASE_URL": "d",
    }
    found = seen({**allowed, **withheld, "PATH": f"relative:{os.environ['PATH']}::."})
    assert {name: found.get(name) for name in allowed} == allowed
    assert found["VAULT_TOKEN"] == "withheld"
    assert not (withheld.keys() - {"VAULT_TOKEN"}) & found.keys()
    assert found["PATH"] == os.environ["PATH"]
    assert found["SOPS_DISABLE_VERSION_CHECK"] == "1"
    assert found["SOPS_HC_VAULT_ALLOWLIST"] == "none"
    assert (found["GOMAXPROCS"], found["GOGC"]) == ("1", "off")


def test_a_key_service_named_in_policy_gets_its_credentials(seen: Callable[..., dict[str, str]]) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "VAULT_TOKEN": "s.REAL",
        "AWS_PROFILE": "p",
        "AZURE_CLIENT_ID": "z",
        "HTTPS_PROXY": "http://p",
    }
    vault = Policy(recipients={"hc_vault": ("https://vault.example:8200/v1/transit/keys/k",)})
    found = seen(environ, vault)
    assert found["VAULT_TOKEN"] == "s.REAL"
    assert found["SOPS_HC_VAULT_ALLOWLIST"] == "https://vault.example:8200/"
    assert found["HTTPS_PROXY"] == "http://p"
    assert not {"AWS_PROFILE", "AZURE_CLIENT_ID"} & found.keys()
    assert seen(environ, Policy(recipients={"kms": ("arn:x",)}))["AWS_PROFILE"] == "p"
    assert "AWS_PROFILE" not in seen(environ, Policy(recipients={"kms": ()}))


def test_relative_key_files_mean_the_operators_folder(
    seen: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.chdir(home)
    assert (
        seen({"PATH": os.environ["PATH"], "SOPS_AGE_KEY_FILE": "k.txt"})["SOPS_AGE_KEY_FILE"]
        == f"{home}/k.txt"
    )


def test_an_empty_variable_names_nothing_and_never_the_current_folder(
    seen: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """gpg takes an empty GNUPGHOME for none; a checkout taken for one brings its own gpg-agent.conf."""
    monkeypatch.chdir(home)
    names = ("GNUPGHOME", "SOPS_AGE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_FILE")
    found = seen({"PATH": os.environ["PATH"], **dict.fromkeys(names, "")})
    assert {name: found.get(name, "") for name in names} == dict.fromkeys(names, "")


def test_how_sops_is_run(seen: Callable[..., dict[str, str]], tmp_path: Path) -> None:
    found = seen({"PATH": os.environ["PATH"]})
    assert found["ARGV"] == "decrypt --input-type yaml --output-type json"
    assert (tmp_path / "seen.stdin").read_bytes() == b"blob: 1\n"
    assert found["CWD"] == "/"
    assert found["CORE"] == "0"
    assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0, "plaintext is in this process as well"
    session, own = found["SESSION"].split()
    assert session == own, "a session of its own has no terminal to prompt at"


def alive(pid_file: Path) -> bool:
    """Whether the process named in a file still runs; a zombie does not."""
    stat = Path(f"/proc/{pid_file.read_text().strip()}/stat")
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pid_file: Path) -> bool:
    """Whether the process ends, in any time: init reaps it, not we."""
    end = time.monotonic() + 60
    while alive(pid_file) and time.monotonic() < end:
        threading.Event().wait(0.01)
    return not alive(pid_file)


def test_a_hanging_key_command_is_ended_with_its_child(
    sops: Sops, sops_file: SopsFile, script: Script, tmp_path: Path
) -> None:
    command = script(f"sleep 100 &\necho $! > {tmp_path}/child\necho $$ > {tmp_path}/command\nwait\n")
    environ = {k: v for k, v in sops.environ.items() if k != "SOPS_AGE_KEY"}
    hanging = dataclasses.replace(
        sops, environ=environ | {"SOPS_AGE_KEY_CMD": str(command)}, limit=2.0, grace=0.2
    )
    blob = sops_file().read_bytes()
    began = time.monotonic()
    with pytest.raises(SopsFailed, match="did not finish in time"):
        hanging.decrypt(blob)
    assert time.monotonic() - began < 20
    assert gone(tmp_path / "command")
    assert gone(tmp_path / "child")


def test_a_child_that_ignores_the_request_is_killed(sops: Sops, script: Script, tmp_path: Path) -> None:
    path = script(f"trap '' TERM\necho $$ > {tmp_path}/pid\nwhile :; do sleep 0.05; done\n")
    with pytest.raises(SopsFailed, match="did not finish in time"):
        dataclasses.replace(sops, path=path, limit=0.3, grace=0.2).decrypt(b"x: 1")
    assert gone(tmp_path / "pid")


def test_a_child_that_closes_its_outputs_and_lives_on_is_ended(
    sops: Sops, script: Script, tmp_path: Path
) -> None:
    path = script(f"echo $$ > {tmp_path}/pid\nexec >&- 2>&- <&-\nsleep 100\n")
    with pytest.raises(SopsFailed, match="did not finish in time"):
        dataclasses.replace(sops, path=path, limit=0.3, grace=0.2).decrypt(b"x: 1" * 100_000)
    assert gone(tmp_path / "pid")


def test_endless_output_is_ended(sops: Sops, script: Script) -> None:
    path = script("exec yes\n")
    with pytest.raises(SopsFailed, match="more output"):
        dataclasses.replace(sops, path=path).decrypt(b"x: 1")


def test_endless_complaints_do_not_fill_the_memory(sops: Sops, script: Script) -> None:
    path = script("yes >&2 &\nsleep 0.2\nkill $!\nexit 51\n")
    with pytest.raises(SecretsError, match="MAC"):
        dataclasses.replace(sops, path=path).decrypt(b"x: 1")


def test_a_child_that_reads_nothing_is_no_trouble(sops: Sops, script: Script) -> None:
    path = script("exec <&-\necho '{}'\n")
    assert dataclasses.replace(sops, path=path).decrypt(b"x" * 1_000_000) == {}


def test_a_running_sops_can_be_cancelled(sops: Sops, script: Script, tmp_path: Path) -> None:
    path = script(f"echo $$ > {tmp_path}/pid.new\nmv {tmp_path}/pid.new {tmp_path}/pid\nsleep 100\n")
    cancel = threading.Event()

    def once_it_runs() -> None:
        while not (tmp_path / "pid").exists():
            time.sleep(0.01)
        cancel.set()

    waiting = threading.Thread(target=once_it_runs, daemon=True)
    waiting.start()
    began = time.monotonic()
    with pytest.raises(SopsFailed, match="interrupted"):
        dataclasses.replace(sops, path=path, grace=0.2).decrypt(b"x: 1", cancel=cancel)
    waiting.join()
    assert time.monotonic() - began < 20
    assert gone(tmp_path / "pid")


def test_the_real_vault_token_never_leaves_even_unjudged(sops: Sops, sops_file: SopsFile, home: Path) -> None:
    """Decrypting a file that nobody judged: the attacker's listener gets a worthless token."""
    (home / ".vault-token").write_text("s.REAL-FROM-FILE")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        port = server.getsockname()[1]
        text = sops_file().read_text()
        start, end = text.index("    age:"), text.index("    lastmodified")
        block = (
            "    hc_vault:\n"
            f"        - vault_address: http://127.0.0.1:{port}\n"
            "          engine_path: transit\n          key_name: k\n"
            "          created_at: '2026-01-01T00:00:00Z'\n          enc: vault:v1:x\n"
        )
        got: list[bytes] = []

        def listen() -> None:
            peer, _ = server.accept()
            with peer:
                got.append(peer.recv(65536))
                peer.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        listener = threading.Thread(target=listen)
        listener.start()
        environ = dict(sops.environ) | {"VAULT_TOKEN": "s.REAL-FROM-ENV"}
        with pytest.raises(SecretsError):
            dataclasses.replace(sops, environ=environ).decrypt((text[:start] + block + text[end:]).encode())
        listener.join(5)
    assert b"s.REAL" not in got[0]
    assert b"withheld" in got[0]
