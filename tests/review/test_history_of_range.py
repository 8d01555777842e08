from __future__ import annotations

import os
import shutil

import pytest

from reconciler.model.errors import ExitCode, UsageError
from reconciler.model.review import ChangeKind, SecretState
from reconciler.output.clean import clean


def leak(repo, age_secret, name="notes.txt"):
    """A secret that one commit brings and the next takes away; gives the first commit."""
    repo.write(name, f"to be removed\nkey = {age_secret}\n")
    commit = repo.commit("a leak")
    repo.path(name).unlink()
    repo.commit("and away")
    return commit


def elsewhere(repo, folder, *arguments):
    """A clone of the repository beside it, as a runner makes one."""
    at = repo.root.parent / folder
    repo.git(
        "clone", "--quiet", "--template=", *arguments, f"file://{repo.root}", str(at), at=repo.root.parent
    )
    return at


# Secrets that came and went


def test_a_secret_that_a_later_commit_removed_is_found_where_it_stood(repo, age_secret):
    commit = leak(repo, age_secret)
    look = repo.review("main", "branch")
    found = look.concern("plaintext-in-history")
    assert (found.commit, found.mark.file, found.mark.line) == (commit, "notes.txt", 2)
    assert look.exit_code is ExitCode.SECRETS
    assert look.review.changes == ()


def test_a_secret_that_stays_is_told_once_and_where_it_is(repo, age_secret):
    repo.write("notes.txt", f"key = {age_secret}\n")
    repo.commit()
    repo.write("notes.txt", f"a line before\nkey = {age_secret}\n")
    repo.commit()
    look = repo.review("main", "branch")
    assert look.fails == {"plaintext-secret"}
    assert look.concern("plaintext-secret").mark.line == 2


def test_a_secret_of_the_working_tree_is_found_before_it_is_committed(repo, age_secret):
    repo.write("notes.txt", age_secret)
    assert repo.review().fails == {"plaintext-secret"}
    repo.commit()
    repo.path("notes.txt").unlink()
    assert repo.review().fails == {"plaintext-in-history"}


def test_a_secret_of_the_base_is_not_of_this_change(repo, age_secret):
    repo.write("notes.txt", f"key = {age_secret}\n")
    base = repo.commit()
    repo.write("notes.txt", f"key = {age_secret}\nanother line\n")
    repo.commit()
    assert repo.review(base, "branch").passes


@pytest.mark.parametrize(
    "name", ["connections.yaml", "deep/er/notes.md", ".hidden/.env", "secrets/old.sops.yaml"]
)
def test_no_file_is_passed_over(repo, age_secret, name):
    repo.write(name, f"# {age_secret}\n")
    repo.commit()
    repo.git("checkout", "--quiet", "main", "--", ".")
    if name != "connections.yaml":
        repo.path(name).unlink()
    repo.commit()
    assert "plaintext-in-history" in repo.review("main", "branch").fails


def test_after_a_force_push_the_base_is_no_ancestor(repo, age_secret):
    before = leak(repo, age_secret)
    old = repo.git("rev-parse", "HEAD")
    repo.git("reset", "--quiet", "--hard", "main")
    repo.change("connections.yaml", '"500"', '"900"')
    new = repo.commit("rewritten")
    look = repo.review(old, new)
    assert look.passes
    assert [leaf.new for leaf in look.change("strategies", "btc-eth").leaves] == ["900"]
    assert repo.review(new, old).concern("plaintext-in-history").commit == before


def test_main_merged_into_the_branch_is_not_of_the_branch(repo, age_secret):
    repo.change("connections.yaml", '"500"', '"900"')
    repo.commit("a limit")
    repo.git("switch", "--quiet", "main")
    repo.change("connections.yaml", "203.0.113.10", "203.0.113.11")
    leak(repo, age_secret)
    repo.git("switch", "--quiet", "branch")
    repo.git("merge", "--quiet", "--no-edit", "main")
    look = repo.review("main", "branch")
    assert look.passes
    assert [change.id for change in look.review.changes] == ["btc-eth"]


