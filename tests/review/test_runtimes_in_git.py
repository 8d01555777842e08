"""Reviews of runtimes: where credentials would go, what others could read on the way, and who opens them."""

from __future__ import annotations

import pytest

from reconciler.model.review import Risk, SecretState

FT = "secrets/ft.sops.yaml"
URL = "https://bots.example:8080"
RULES = (
    "creation_rules:\n"
    "  - path_regex: secrets/ft\n    encrypted_regex: ^(username|password)$\n    age: {age}\n"
    "  - encrypted_regex: ^(api_key|secret|passphrase|private_key)$\n    age: {age}\n"
)


@pytest.fixture
def bot(repo):
    """A freqtrade in ``main``, with its secret file."""

    class Made:
        def files(self, url=URL, more=""):
            text = (repo.root / "connections.yaml").read_text()
            line = f"  ft: {{type: freqtrade, url: '{url}', credentials: {FT}{more}}}\n"
            kept = "".join(one for one in text.splitlines(keepends=True) if not one.startswith("  ft: "))
            repo.write("connections.yaml", kept.replace("runtimes:\n", f"runtimes:\n{line}"))

        def secret(self, url=URL, password="q7Zr4canary9Kd2Xw8"):
            repo.encrypt(FT, f"runtime: ft\nurl: {url}\nusername: bot\npassword: {password}\n")

    made = Made()
    age = next(line for line in (repo.root / ".sops.yaml").read_text().splitlines() if "age:" in line)
    repo.write(".sops.yaml", RULES.replace("{age}", age.split(": ")[1]))
    made.files()
    made.secret()
    repo.commit("a bot")
    repo.git("branch", "--force", "main")
    return made


def leaves(look):
    return {
        (change.section, change.id, leaf.path): leaf.risk
        for change in look.review.changes
        for leaf in change.leaves
    }


def test_a_url_that_git_alone_moves_is_refused(repo, bot):
    bot.files(url="https://evil.example")
    repo.commit()
    look = repo.review()
    assert look.fails == {"binding-mismatch"}
    assert leaves(look)["runtimes", "ft", "url"] is Risk.UP


def test_one_that_its_secret_moves_with_passes_and_is_told_as_risk(repo, bot):
    bot.files(url="https://new.example")
    bot.secret(url="https://new.example")
    repo.commit()
    look = repo.review()
    assert look.passes
    (secret,) = look.review.secrets
    assert (secret.file, secret.connections) == (FT, ("runtime ft",))
    bound = {leaf.path: (leaf.old, leaf.new, leaf.risk) for leaf in secret.leaves}
    assert bound["url"] == (URL, "https://new.example", Risk.UP)


def test_a_new_password_is_told_and_never_shown(repo, bot):
    repo.sops("set", FT, '["password"]', '"another-q7Zr4canary9Kd2Xw8"')
    repo.commit()
    look = repo.review()
    assert look.passes
    (secret,) = look.review.secrets
    assert {field.path: field.state for field in secret.fields} == {
        "password": SecretState.CHANGED,
        "username": SecretState.UNCHANGED,
    }


def test_going_in_clear_is_more_risk_and_has_to_be_said(repo, bot):
    bot.files(url="http://freqtrade:8080")
    bot.secret(url="http://freqtrade:8080")
    repo.commit()
    assert "insecure-http" in repo.review().fails
    bot.files(url="http://freqtrade:8080", more=", insecure_http: true")
    repo.commit()
    look = repo.review()
    assert look.passes
    assert leaves(look)["runtimes", "ft", "insecure_http"] is Risk.UP


def test_real_money_is_more_risk_than_paper(repo, bot):
    bot.files(more=", mode: dry_run, disable: stop")
    repo.commit()
    look = repo.review()
    told = leaves(look)
    assert told["runtimes", "ft", "mode"] is Risk.DOWN
    assert told["runtimes", "ft", "disable"] is not Risk.DOWN


