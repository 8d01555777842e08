"""Following one ref: what is taken, what is kept, what is refused."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.engine.follow import Followed
from reconciler.model.errors import (
    ConfigError,
    NotFastForward,
    RemoteRefused,
    SourceError,
    TreeRefused,
    UsageError,
)


def trees(tmp_path: Path) -> set[str]:
    """The commits whose files are kept."""
    return {path.name.partition("-")[0] for path in tmp_path.glob("cache/*/*") if path.is_dir()}


@contextmanager
def wrong_files(words: str) -> Iterator[None]:
    """The configuration is refused, with one problem that says this."""
    with pytest.raises(ConfigError) as refused:
        yield
    assert words in refused.value.problems[0].message


def leftovers(tmp_path: Path) -> list[Path]:
    return [*tmp_path.glob("cache/*/new-*"), *tmp_path.glob("cache/*/.*")]


async def test_the_newest_commit_gives_the_files(upstream, follow, tmp_path):
    upstream.write("secrets/a.sops.yaml", "x: 1\n")
    upstream.write("bin/run", "#!/bin/sh\n")
    (upstream.root / "bin/run").chmod(0o755)
    head = upstream.commit()
    revision = await follow().refresh()
    assert revision.commit == head
    (file,) = (Path(revision.top, name) for name in revision.files)
    assert file.read_text() == (upstream.root / "connections.yaml").read_text()
    assert (file.parent / "secrets/a.sops.yaml").read_text() == "x: 1\n"
    assert not (file.parent / ".git").exists()
    for path in (tmp_path / "cache").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
    assert not leftovers(tmp_path)


async def test_nothing_new_is_the_same_revision(upstream, follow):
    source = follow()
    first = await source.refresh()
    assert await source.refresh() == first
    assert await follow().refresh() == first
    assert (await follow().refresh()).at == first.at


async def test_a_commit_on_top_is_taken_and_older_files_go(upstream, follow, tmp_path):
    source = follow()
    seen = []
    for _ in range(3):
        revision = await source.refresh()
        source.good(revision)
        seen.append(revision.commit)
        upstream.commit()
    assert len(set(seen)) == 3
    assert trees(tmp_path) == set(seen[1:])


async def test_many_commits_at_once_are_taken(upstream, follow):
    source = follow()
    await source.refresh()
    for _ in range(40):
        head = upstream.commit()
    assert (await source.refresh()).commit == head


async def test_a_merge_is_taken(upstream, follow):
    source = follow()
    await source.refresh()
    upstream.git("switch", "--quiet", "--create", "side")
    for n in range(5):
        upstream.commit(**{f"side{n}.txt": "x"})
    upstream.git("switch", "--quiet", "main")
    upstream.git("merge", "--quiet", "--no-ff", "--message=merge", "side")
    assert (await source.refresh()).commit == upstream.head


async def test_the_last_good_files_stay_while_newer_ones_are_wrong(upstream, follow, tmp_path):
    source = follow()
    good = await source.refresh()
    source.good(good)
    for _ in range(3):
        upstream.commit()
        bad = await source.refresh()
    assert {good.commit, bad.commit} < trees(tmp_path)
    assert len(trees(tmp_path)) == 3  # the one before may just be read
    again = follow()
    assert await again.refresh() == bad
    assert again.last_good() == good
    assert Path(good.top, good.files[0]).is_file()
    assert source.last_good() == good


async def test_there_is_no_last_good_before_one_was_found(follow):
    source = follow()
    assert source.last_good() is None
    await source.refresh()
    assert source.last_good() is None


async def test_a_rewritten_history_is_refused_until_its_commit_is_named(upstream, follow):
    source = follow()
    first = await source.refresh()
    source.good(first)
    upstream.git("commit", "--quiet", "--amend", "--message=another")
    other = upstream.head
    for one in (source, source, follow()):
        with pytest.raises(NotFastForward, match="history was rewritten") as refused:
            await one.refresh()
        assert f"--git-reset-to {other}" in refused.value.hint
        assert first.commit in str(refused.value)
    assert source.last_good() == first
    with pytest.raises(NotFastForward):
        await follow(reset_to=first.commit).refresh()
    assert (await follow(reset_to=other).refresh()).commit == other
    assert (await follow().refresh()).commit == other


async def test_the_commit_that_is_named_takes_nothing_else_with_it(upstream, follow):
    await follow().refresh()
    upstream.git("commit", "--quiet", "--amend", "--message=another")
    named = upstream.head
    upstream.commit()
    with pytest.raises(NotFastForward):
        await follow(reset_to=named).refresh()


async def test_going_back_is_refused(upstream, follow):
    older = upstream.head
    upstream.commit()
    await follow().refresh()
    upstream.git("reset", "--quiet", "--hard", older)
    with pytest.raises(NotFastForward):
        await follow().refresh()


async def test_what_is_too_far_to_tell_is_refused(upstream, follow, monkeypatch):
    monkeypatch.setattr("reconciler.git.repository.DEPTHS", (2, 4))
    source = follow()
    await source.refresh()
    for _ in range(5):
        upstream.commit()
    with pytest.raises(NotFastForward, match="not near enough"):
        await source.refresh()


async def test_a_refused_commit_is_not_fetched_again(upstream, web, follow):
    source = follow(web.url)
    await source.refresh()
    upstream.git("commit", "--quiet", "--amend", "--message=another")
    with pytest.raises(NotFastForward) as first:
        await source.refresh()
    fetched = web.fetches
    with pytest.raises(NotFastForward) as second:
        await source.refresh()
    assert web.fetches == fetched
    assert str(first.value) == str(second.value)


async def test_a_remote_that_is_shallow_itself_is_followed(upstream, follow, tmp_path):
    for _ in range(4):
        upstream.commit()
    clone = tmp_path / "home" / "shallow"
    upstream.git("clone", "--quiet", "--depth=2", upstream.url, str(clone))
    source = follow(f"file://{clone}")
    first = await source.refresh()
    upstream.commit()
    upstream.git("-C", str(clone), "pull", "--quiet", "--ff-only")
    second = await source.refresh()
    assert (first.commit, second.commit) == (upstream.git("rev-parse", "HEAD~1"), upstream.head)


async def test_a_repository_of_sha256_is_followed(tmp_path, upstream, follow):
    upstream.git("init", "--quiet", "--object-format=sha256", "--initial-branch=main", str(tmp_path / "long"))
    (tmp_path / "long" / "connections.yaml").write_text(upstream.config)
    at = ("-C", str(tmp_path / "long"))
    upstream.git(*at, "add", "--all")
    upstream.git(*at, "commit", "--quiet", "--message=x")
    source = follow(str(tmp_path / "long"))
    assert len((await source.refresh()).commit) == 64
    upstream.git(*at, "commit", "--quiet", "--allow-empty", "--message=y")
    assert (await source.refresh()).commit == upstream.git(*at, "rev-parse", "HEAD")


# --- refs


@pytest.mark.parametrize("ref", ["v1", "refs/tags/v1"])
async def test_an_annotated_tag_stands_for_its_commit(upstream, follow, ref):
    upstream.git("tag", "--annotate", "--message=x", "v1")
    tagged = upstream.head
    upstream.commit()
    source = follow(ref=ref)
    assert (await source.refresh()).commit == tagged
    assert (await source.refresh()).commit == tagged


async def test_a_tag_named_like_the_branch_is_refused_unless_it_is_the_same_commit(upstream, follow):
    upstream.git("tag", "main")
    assert (await follow().refresh()).commit == upstream.head
    upstream.git("checkout", "--quiet", "--detach")
    other = upstream.commit()
    upstream.git("update-ref", "refs/tags/main", other)
    with pytest.raises(RemoteRefused, match="a branch and a tag") as refused:
        await follow().refresh()
    assert "--ref refs/heads/main" in refused.value.hint
    assert (await follow(ref="refs/heads/main").refresh()).commit != other


@pytest.mark.parametrize("ref", ["nope", "refs/heads/nope", "mai", "heads/main"])
async def test_a_ref_that_is_not_there_is_refused(follow, ref):
    with pytest.raises(RemoteRefused, match="no branch and no tag"):
        await follow(ref=ref).refresh()


async def test_a_branch_that_goes_away_is_never_an_empty_configuration(upstream, follow, tmp_path):
    source = follow()
    first = await source.refresh()
    upstream.git("branch", "--quiet", "--move", "main", "other")
    with pytest.raises(RemoteRefused):
        await source.refresh()
    assert trees(tmp_path) == {first.commit}


async def test_a_tag_of_no_commit_is_refused(upstream, follow):
    upstream.git("tag", "blob", upstream.blob("x"))
    with pytest.raises(SourceError, match="no commit"):
        await follow(ref="blob").refresh()


@pytest.mark.parametrize(
    "ref",
    [
        "",
        "-x",
        "--upload-pack=x",
        "a b",
        "a..b",
        "a~1",
        "a:b",
        "*",
        "a\nb",
        "a/",
        "@{1}",
        ".x",
        "x.lock",
        "+x^",
    ],
)
def test_what_is_no_name_of_a_ref_is_no_ref(follow, ref):
    with pytest.raises(UsageError, match="no name of a branch"):
        follow(ref=ref)


# --- paths


async def test_paths_are_those_of_the_repository(upstream, follow, tmp_path):
    upstream.write("bots/eu/a.yaml", upstream.config)
    upstream.write("bots/eu/keys/a.sops.yaml", "x: 1\n")
    upstream.write("elsewhere/huge.txt", "x" * 1000)
    upstream.commit()
    revision = await follow(files=("bots/eu/", "bots/us/../eu/a.yaml")).refresh()
    folder, file = (Path(revision.top, name) for name in revision.files)
    assert file == folder / "a.yaml"
    assert (folder / "keys/a.sops.yaml").is_file()
    assert not list((tmp_path / "cache").rglob("huge.txt"))
    whole = await follow(files=(".",)).refresh()
    assert (Path(whole.top, whole.files[0]) / "elsewhere/huge.txt").is_file()
    assert whole.commit == revision.commit


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../b", "a\nb"])
def test_a_path_that_leads_out_is_refused(follow, path):
    with pytest.raises(UsageError, match="no path of the repository"):
        follow(files=(path,))


async def test_files_that_are_gone_are_an_error_and_what_was_there_stays(upstream, follow):
    source = follow()
    first = await source.refresh()
    source.good(first)
    upstream.git("rm", "--quiet", "connections.yaml")
    upstream.git("commit", "--quiet", "--message=all away")
    with wrong_files("no such file"):
        await source.refresh()
    assert source.last_good() == first
    assert Path(first.top, first.files[0]).is_file()


# --- what a dry run leaves


async def test_without_keep_nothing_is_written_and_what_was_accepted_counts(upstream, follow, tmp_path):
    await follow().refresh()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.joinpath("cache").rglob("*")}
    head = upstream.commit()
    with follow(keep=False) as source:
        revision = await source.refresh()
        assert revision.commit == head
        assert Path(revision.top, revision.files[0]).is_file()
    assert not Path(revision.top, revision.files[0]).exists()
    upstream.git("reset", "--quiet", "--hard", "HEAD~1")
    upstream.commit("--amend")
    with follow(keep=False) as source, pytest.raises(NotFastForward):
        await source.refresh()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.joinpath("cache").rglob("*")} == before


async def test_without_keep_no_cache_is_made(follow, tmp_path):
    with follow(keep=False) as source:
        await source.refresh()
    assert not (tmp_path / "cache").exists()


# --- the cache


async def test_a_cache_that_others_may_write_is_refused(follow, tmp_path):
    source = follow()
    await source.refresh()
    (folder,) = (tmp_path / "cache").iterdir()
    folder.chmod(0o770)
    with pytest.raises(SourceError, match="others may write"):
        await follow(reset_to="0" * 40, files=(".",)).refresh()


async def test_a_cache_that_is_a_link_is_refused(follow, tmp_path):
    await follow().refresh()
    (folder,) = (tmp_path / "cache").iterdir()
    folder.rename(tmp_path / "elsewhere")
    (tmp_path / "cache" / folder.name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SourceError, match="no folder"):
        await follow(files=(".",)).refresh()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"commit": 1}', '{"commit": "x", "at": 3}'])
async def test_a_memory_that_cannot_be_read_never_trusts_anew(follow, tmp_path, text):
    await follow().refresh()
    (file,) = (tmp_path / "cache").glob("*/accepted.json")
    file.write_text(text)
    with pytest.raises(SourceError, match="nobody knows what was accepted last"):
        await follow().refresh()


async def test_files_that_were_removed_from_the_cache_are_fetched_again(follow, tmp_path):
    revision = await follow().refresh()
    folder = Path(revision.top, revision.files[0]).parent
    Path(revision.top, revision.files[0]).unlink()
    folder.rmdir()
    assert await follow().refresh() == revision
    assert Path(revision.top, revision.files[0]).is_file()


async def test_a_cache_that_vanished_meanwhile_is_no_first_start(upstream, follow, tmp_path):
    source = follow()
    await source.refresh()
    shutil.rmtree(tmp_path / "cache")
    upstream.commit("--amend")
    for _ in range(2):
        with pytest.raises(NotFastForward):
            await source.refresh()
        upstream.commit()


async def test_files_that_vanished_meanwhile_are_had_again_though_nothing_is_new(upstream, follow, tmp_path):
    source = follow()
    before = await source.refresh()
    shutil.rmtree(tmp_path / "cache")
    after = await source.refresh()
    assert after == before
    assert Path(after.top, after.files[0]).is_file()
    upstream.commit()
    assert (await source.refresh()).commit == upstream.head


async def test_two_urls_and_two_refs_do_not_share_a_memory(upstream, follow, tmp_path):
    upstream.git("branch", "other")
    upstream.commit()
    assert (await follow().refresh()).commit != (await follow(ref="other").refresh()).commit
    assert len(list((tmp_path / "cache").iterdir())) == 2
    (one,) = {path.name.rpartition("-")[0] for path in (tmp_path / "cache").iterdir()}
    assert one == "upstream"


async def test_the_memory_holds_a_commit_and_no_more(upstream, follow, tmp_path):
    await follow().refresh()
    (file,) = (tmp_path / "cache").glob("*/accepted.json")
    assert json.loads(file.read_text()).keys() == {"commit", "tree", "signers", "at"}


# --- what a commit may hold


@pytest.mark.parametrize("name", [b"..", b".", b".git", b".GIT", b".Git"])
@pytest.mark.parametrize("inside", [True, False])
async def test_a_path_that_leads_out_of_a_checkout_is_refused(upstream, follow, tmp_path, name, inside):
    blob = upstream.blob("evil")
    entry = ("100644", name, blob)
    if inside:
        below = upstream.raw_tree(("100644", b"config", blob))
        entry = ("40000", name, below)
    config = ("100644", b"connections.yaml", upstream.blob(upstream.config))
    upstream.push_tree(upstream.raw_tree(entry, config))
    with pytest.raises(SourceError):
        await follow().refresh()
    assert not [
        path for path in tmp_path.joinpath("cache").rglob("*") if path.name != "lock" and path.is_file()
    ]
    assert not (tmp_path / "cache" / "config").exists()


async def test_one_name_twice_is_refused(upstream, follow):
    entries = [("100644", b"connections.yaml", upstream.blob(f"{upstream.config}# {n}")) for n in range(2)]
    upstream.push_tree(upstream.raw_tree(*entries))
    with pytest.raises(TreeRefused, match="twice"):
        await follow().refresh()


async def test_names_that_no_person_can_see_are_left_out(upstream, follow):
    upstream.write("odd\nname.txt", "x")
    upstream.write("odd\x1b[2Jname.txt", "x")
    (upstream.root / "\udcff.txt").write_text("x")
    upstream.commit()
    revision = await follow().refresh()
    assert {path.name for path in Path(revision.top, revision.files[0]).parent.iterdir()} == {
        "connections.yaml"
    }


async def test_a_configuration_that_no_person_can_see_is_an_error(upstream, follow):
    upstream.write("bots/odd\x1b[2Jname.yaml", upstream.config)
    upstream.commit()
    with wrong_files("cannot be shown"):
        await follow(files=("bots",)).refresh()


async def test_names_that_differ_by_case_are_both_written(upstream, follow):
    upstream.write("bots/A.yaml", "version: 1\n")
    upstream.write("bots/a.yaml", upstream.config)
    upstream.commit()
    revision = await follow(files=("bots",)).refresh()
    assert {path.name for path in Path(revision.top, revision.files[0]).iterdir()} == {"A.yaml", "a.yaml"}


@pytest.mark.parametrize("mode", ["120000", "160000"])
async def test_a_link_or_submodule_in_the_place_of_configuration_is_an_error(upstream, follow, mode):
    target = upstream.head if mode == "160000" else upstream.blob("../../etc/passwd")
    for name, paths in ((b"connections.yaml", ("connections.yaml",)), (b"more.yaml", (".",))):
        entries = [("100644", b"base.yaml", upstream.blob(upstream.config)), (mode, name, target)]
        upstream.push_tree(upstream.raw_tree(*entries))
        with wrong_files("link or a submodule"):
            await follow(files=paths).refresh()


async def test_links_beside_the_configuration_are_not_written(upstream, follow, tmp_path):
    (upstream.root / "secrets").symlink_to("/etc")
    (upstream.root / "notes.txt").symlink_to("/etc/passwd")
    upstream.commit()
    revision = await follow().refresh()
    assert [path.name for path in Path(revision.top, revision.files[0]).parent.iterdir()] == [
        "connections.yaml"
    ]
    assert not [path for path in tmp_path.joinpath("cache").rglob("*") if path.is_symlink()]


async def test_a_huge_file_is_left_out_unless_it_is_configuration(upstream, follow):
    upstream.write("film.bin", b"\0" * (9 << 20))
    upstream.commit()
    revision = await follow().refresh()
    assert [path.name for path in Path(revision.top, revision.files[0]).parent.iterdir()] == [
        "connections.yaml"
    ]
    upstream.write("huge.yaml", b"#" * (9 << 20))
    upstream.commit()
    assert (await follow().refresh()).commit == upstream.head
    with wrong_files("larger than"):
        await follow(files=(".",)).refresh()


async def test_more_than_is_read_is_refused(upstream, follow, monkeypatch):
    monkeypatch.setattr("reconciler.git.repository.MAX_TOTAL", 1000)
    upstream.write("more.txt", "x" * 1000)
    upstream.commit()
    with pytest.raises(TreeRefused, match="more than"):
        await follow().refresh()
    monkeypatch.undo()
    monkeypatch.setattr("reconciler.engine.follow.MAX_FILES", 1)
    with pytest.raises(TreeRefused, match="more than"):
        await follow().refresh()


async def test_a_pack_larger_than_is_fetched_is_refused(upstream, follow, monkeypatch, tmp_path):
    monkeypatch.setattr("reconciler.git.plumbing.MAX_PACK", 1 << 20)
    upstream.write("noise.bin", os.urandom(3 << 20))
    upstream.commit()
    with pytest.raises(SourceError, match="larger than is fetched"):
        await follow().refresh()
    assert not leftovers(tmp_path)


async def test_a_name_too_long_for_the_disk_is_an_error_of_ours(upstream, follow, tmp_path):
    entries = [("100644", b"a" * 300, upstream.blob("x"))]
    entries += [("100644", b"connections.yaml", upstream.blob(upstream.config))]
    upstream.push_tree(upstream.raw_tree(*entries))
    with pytest.raises(SourceError, match="cannot be written"):
        await follow().refresh()
    assert not leftovers(tmp_path)


async def test_bytes_are_those_of_the_commit(upstream, follow):
    upstream.write(".gitattributes", "* text eol=crlf working-tree-encoding=UTF-16 ident export-subst\n")
    oid = upstream.blob(f"{upstream.config}# $Id$ $Format:%H$\r\n")
    upstream.git("update-index", "--add", "--cacheinfo", f"100644,{oid},connections.yaml")
    upstream.git("commit", "--quiet", "--message=x")
    revision = await follow().refresh()
    assert (
        Path(revision.top, revision.files[0]).read_bytes()
        == f"{upstream.config}# $Id$ $Format:%H$\r\n".encode()
    )


def test_what_is_no_id_cannot_be_reset_to(follow):
    with pytest.raises(UsageError, match="full id"):
        follow(reset_to="main")


def test_closing_twice_is_no_harm(follow):
    source = follow(keep=False)
    assert isinstance(source, Followed)
    source.close()
    source.close()