def test_what_only_a_merge_commit_brings_is_of_the_range(repo, age_secret):
    """A merge may hold what no parent has, in a file that both have."""
    repo.write("a.txt", "of the branch\n")
    repo.commit()
    repo.git("switch", "--quiet", "--create", "side", "main")
    repo.write("b.txt", "of the side\n")
    repo.commit()
    repo.git("switch", "--quiet", "branch")
    repo.git("merge", "--quiet", "--no-commit", "side")
    repo.write("a.txt", f"of nobody: {age_secret}\n")
    merge = repo.commit("an evil merge")
    repo.write("a.txt", "of the branch\n")
    repo.commit("as it was")
    assert repo.review("main", "branch").concern("plaintext-in-history").commit == merge


def test_a_merge_of_many_branches(repo, age_secret):
    for name in ("one", "two", "three"):
        repo.git("switch", "--quiet", "--create", name, "main")
        repo.write(f"{name}.md", name)
        repo.commit(name)
    leaked = leak(repo, age_secret)
    repo.git("switch", "--quiet", "branch")
    repo.git("merge", "--quiet", "--no-edit", "one", "two", "three")
    assert repo.git("rev-list", "--parents", "-1", "HEAD").count(" ") == 3
    assert repo.review("main", "branch").concern("plaintext-in-history").commit == leaked


def test_a_branch_without_common_history(repo, age_secret):
    repo.git("switch", "--quiet", "--orphan", "other")
    repo.write("connections.yaml", "version: 1\n")
    repo.commit("a root of its own")
    look = repo.review("main", "other")
    assert look.secret(repo.main).state is SecretState.REMOVED
    with pytest.raises(UsageError, match="no common commit"):
        repo.review("main...other")


# Clones that lack something


def test_a_base_that_a_shallow_clone_lacks(repo, monkeypatch):
    base = repo.git("rev-parse", "main")
    repo.set(repo.main, "secret")
    repo.commit()
    monkeypatch.chdir(elsewhere(repo, "shallow", "--depth=1"))
    for call in ((base, "HEAD"), (f"{base}...HEAD", None)):
        with pytest.raises(UsageError) as caught:
            repo.review(*call)
        assert "--unshallow" in caught.value.hint


def test_a_range_that_a_shallow_clone_cuts_is_called_cut(repo, monkeypatch, age_secret):
    leak(repo, age_secret)
    repo.change("connections.yaml", '"500"', '"900"')
    repo.commit()
    at = elsewhere(repo, "shallow", "--depth=1", "--no-single-branch")
    monkeypatch.chdir(at)
    look = repo.review("origin/main", "HEAD")
    assert look.passes
    assert look.advice == {"history-cut"}
    assert [leaf.new for leaf in look.change("strategies", "btc-eth").leaves] == ["900"]
    repo.git("fetch", "--quiet", "--unshallow", at=at)
    assert repo.review("origin/main", "HEAD").fails == {"plaintext-in-history"}


def test_where_history_is_cut_a_removed_recipient_is_not_said_to_be_shut_out(repo, monkeypatch):
    repo.recipients(repo.bob)
    repo.rotate(repo.main)
    repo.commit()
    assert repo.review().passes
    monkeypatch.chdir(elsewhere(repo, "shallow", "--depth=1", "--no-single-branch"))
    look = repo.review("origin/main", "HEAD")
    assert look.fails == {"history-cut"}
    assert "removed recipient" in look.concern("history-cut").message


def test_a_partial_clone_reads_what_it_has_and_fetches_nothing(repo, monkeypatch):
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.write("notes.txt", "one\n")
    repo.commit()
    repo.write("notes.txt", "two\n")
    repo.change("connections.yaml", '"500"', '"900"')
    repo.commit()
    monkeypatch.chdir(elsewhere(repo, "partial", "--filter=blob:none", "--branch=branch"))
    shutil.move(repo.root, repo.root.with_name("moved away"))
    look = repo.review("origin/main", "HEAD")
    assert look.fails == set()
    assert look.advice == {"base-unsound", "not-searched"}
    assert look.concern("not-searched").mark.file == "notes.txt"
    assert look.change("strategies", "btc-eth").kind is ChangeKind.ADDED