def test_rules_that_would_leave_a_password_in_clear_fail(repo, bot):
    weak = (repo.root / ".sops.yaml").read_text().replace("^(username|password)$", "^username$")
    repo.write(".sops.yaml", weak)
    repo.commit()
    assert "secret-in-clear" in repo.review().fails


def test_a_password_in_clear_fails_however_it_came_there(repo, bot):
    repo.write(FT, f"runtime: ft\nurl: {URL}\nusername: bot\npassword: hunter2hunter2hunter2\n")
    repo.commit()
    assert "not-a-secret-file" in repo.review().fails


def test_another_namespace_or_workload_is_told_as_risk_and_so_is_who_may_undo_a_stop(repo):
    name = "connections.yaml"
    text = (repo.root / name).read_text()
    head, _, tail = text.partition("strategies:\n")

    def files(namespace, workload, more=""):
        runtime = f"  k8s: {{type: kubernetes, namespace: {namespace}{more}}}\n"
        connection = next(one for one in tail.splitlines() if "connection:" in one).split()[-1].strip(",}")
        strategy = (
            f"  in-k8s: {{name: x, connection: {connection}, runtime: k8s, enabled: false, "
            f"pairs: [BTC/USDT], settings: {{workload: {workload}}}}}\n"
        )
        made = head.replace("runtimes:\n", f"runtimes:\n{runtime}")
        repo.write(name, f"{made}strategies:\n{strategy}{tail}")

    files("trading", "deployment/a")
    repo.commit("a cluster")
    repo.git("branch", "--force", "main")
    files("other", "deployment/b", ", replicas_in_git: ignore")
    repo.commit()
    told = leaves(repo.review())
    assert told["runtimes", "k8s", "namespace"] is Risk.UP
    assert told["runtimes", "k8s", "replicas_in_git"] is Risk.UP
    assert told["strategies", "in-k8s", "settings.workload"] is Risk.UP


@pytest.mark.parametrize(
    ("one", "other"), [("bot_id", "account_id"), ("bot", "controller")], ids=["3commas", "hummingbot"]
)
def test_another_bot_of_a_server_is_told_as_risk_and_so_is_another_part_of_it(repo, one, other):
    text = (repo.root / "connections.yaml").read_text()
    head, _, tail = text.partition("strategies:\n")
    connection = next(line for line in tail.splitlines() if "connection:" in line).split()[-1].strip(",}")

    def files(first, second):
        strategy = (
            f"  hosted: {{name: x, connection: {connection}, runtime: paper, enabled: false, "
            f"pairs: [BTC/USDT], settings: {{{one}: {first}, {other}: {second}}}}}\n"
        )
        repo.write("connections.yaml", f"{head}strategies:\n{strategy}{tail}")

    files(1, 7)
    repo.commit("a bot")
    repo.git("branch", "--force", "main")
    files(2, 8)
    repo.commit()
    told = leaves(repo.review())
    assert told["strategies", "hosted", f"settings.{one}"] is Risk.UP
    assert told["strategies", "hosted", f"settings.{other}"] is Risk.UP


@pytest.mark.parametrize(
    ("before", "after", "risk"),
    [
        ("close_first_manual", "stop_entries", Risk.UP),
        ("stop_entries", "stop", Risk.UP),
        ("stop", "close_first_manual", Risk.DOWN),
        (None, "stop", Risk.UP),
    ],
)
def test_who_leaves_more_positions_unmanaged_is_told_as_risk(repo, before, after, risk):
    name = "connections.yaml"
    text = (repo.root / name).read_text()

    def files(choice):
        policy = f"policy:\n  on_disable: {choice}\n" if choice else ""
        repo.write(name, f"{text}{policy}")

    files(before)
    repo.commit("before")
    repo.git("branch", "--force", "main")
    files(after)
    repo.commit()
    assert leaves(repo.review()) == {("policy", "policy", "on_disable"): risk}