def test_of_very_many_commits_the_oldest_are_said_to_be_left_out(repo, age_secret):
    def commit(number, text):
        who = "committer A <a@example.org> 1767225600 +0000\n"
        return f"commit refs/heads/long\n{who}data 1\nx{'' if number else chr(10) + 'from main'}\n{text}\n"

    leak = f"M 100644 inline notes.txt\ndata {len(age_secret)}\n{age_secret}"
    gone = "D notes.txt"
    stream = "".join(commit(n, {0: leak, 1: gone}.get(n, "")) for n in range(2_001))
    repo.git("fast-import", "--quiet", stdin=stream.encode())
    look = repo.review("main", "long")
    assert look.advice == {"history-cut"}
    assert look.passes
    assert repo.review("main", "long~1").fails == {"plaintext-in-history"}


# Where a review is run from, and what it compares


def test_a_review_gives_the_same_from_any_folder(repo, monkeypatch):
    repo.change("connections.yaml", '"500"', '"900"')
    repo.set(repo.main, "secret")
    repo.commit()
    whole = repo.review("main", "branch").review
    monkeypatch.chdir(repo.path("secrets"))
    inside = repo.review("main", "branch", files=("../connections.yaml",)).review
    assert (inside.changes, inside.secrets, inside.files) == (whole.changes, whole.secrets, whole.files)
    with pytest.raises(UsageError, match="outside this repository"):
        repo.review("main", files=("../../connections.yaml",))


def test_a_range_of_three_dots_is_from_the_merge_base(repo):
    repo.change("connections.yaml", '"500"', '"900"')
    repo.commit()
    repo.git("switch", "--quiet", "main")
    repo.write("connections.yaml", repo.config.replace("conservative", "balanced").replace("BTC ETH", "BTC"))
    repo.commit()
    for call in (("main...branch", None), ("main...", "branch")):
        changes = repo.review(*call).review.changes
        assert [leaf.path for change in changes for leaf in change.leaves] == ["margin_limit.amount"]
    assert len(repo.review("main", "branch").review.changes[0].leaves) == 2
    with pytest.raises(UsageError, match="both sides"):
        repo.review("main...branch", "branch")


def test_without_a_base_it_is_the_merge_base_with_the_main_branch(repo):
    repo.change("connections.yaml", '"500"', '"900"')
    repo.commit()
    look = repo.review(None)
    assert look.review.base.commit == repo.git("rev-parse", "main")
    assert look.review.head.commit is None
    assert len(look.review.changes) == 1


def test_without_a_main_branch_a_base_is_asked_for(repo):
    repo.git("branch", "--quiet", "--move", "main", "trunk")
    with pytest.raises(UsageError, match="no main branch"):
        repo.review(None)


def test_a_detached_head_is_as_good_as_a_branch(repo):
    repo.change("connections.yaml", '"500"', '"900"')
    repo.git("switch", "--quiet", "--detach", repo.commit())
    assert len(repo.review(None, "HEAD").review.changes) == 1


def test_a_review_of_one_revision_against_itself_is_empty(repo):
    for head in ("main", None):
        look = repo.review("main", head)
        assert look.passes
        assert (look.review.changes, look.review.secrets, look.review.on_merge) == ((), (), ())
        assert not look.review.differs


@pytest.mark.parametrize("name", ["nowhere", "main:connections.yaml", "HEAD^{tree}", "v1..v2", ""])
def test_a_name_that_is_no_commit(repo, name):
    with pytest.raises(UsageError):
        repo.review("main", name or "''")


def test_where_there_is_nothing_to_review(repo, tmp_path, monkeypatch):
    bare, empty, nothing = (tmp_path / name for name in ("bare", "empty", "nothing"))
    for folder in (bare, empty, nothing):
        folder.mkdir()
    repo.git("clone", "--quiet", "--bare", "--template=", str(repo.root), str(bare))
    repo.git("init", "--quiet", "--template=", str(empty))
    environ = {"GIT_CEILING_DIRECTORIES": str(tmp_path)}
    for folder in (bare, empty, nothing, repo.path(".git")):
        monkeypatch.chdir(folder)
        with pytest.raises(UsageError) as caught:
            repo.review("main", environ=environ)
        assert caught.value.hint
        assert "fsck" not in caught.value.hint


# The working tree


def test_the_working_tree_is_what_a_commit_would_take(repo):
    third = "{name: Third, exchange: mexc, market: spot, credentials: secrets/third.sops.yaml}"
    repo.encrypt("secrets/third.sops.yaml", repo.plain("third", "mexc", "api_key", "secret"))
    repo.change("connections.yaml", "runtimes:", f"  third: {third}\nruntimes:")
    look = repo.review()
    assert look.passes
    assert look.secret("secrets/third.sops.yaml").state is SecretState.NEW
    repo.write(".gitignore", "secrets/third*\n")
    assert repo.review().fails == {"secret-missing"}


def test_a_file_that_lies_there_no_more_is_gone(repo):
    repo.path(repo.main).unlink()
    look = repo.review()
    assert look.fails == {"secret-missing"}
    assert look.change("connections", "mexc-spot-main").kind is ChangeKind.UNREADABLE
    assert look.review.on_merge == ()


def test_the_working_tree_and_its_commit_give_one_digest(repo):
    repo.change("connections.yaml", '"500"', '"900"')
    repo.recipients(repo.alice, repo.bob, repo.mallory)
    before = repo.review().review
    repo.commit()
    after = repo.review("main", "branch").review
    assert before.digest == after.digest
    assert (before.changes, before.secrets, before.concerns) == (after.changes, after.secrets, after.concerns)


# Files that are named otherwise, and files of configuration in a folder


def test_a_configuration_file_renamed_in_its_folder_changes_nothing(repo):
    repo.write("team/one.yaml", repo.config.replace("secrets/", "keys/"))
    for name in ("mexc-spot-main", "kucoin-spare"):
        repo.write(f"team/keys/{name}.sops.yaml", repo.read(f"secrets/{name}.sops.yaml"))
    repo.git("rm", "-r", "--quiet", "secrets", "connections.yaml")
    base = repo.commit()
    repo.git("mv", "team/one.yaml", "team/other.yaml")
    repo.commit()
    look = repo.review(base, "HEAD", files=("team",))
    assert look.passes
    assert not look.review.differs


def test_a_configuration_file_that_went_is_no_empty_one(repo):
    repo.git("mv", "connections.yaml", "other.yaml")
    repo.commit()
    look = repo.review("main", "branch")
    assert look.fails == {"not-found"}
    assert look.exit_code is ExitCode.CONFIG


def test_a_base_without_configuration_makes_everything_new(repo):
    repo.git("switch", "--quiet", "--orphan", "other")
    repo.write("README.md", "nothing yet\n")
    base = repo.commit()
    repo.git("checkout", "--quiet", "main", "--", ".")
    repo.commit()
    look = repo.review(base, "HEAD")
    assert look.passes
    assert {change.kind for change in look.review.changes} == {ChangeKind.ADDED}
    assert {secret.state for secret in look.review.secrets} == {SecretState.NEW}


# Conflicts


def conflict(repo, name, ours, theirs):
    """Two branches that change one file, merged; gives what git leaves of the file."""
    ours()
    repo.commit("ours")
    repo.git("switch", "--quiet", "--create", "side", "main")
    theirs()
    repo.commit("theirs")
    repo.git("switch", "--quiet", "branch")
    with pytest.raises(AssertionError):
        repo.git("merge", "--quiet", "side")
    return repo.read(name)


def test_markers_of_a_conflict_in_the_configuration(repo):
    conflict(
        repo,
        "connections.yaml",
        lambda: repo.change("connections.yaml", '"500"', '"900"'),
        lambda: repo.change("connections.yaml", '"500"', '"100"'),
    )
    line = repo.read("connections.yaml").splitlines().index("<<<<<<< HEAD") + 1
    for head in (None, "HEAD"):
        look = repo.review("main", head)
        assert look.exit_code is ExitCode.CONFIG
        (mark,) = {
            one.mark for one in look.review.concerns if one.mark and one.mark.file == "connections.yaml"
        }
        assert abs(mark.line - line) <= 1
        repo.commit("left as it is")


def test_markers_of_a_conflict_in_a_secret_file(repo):
    conflict(
        repo,
        repo.main,
        lambda: repo.set(repo.main, "secret", f"ours-{repo.canary}"),
        lambda: repo.set(repo.main, "secret", f"theirs-{repo.canary}"),
    )
    look = repo.review()
    assert look.fails == {"not-a-secret-file"}
    assert look.concern("not-a-secret-file").mark.file == repo.main
    assert look.concern("not-a-secret-file").mark.line > 1
    assert look.secret().state is SecretState.UNREADABLE


def test_a_conflict_that_a_hand_resolved_with_parts_of_both(repo):
    """Their value under our MAC: sops refuses the file, and only the history shows it without a key."""
    conflict(
        repo,
        repo.main,
        lambda: repo.set(repo.main, "secret", f"ours-{repo.canary}"),
        lambda: repo.set(repo.main, "secret", f"theirs-{repo.canary}"),
    )
    repo.git("checkout", "--quiet", "--theirs", "--", repo.main)
    value = repo.value(repo.main, "secret")
    repo.git("checkout", "--quiet", "--ours", "--", repo.main)
    repo.change(repo.main, repo.value(repo.main, "secret"), value)
    assert repo.try_sops("decrypt", repo.main).returncode
    assert repo.review().fails == {"edited-outside-sops"}
    repo.commit("resolved")
    assert repo.review("main", "branch").fails == {"edited-outside-sops"}


def test_a_conflict_resolved_for_one_side(repo):
    conflict(
        repo,
        repo.main,
        lambda: repo.set(repo.main, "secret", f"ours-{repo.canary}"),
        lambda: repo.set(repo.main, "api_key", f"theirs-{repo.canary}"),
    )
    repo.git("checkout", "--quiet", "--theirs", "--", repo.main)
    repo.commit("resolved")
    assert repo.review("main", "branch").passes


# Names and kinds of entries


ODD = [
    b"caf\xe9",
    b"a\nb",
    b"tab\there",
    b"esc\x1b[31m",
    b"quote\"'",
    b"back\\slash",
    b":(glob)*",
    b"-dash",
    b" space ",
]


@pytest.mark.parametrize("name", ODD, ids=repr)
def test_names_of_any_bytes(repo, age_secret, name):
    path = os.path.join(os.fsencode(repo.root), name)  # noqa: PTH118 - bytes
    with open(path, "wb") as file:  # noqa: PTH123 - the same
        file.write(age_secret.encode())
    shutil.copy(os.fsencode(repo.path(repo.spare)), path + b".sops.yaml")
    for head in (None, "HEAD"):
        look = repo.review("main", head)
        assert look.fails == {"plaintext-secret", "ciphertext-copied"}
        assert look.concern("plaintext-secret").mark.line == 1
        shown = os.fsdecode(name + b".sops.yaml")
        assert look.secret(shown).state is SecretState.NEW
        repo.commit("odd")


def test_an_unreadable_secret_file_of_an_odd_name(repo):
    with open(os.path.join(os.fsencode(repo.root), b"caf\xe9.sops.yaml"), "wb") as file:  # noqa: PTH118, PTH123
        file.write(b"no: secrets\n")
    repo.commit()
    look = repo.review("main", "branch")
    assert look.fails == {"not-a-secret-file"}
    (found,) = look.review.concerns
    assert clean(found.mark.file) == r"caf\udce9.sops.yaml"


def link(repo, name, target):
    repo.path(name).unlink(missing_ok=True)
    repo.path(name).symlink_to(target)


@pytest.mark.parametrize("committed", [True, False])
def test_links_and_submodules_are_not_followed(repo, tmp_path, committed):
    outside = tmp_path / "outside"
    shutil.copytree(repo.path("secrets"), outside)
    (outside / "connections.yaml").write_text("version: 1\n")

    def look():
        if committed:
            repo.commit("links")
        return repo.review("main", "branch" if committed else None)

    link(repo, "connections.yaml", outside / "connections.yaml")
    assert look().fails == {"special-file"}
    repo.git("checkout", "--quiet", "main", "--", "connections.yaml")

    link(repo, repo.main, outside / "mexc-spot-main.sops.yaml")
    assert look().fails == {"secret-missing"}
    link(repo, repo.main, "kucoin-spare.sops.yaml")
    assert look().fails == {"secret-missing"}
    repo.path(repo.main).unlink()
    repo.git("checkout", "--quiet", "main", "--", repo.main)

    shutil.rmtree(repo.path("secrets"))
    repo.path("secrets").symlink_to(outside)
    found = look()
    assert found.fails == {"secret-missing"}
    lost = {change.id for change in found.review.changes if change.kind is ChangeKind.UNREADABLE}
    assert lost == {"mexc-spot-main", "kucoin-spare"}


def test_a_submodule_in_place_of_the_secrets(repo):
    head = repo.git("rev-parse", "HEAD")
    repo.git("rm", "-r", "--quiet", "secrets")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{head},secrets")
    repo.git("commit", "--quiet", "--message=a submodule")
    assert repo.review("main", "HEAD").fails == {"secret-missing"}
    assert repo.review("main", "HEAD", files=("secrets",)).fails == {"special-file"}


def test_a_file_without_end_is_not_read(repo):
    repo.path("connections.yaml").unlink()
    os.mkfifo(repo.path("connections.yaml"))
    assert repo.review().fails == {"not-found"}


def test_a_large_file_is_said_to_be_unsearched(repo, age_secret):
    repo.write("large.txt", age_secret + "\n" + "x" * (8 << 20))
    look = repo.review()
    assert look.passes
    assert look.concern("not-searched").mark.file == "large.txt"


def test_a_commit_may_be_known_by_the_other_hash(repo, tmp_path, monkeypatch):
    """In a repository of SHA-256 ids, too, an untouched working tree differs in nothing."""
    at = tmp_path / "sha256"
    at.mkdir()
    repo.git("init", "--quiet", "--object-format=sha256", "--initial-branch=main", "--template=", at=at)
    for name in ("connections.yaml", ".sops.yaml", "secrets"):
        source = repo.path(name)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, at / name)
    repo.git("add", "--all", at=at)
    repo.git("commit", "--quiet", "--message=all", at=at)
    monkeypatch.chdir(at)
    look = repo.review("main")
    assert look.passes
    assert not look.review.differs


@pytest.mark.parametrize("base", [None, "main", "main...", "main~0"])
@pytest.mark.parametrize("space", ["refs/tags/", "refs/remotes/"])
def test_a_ref_called_like_the_main_branch_never_stands_in_for_it(repo, base, space):
    repo.change("connections.yaml", '"500"', '"900"')
    repo.git("update-ref", f"{space}main", repo.commit())
    if base is None:
        look = repo.review(None, "branch")
        assert [leaf.new for leaf in look.change("strategies", "btc-eth").leaves] == ["900"]
        return
    with pytest.raises(UsageError, match="more than one thing"):
        repo.review(base, None if "..." in base else "branch")


def test_two_refs_of_one_commit_are_no_question(repo):
    repo.git("tag", "main", "main")
    assert repo.review("main", "branch").passes


EVIL = """\
version: 1
strategies:
  evil: {name: Evil, connection: mexc-spot-main, runtime: paper, enabled: true, pairs: [BTC/USDT]}
"""


def in_folder(repo):
    """The configuration in a folder of its own, on main as well."""
    repo.git("switch", "--quiet", "main")
    repo.path("conf").mkdir()
    for name in ("connections.yaml", "secrets"):
        repo.git("mv", name, f"conf/{name}")
    repo.commit("a folder")
    repo.git("switch", "--quiet", "--force-create", "branch")


@pytest.mark.parametrize("target", [".hidden", "../conf/.hidden", "y", "nothing"])
def test_a_link_that_leads_to_a_folder_hides_no_configuration(repo, target):
    in_folder(repo)
    repo.write("conf/.hidden/evil.yaml", EVIL)
    repo.path("conf/y").symlink_to(".hidden")
    repo.path("conf/x").symlink_to(target)
    repo.commit()
    for head in ("branch", None):
        look = repo.review("main", head, files=("conf",))
        assert look.fails == {"special-file"}
        assert "conf/x" in {one.mark.file for one in look.review.concerns}


def test_a_link_to_a_file_that_is_no_configuration_is_left_alone(repo):
    in_folder(repo)
    repo.path("conf/README.md").symlink_to("../README.md")
    repo.path("conf/.hidden").symlink_to("secrets")
    repo.commit()
    assert repo.review("main", "branch", files=("conf",)).passes


def test_a_submodule_in_the_folder_hides_no_configuration(repo):
    in_folder(repo)
    commit = repo.git("rev-parse", "HEAD")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{commit},conf/x")
    repo.git("commit", "--quiet", "--message=a submodule")
    assert repo.review("main", "branch", files=("conf",)).fails == {"special-file"}


def test_a_repository_inside_the_working_tree_hides_no_configuration(repo):
    in_folder(repo)
    repo.git("init", "--quiet", "conf/x")
    repo.write("conf/x/evil.yaml", EVIL)
    repo.git("add", "--all", at=repo.path("conf/x"))
    repo.git("commit", "--quiet", "--message=inner", at=repo.path("conf/x"))
    assert repo.review("main", None, files=("conf",)).fails == {"special-file"}


@pytest.mark.parametrize("cone", ["--cone", "--no-cone"])
def test_what_a_sparse_checkout_leaves_out_is_not_removed(repo, cone):
    repo.change("connections.yaml", '"500"', '"900"')
    repo.commit()
    whole = repo.review("main", "branch")
    repo.git("sparse-checkout", "set", cone, *(["/connections.yaml"] if cone == "--no-cone" else []))
    assert not repo.path(repo.main).exists()
    look = repo.review("main", None)
    assert look.passes
    assert look.review.digest == whole.review.digest
    assert look.review.secrets == ()


def test_a_file_that_was_written_where_a_sparse_checkout_left_it_out_counts(repo):
    repo.git("sparse-checkout", "set", "--no-cone", "/connections.yaml", "/.sops.yaml")
    repo.write("README.md", 'password: "kR7!pQ2x9Zt"\n')
    assert repo.review("main", None).fails == {"plaintext-secret"}


def test_a_tree_with_a_file_and_a_folder_of_one_name_is_refused(repo):
    blob = repo.git("hash-object", "-w", "--stdin", stdin=EVIL.encode())
    folder = repo.git("mktree", stdin=f"100644 blob {blob}\tevil.yaml\n".encode())
    listed = f"{repo.git('ls-tree', 'main')}\n040000 tree {folder}\tconnections.yaml\n"
    tree = repo.git("mktree", stdin=listed.encode())
    commit = repo.git("commit-tree", tree, "-p", "main", "-m", "a file and a folder")
    with pytest.raises(UsageError, match="twice"):
        repo.review("main", commit)


def test_a_change_that_is_very_large_is_searched_as_far_as_time_allows(repo, monkeypatch, age_secret):
    monkeypatch.setattr("reconciler.engine.plaintext.MAX_SEARCHED", 1000)
    repo.write("a.txt", "word " * 300)
    repo.write("b.txt", age_secret)
    look = repo.review()
    assert look.passes
    assert look.concern("not-searched").mark.file == "b.txt"


@pytest.mark.parametrize(
    ("attribute", "fails"),
    [
        ("working-tree-encoding=ASCII//TRANSLIT", {"checkout-recoded"}),
        ("text working-tree-encoding=UTF-16LE eol=lf", {"checkout-recoded"}),
        ("working-tree-encoding=UTF-8//IGNORE", {"checkout-recoded"}),
        ("text working-tree-encoding=utf8 eol=lf", set()),
        ("diff=sops", set()),
    ],
)
def test_a_checkout_that_holds_other_text_than_git_fails(repo, attribute, fails):
    repo.write("conf/.gitattributes", f"# ours\n*.yaml {attribute}\n")
    look = repo.review()
    assert look.fails == fails
    assert {str(one.mark) for one in look.review.concerns} <= {"conf/.gitattributes:2:1"}


def test_a_checkout_really_holds_what_its_encoding_makes_of_a_name(repo):
    repo.change("connections.yaml", "name: BTC ETH", "name: 'BTC\uff07 # ETH'")
    repo.commit()
    repo.write(".gitattributes", "connections.yaml working-tree-encoding=ASCII//TRANSLIT\n")
    repo.git("add", ".gitattributes")
    repo.git("commit", "--quiet", "--message=attributes")
    head = repo.git("rev-parse", "HEAD")
    repo.git("worktree", "add", "--quiet", "../other", head)
    assert "name: 'BTC' # ETH'" in (repo.root.parent / "other" / "connections.yaml").read_text()
    assert repo.review("main", head).fails == {"checkout-recoded"}


@pytest.mark.parametrize("name", ["Connections.yaml", "secrets/MEXC-spot-main.sops.yaml", ".SOPS.yaml"])
def test_a_path_that_is_another_one_on_other_machines_fails(repo, name):
    repo.write(name, "version: 1\n")
    repo.write("Readme.md", "no configuration\n")
    found = repo.review().concern("paths-collide")
    assert (found.mark.file, found.mark.line) == (name, 1)
    base = repo.commit()
    assert "paths-collide" not in repo.review(base).fails
