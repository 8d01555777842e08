from __future__ import annotations

import pytest

from reconciler.model.errors import ExitCode
from reconciler.model.report import Weight
from reconciler.model.review import ChangeKind, Risk, SecretState

OTHER_KEY = "secrets/other.sops.yaml"


# What sops itself does to a file


def test_one_value_that_sops_set_is_the_one_that_changed(repo):
    repo.set(repo.main, "secret")
    look = repo.review()
    assert look.passes
    assert look.secret().state is SecretState.CHANGED
    assert look.states() == {"api_key": "unchanged", "secret": "changed"}
    assert (look.secret().added, look.secret().removed, look.secret().still_reads) == ((), (), ())
    assert [one.reason for one in look.review.on_merge] == [
        "its connection gets another secret: the key is judged anew"
    ]


def test_a_value_set_to_what_it_was_keeps_its_ciphertext(repo):
    repo.set(repo.main, "secret", f"secret-of-mexc-spot-main-{repo.canary}")
    look = repo.review()
    assert look.passes
    assert all("changed" not in look.states(found.file).values() for found in look.review.secrets)
    assert look.review.on_merge == ()


def test_a_field_that_sops_unset_is_removed_and_missed(repo):
    repo.sops("unset", repo.spare, '["passphrase"]')
    look = repo.review()
    assert look.states(repo.spare) == {"api_key": "unchanged", "passphrase": "removed", "secret": "unchanged"}
    assert "`passphrase` is missing or empty" in look.concern("not-a-secret-file").message
    assert look.exit_code is ExitCode.SECRETS


def test_a_field_that_the_exchange_does_not_take_is_new_and_refused(repo):
    repo.set(repo.main, "passphrase")
    look = repo.review()
    assert look.states() == {"api_key": "unchanged", "passphrase": "new", "secret": "unchanged"}
    assert look.fails == {"not-a-secret-file"}


def test_sops_edit_leaves_what_the_editor_left(repo):
    repo.edit(repo.spare, "s/^passphrase: .*/passphrase: another/")
    look = repo.review()
    assert look.passes
    assert look.states(repo.spare) == {
        "api_key": "unchanged",
        "passphrase": "changed",
        "secret": "unchanged",
    }


def test_fields_that_an_editor_reordered_are_unchanged(repo):
    repo.edit(repo.spare, "/^secret:/{h;d};/^passphrase:/{G}")
    look = repo.review()
    assert look.passes
    assert set(look.states(repo.spare).values()) == {"unchanged"}


@pytest.mark.parametrize("how", ["rotate", "renew"])
def test_of_a_file_that_was_encrypted_anew_no_value_is_called_kept(repo, how):
    getattr(repo, how)(repo.main)
    look = repo.review()
    assert look.passes
    assert look.secret().state is SecretState.REENCRYPTED
    assert set(look.states().values()) == {"changed"}
    assert look.review.changes == ()
    assert look.review.digest == repo.review("main", "main").review.digest


def test_a_new_and_a_removed_secret_file_are_told_with_their_connections(repo):
    repo.encrypt(OTHER_KEY, repo.plain("third", "mexc", "api_key", "secret"))
    config = repo.config.replace("kucoin-spare:", "third:").replace("exchange: kucoin", "exchange: mexc")
    repo.write("connections.yaml", config.replace("kucoin-spare.sops", "other.sops"))
    repo.path(repo.spare).unlink()
    look = repo.review()
    assert look.passes
    new, old = look.secret(OTHER_KEY), look.secret(repo.spare)
    assert (new.state, new.connections) == (SecretState.NEW, ("third",))
    assert (old.state, old.connections) == (SecretState.REMOVED, ("kucoin-spare",))
    assert new.recipients == old.recipients == tuple(sorted((repo.alice.identity, repo.bob.identity)))
    assert not old.removed


# Recipients


def test_a_recipient_that_the_rules_name_is_more_risk_and_passes(repo):
    repo.recipients(repo.alice, repo.bob, repo.mallory)
    look = repo.review()
    assert look.passes
    assert look.secret().added == (repo.mallory.identity,)
    assert look.secret().risk is Risk.UP
    assert look.states() == {"api_key": "unchanged", "secret": "unchanged"}
    assert look.secret().state is SecretState.CHANGED
    assert look.review.differs
    assert look.review.on_merge == ()
    holders = look.change("rules", ".sops.yaml").leaves
    assert [(leaf.risk, leaf.new) for leaf in holders] == [
        (Risk.UP, tuple(sorted(one.identity for one in (repo.alice, repo.bob, repo.mallory))))
    ]


def test_a_recipient_whom_nothing_names_fails(repo):
    repo.recipients(repo.alice, repo.bob, repo.mallory, named=False)
    look = repo.review()
    assert repo.mallory.name in look.concern("recipient-unknown").message
    assert look.exit_code is ExitCode.SECRETS


def test_a_recipient_of_another_file_of_the_base_is_known(repo):
    repo.recipients(repo.alice, repo.bob, repo.mallory, name=repo.spare, named=False)
    repo.git("switch", "--quiet", "main")
    repo.commit()
    repo.recipients(repo.alice, repo.bob, repo.mallory, named=False)
    assert repo.review("HEAD").passes


@pytest.mark.parametrize(("allowed", "fails"), [(True, set()), (False, {"unsafe-recipient"})])
def test_policy_decides_over_recipients_where_it_names_any(repo, allowed, fails):
    extra = [repo.mallory] if allowed else []
    named = ", ".join(one.name for one in (repo.alice, repo.bob, *extra))
    repo.write("connections.yaml", f"{repo.config}policy: {{recipients: {{age: [{named}]}}}}\n")
    repo.git("switch", "--quiet", "main")
    repo.commit()
    repo.recipients(repo.alice, repo.bob, repo.mallory, named=False)
    assert repo.review("HEAD").fails == fails


def test_a_policy_that_names_others_is_judged_against_files_that_stay(repo):
    repo.write("connections.yaml", f"{repo.config}policy: {{recipients: {{age: [{repo.bob.name}]}}}}\n")
    look = repo.review()
    assert look.review.secrets == ()
    assert look.fails == {"unsafe-recipient"}
    assert {c.mark.file for c in look.review.concerns} == {repo.main, repo.spare}


def test_a_new_file_for_a_stranger_fails(repo):
    plain = repo.plain("third", "mexc", "api_key", "secret")
    repo.encrypt(OTHER_KEY, plain, by=repo.rules(repo.mallory))
    look = repo.review()
    assert look.fails == {"recipient-unknown"}
    assert look.concern("recipient-unknown").mark.file == OTHER_KEY


def test_rules_of_another_folder_vouch_for_nobody(repo):
    repo.recipients(repo.alice, repo.bob, repo.mallory, named=False)
    repo.write("docs/.sops.yaml", repo.rules(repo.mallory))
    assert repo.review().fails == {"recipient-unknown"}
    repo.git("clean", "--force", "--quiet", "-d")
    repo.write("secrets/.sops.yaml", repo.rules(repo.mallory))
    assert repo.review().passes


def test_policy_of_these_connections_vouches_for_no_stranger_in_other_files(repo):
    named = ", ".join(one.name for one in (repo.alice, repo.bob))
    repo.change(
        "connections.yaml", "connections:", f"policy: {{recipients: {{age: [{named}]}}}}\nconnections:"
    )
    repo.encrypt(OTHER_KEY, repo.plain("third", "mexc", "api_key", "secret"))
    base = repo.commit()
    repo.recipients(repo.alice, repo.bob, repo.mallory, name=OTHER_KEY, named=False)
    look = repo.review(base)
    assert look.fails == {"recipient-unknown"}
    assert look.concern("recipient-unknown").mark.file == OTHER_KEY


def test_a_removed_recipient_still_reads_while_the_data_key_is_the_old_one(repo):
    repo.recipients(repo.bob)
    look = repo.review()
    found = look.concern("recipient-still-reads")
    assert repo.alice.name in found.message
    assert "sops rotate" in found.fix
    assert (look.secret().removed, look.secret().still_reads) == (
        (repo.alice.identity,),
        (repo.alice.identity,),
    )
    assert look.secret().risk is Risk.UP
    assert look.exit_code is ExitCode.SECRETS


def test_a_removed_recipient_after_a_rotation_is_only_told(repo):
    repo.recipients(repo.bob)
    repo.rotate(repo.main)
    look = repo.review()
    assert look.passes
    assert look.advice == {"recipient-removed"}
    assert (look.secret().removed, look.secret().still_reads) == ((repo.alice.identity,), ())
    assert look.secret().risk is Risk.DOWN


@pytest.mark.parametrize("squashed", [False, True])
def test_removed_in_one_commit_and_rotated_in_a_later_one_passes(repo, squashed):
    repo.recipients(repo.bob)
    if not squashed:
        repo.commit("remove Alice")
    repo.rotate(repo.main)
    repo.commit("rotate")
    look = repo.review("main", "branch")
    assert look.passes
    assert look.advice == {"recipient-removed"}


def test_rotated_first_and_removed_after_still_reads(repo):
    repo.rotate(repo.main)
    repo.commit("rotate, too early")
    repo.recipients(repo.bob)
    repo.commit("remove Alice")
    look = repo.review("main", "branch")
    assert look.secret().still_reads == (repo.alice.identity,)
    assert look.exit_code is ExitCode.SECRETS


@pytest.mark.parametrize("first", ["set", "remove"])
def test_values_set_anew_are_no_rotation(repo, first):
    """The two ends share nothing; the version in between shares the values or the wraps with each."""
    steps = [lambda: repo.set_all(repo.main), lambda: repo.recipients(repo.bob)]
    for step in steps if first == "set" else reversed(steps):
        step()
        repo.commit()
    look = repo.review("main", "branch")
    assert set(look.states().values()) == {"changed"}
    assert look.secret().still_reads == (repo.alice.identity,)
    assert "recipient-still-reads" in look.fails


def test_values_set_anew_keep_the_wraps_and_so_the_proof(repo):
    """A hand that takes the entry away leaves the others' wraps, whatever sops writes afterwards."""
    repo.change(repo.main, repo.stanza(repo.main, repo.alice), "")
    repo.set_all(repo.main)
    assert repo.review().secret().still_reads == (repo.alice.identity,)


def test_a_chain_that_went_through_another_name_is_found(repo):
    repo.git("mv", repo.main, "secrets/away.sops.yaml")
    repo.recipients(repo.bob, name="secrets/away.sops.yaml")
    repo.commit("away, without Alice")
    repo.git("mv", "secrets/away.sops.yaml", repo.main)
    repo.set_all(repo.main)
    repo.commit("back, with new values")
    assert repo.review("main", "branch").secret().still_reads == (repo.alice.identity,)


def test_a_file_that_moved_after_its_recipients_shrank_is_not_new(repo):
    moved = "secrets/moved.sops.yaml"
    repo.recipients(repo.bob)
    repo.commit("without Alice")
    repo.git("mv", repo.main, moved)
    repo.change("connections.yaml", repo.main, moved)
    repo.set_all(moved)
    repo.commit("moved, with new values")
    look = repo.review("main", "branch")
    assert look.secret(moved).was == repo.main
    assert look.secret(moved).still_reads == (repo.alice.identity,)


def test_who_was_a_recipient_only_in_between_reads_on(repo):
    """Between the two ends nothing differs; the commit in between gave the data key away for good."""
    repo.recipients(repo.alice, repo.bob, repo.mallory, named=False)
    repo.commit("by mistake")
    repo.recipients(repo.alice, repo.bob, named=False)
    repo.commit("and back")
    look = repo.review("main", "branch")
    assert look.secret().still_reads == (repo.mallory.identity,)
    assert look.exit_code is ExitCode.SECRETS


def test_who_was_a_recipient_only_in_between_is_out_after_a_rotation(repo):
    repo.recipients(repo.alice, repo.bob, repo.mallory, named=False)
    repo.commit("by mistake")
    repo.recipients(repo.alice, repo.bob, named=False)
    repo.rotate(repo.main)
    repo.commit("and back")
    look = repo.review("main", "branch")
    assert look.passes
    assert look.advice == {"recipient-removed"}


def test_a_commit_that_was_reverted_gave_the_data_key_away(repo):
    """Not a byte differs between the two ends."""
    repo.recipients(repo.alice, repo.bob, repo.mallory, named=False)
    repo.commit("by mistake")
    repo.git("revert", "--no-edit", "HEAD")
    look = repo.review("main", "branch")
    assert look.secret().still_reads == (repo.mallory.identity,)
    assert look.secret().state is SecretState.UNCHANGED
    assert look.exit_code is ExitCode.SECRETS


def test_a_copy_that_passed_by_gave_the_data_key_away(repo):
    """The file itself is never touched."""
    repo.write("secrets/copy.sops.yaml", repo.read(repo.main))
    repo.recipients(repo.mallory, repo.bob, name="secrets/copy.sops.yaml", named=False)
    repo.commit("a copy for somebody")
    repo.path("secrets/copy.sops.yaml").unlink()
    repo.commit("and away")
    look = repo.review("main", "branch")
    assert look.secret().still_reads == (repo.mallory.identity,)
    assert look.exit_code is ExitCode.SECRETS


def test_a_new_file_whose_recipients_shrank_on_the_way(repo):
    repo.write(".sops.yaml", repo.rules(repo.alice, repo.bob))
    repo.encrypt(OTHER_KEY, repo.plain("third", "mexc", "api_key", "secret"))
    repo.commit("for both")
    repo.recipients(repo.bob, name=OTHER_KEY, named=False)
    repo.commit("for one")
    look = repo.review("main", "branch")
    assert look.secret(OTHER_KEY).state is SecretState.NEW
    assert look.secret(OTHER_KEY).still_reads == (repo.alice.identity,)
    assert look.fails == {"recipient-still-reads"}


# Recipients that no sops wrote


def removed_before(repo, gone, *stay, who):
    """The base without ``gone`` in the main file, by updatekeys alone; gives the entry that ``gone`` had."""
    kept = repo.stanza(repo.main, gone)
    repo.recipients(*stay, who=who)
    repo.commit("without somebody, not rotated")
    repo.git("branch", "--force", "main")
    return kept


def test_an_old_entry_that_its_owner_puts_back_opens_the_new_secret_and_fails(repo):
    repo.recipients(repo.bob, name=repo.spare)
    entry = removed_before(repo, repo.alice, repo.bob, who=repo.bob)
    repo.set(repo.main, "secret")
    assert repo.try_sops("decrypt", repo.main, who=repo.alice).returncode
    repo.change(repo.main, "    age:\n", f"    age:\n{entry}")
    assert f"secret-new-{repo.canary}" in repo.sops("decrypt", repo.main, who=repo.alice)
    look = repo.review()
    assert look.secret().added == (repo.alice.identity,)
    assert look.fails == {"recipient-unknown", "recipients-edited"}
    assert look.exit_code is ExitCode.SECRETS


def test_an_old_entry_fails_also_where_its_owner_is_known_from_another_file(repo):
    entry = removed_before(repo, repo.alice, repo.bob, who=repo.bob)
    repo.write(".sops.yaml", repo.rules(repo.alice, repo.bob))
    repo.change(repo.main, "    age:\n", f"    age:\n{entry}")
    assert repo.review().fails == {"recipients-edited"}


def test_an_old_entry_fails_also_after_sops_wrote_the_others_anew(repo):
    """Base and head have no entry in common; the version in between has all but the old one."""
    entry = removed_before(repo, repo.alice, repo.bob, who=repo.bob)
    repo.recipients(repo.bob, repo.mallory)
    repo.commit("one more")
    repo.change(repo.main, "    age:\n", f"    age:\n{entry}")
    repo.commit("and an old one")
    assert repo.sops("decrypt", repo.main, who=repo.alice)
    assert repo.review("main", "branch").fails == {"recipients-edited"}


def test_the_same_with_pgp(repo, gpg_people):
    carol, dave = gpg_people
    repo.write(".sops.yaml", repo.rules(repo.bob, carol, dave))
    repo.renew(repo.main, who=carol)
    repo.commit("PGP too")
    entry = removed_before(repo, carol, repo.bob, dave, who=dave)
    repo.set(repo.main, "secret", who=dave)
    assert repo.try_sops("decrypt", repo.main, who=carol).returncode
    repo.change(repo.main, "    pgp:\n", f"    pgp:\n{entry}")
    assert f"secret-new-{repo.canary}" in repo.sops("decrypt", repo.main, who=carol)
    look = repo.review()
    assert look.secret().added == (carol.identity,)
    assert look.fails == {"recipient-unknown", "recipients-edited"}


def test_a_removed_pgp_recipient_still_reads(repo, gpg_people):
    carol, dave = gpg_people
    repo.write(".sops.yaml", repo.rules(carol, dave))
    repo.renew(repo.main, who=carol)
    repo.commit("PGP alone")
    repo.git("branch", "--force", "main")
    repo.recipients(dave, who=dave)
    assert repo.review().secret().still_reads == (carol.identity,)


def test_an_entry_under_somebody_elses_name_fails(repo):
    """sops does not prove names: Mallory's wrap may be called Alice's. But sops writes all wraps anew."""
    before = repo.read(repo.main)
    repo.recipients(repo.alice, repo.bob, repo.mallory, named=False)
    forged = repo.stanza(repo.main, repo.mallory).replace(repo.mallory.name, repo.alice.name)
    repo.write(repo.main, before)
    repo.change(repo.main, repo.stanza(repo.main, repo.alice), forged)
    assert repo.sops("decrypt", repo.main, who=repo.mallory)
    look = repo.review()
    assert look.fails == {"recipients-edited"}
    assert look.secret().state is SecretState.CHANGED
    assert look.review.differs


def test_one_name_twice_fails(repo):
    repo.recipients(repo.alice, repo.bob, repo.mallory, named=False)
    repo.change(repo.main, repo.mallory.name, repo.alice.name)
    look = repo.review()
    assert look.fails == {"recipients-edited"}


def test_an_entry_that_changed_only_its_name_fails(repo):
    repo.write(".sops.yaml", repo.rules(repo.alice, repo.bob, repo.mallory))
    repo.commit("Mallory is known")
    repo.git("branch", "--force", "main")
    repo.change(repo.main, repo.alice.name, repo.mallory.name)
    assert repo.sops("decrypt", repo.main, who=repo.alice)
    assert {"recipients-edited", "recipient-still-reads"} <= repo.review().fails


def test_parts_of_the_key_that_move_between_groups_are_shown(repo):
    """Shamir's shares: two groups of which both are needed, and then each person in both."""

    def grouped(*groups):
        told = "".join(f"      - age: [{', '.join(one.name for one in group)}]\n" for group in groups)
        return repo.rules(
            regex="^(api_key|secret)$", more=f"    shamir_threshold: 2\n    key_groups:\n{told}"
        )

    repo.write(".sops.yaml", grouped([repo.alice], [repo.bob]))
    repo.renew(repo.main)
    repo.commit("two have to agree")
    repo.git("branch", "--force", "main")
    plain = repo.plain("mexc-spot-main", "mexc", "api_key", "secret")
    repo.write(".sops.yaml", grouped([repo.alice, repo.bob], [repo.alice, repo.bob]))
    repo.encrypt(repo.main, plain)
    assert repo.sops("decrypt", repo.main, who=repo.bob)
    look = repo.review()
    assert [(leaf.path, leaf.risk) for leaf in look.secret().leaves] == [("key_groups", Risk.UP)]
    assert "key_groups" in str(look.change("rules", ".sops.yaml").leaves)


# Hands instead of sops


@pytest.mark.parametrize(
    ("old", "new", "fails"),
    [
        ("exchange: mexc", "exchange: kucoin", {"edited-outside-sops", "binding-mismatch"}),
        (
            "connection: mexc-spot-main",
            "connection: kucoin-spare",
            {"edited-outside-sops", "binding-mismatch"},
        ),
        ("exchange: mexc\n", "", {"edited-outside-sops", "binding-mismatch"}),
        ("exchange: mexc", "exchange: mexc\nnote: free", {"edited-outside-sops", "not-a-secret-file"}),
    ],
)
def test_a_field_in_clear_that_a_hand_changed(repo, old, new, fails):
    repo.change(repo.main, old, new)
    look = repo.review()
    assert look.fails == fails
    assert look.exit_code is ExitCode.SECRETS


def test_a_binding_that_sops_changed_is_a_risk_and_must_fit(repo):
    repo.edit(repo.main, "s/exchange: mexc/exchange: kucoin/")
    look = repo.review()
    assert look.fails == {"binding-mismatch"}
    assert [(leaf.path, leaf.risk) for leaf in look.secret().leaves] == [("exchange", Risk.UP)]


@pytest.mark.parametrize("name", ["connection", "exchange"])
def test_a_secret_pasted_into_a_binding_is_not_shown(repo, name):
    repo.edit(repo.main, f"s/^{name}: .*/{name}: {repo.canary}/")
    look = repo.review()
    assert "binding-mismatch" in look.fails
    assert [leaf.new for leaf in look.secret().leaves] == ["18 characters that name nothing here"]


def test_ciphertexts_swapped_within_a_file(repo):
    one, two = repo.value(repo.main, "api_key"), repo.value(repo.main, "secret")
    text = repo.read(repo.main).replace(one, "<>").replace(two, one).replace("<>", two)
    repo.write(repo.main, text)
    look = repo.review()
    assert look.fails == {"ciphertext-copied", "edited-outside-sops"}


def test_ciphertexts_swapped_between_files(repo):
    one, two = repo.value(repo.main, "secret"), repo.value(repo.spare, "secret")
    repo.change(repo.main, one, two)
    repo.change(repo.spare, two, one)
    look = repo.review()
    assert look.fails == {"ciphertext-copied", "edited-outside-sops"}
    files = {c.mark.file for c in look.review.concerns if c.code == "ciphertext-copied"}
    assert files == {repo.main, repo.spare}


def test_a_ciphertext_copied_to_another_file_is_found_though_its_own_stays(repo):
    repo.change(repo.spare, repo.value(repo.spare, "secret"), repo.value(repo.main, "secret"))
    assert {"ciphertext-copied", "edited-outside-sops"} == repo.review().fails


def test_whole_files_swapped(repo):
    one, two = repo.read(repo.main), repo.read(repo.spare)
    repo.write(repo.main, two)
    repo.write(repo.spare, one)
    look = repo.review()
    assert {"ciphertext-copied", "binding-mismatch"} <= look.fails


def test_a_file_copied_for_a_second_connection(repo):
    repo.write(OTHER_KEY, repo.read(repo.main).replace("connection: mexc-spot-main", "connection: third"))
    repo.change(
        "connections.yaml",
        "runtimes:",
        f"  third: {{name: Third, exchange: mexc, market: spot, credentials: {OTHER_KEY}}}\nruntimes:",
    )
    look = repo.review()
    assert {"ciphertext-copied", "edited-outside-sops"} == look.fails


def test_a_secret_typed_in_clear_in_place_of_its_ciphertext(repo):
    repo.change(repo.main, repo.value(repo.main, "secret"), f"in-clear-{repo.canary}")
    look = repo.review()
    assert "plaintext-secret" in look.fails
    found = {c.mark.line for c in look.review.concerns if c.code == "plaintext-secret"}
    assert found == {4}
    assert look.exit_code is ExitCode.SECRETS


def test_secrets_in_clear_in_the_configuration(repo):
    inline = f"{{api_key: {repo.canary}, secret: {repo.canary}}}"
    repo.change("connections.yaml", f"credentials: {repo.main}", f"credentials: {inline}")
    look = repo.review()
    assert look.change("connections", "mexc-spot-main").kind is ChangeKind.UNREADABLE
    assert look.exit_code is not ExitCode.DONE


def test_ciphertext_that_a_hand_broke(repo):
    repo.change(repo.main, repo.value(repo.main, "secret"), repo.value(repo.main, "secret")[:-20] + "]")
    look = repo.review()
    assert "plaintext-secret" in look.fails
    messages = [one.message for one in look.review.concerns if one.code == "plaintext-secret"]
    assert any("looks like ciphertext" in message for message in messages)


def test_a_number_that_sops_encrypted_as_one(repo):
    repo.edit(repo.main, "s/^secret: .*/secret: 00123/")
    look = repo.review()
    assert look.fails == {"not-a-secret-file"}
    assert "encrypted as int" in look.concern("not-a-secret-file").message


@pytest.mark.parametrize(
    "more", ["---\nsecret: another\n", "secret: again\n", "<<: {secret: merged}\n", "a: &a b\nc: *a\n"]
)
def test_what_two_readers_of_yaml_may_read_apart(repo, more):
    text = repo.read(repo.main)
    repo.write(repo.main, text + more if more.startswith("---") else more + text)
    look = repo.review()
    assert look.fails == {"not-a-secret-file"}
    assert look.secret().state is SecretState.UNREADABLE
    assert look.concern("not-a-secret-file").mark.file == repo.main


@pytest.mark.parametrize(
    ("old", "new"), [("    mac: ENC", "    muck: ENC"), ("    lastmodified:", "    modified:"), ("", None)]
)
def test_a_mac_taken_away(repo, old, new):
    text = repo.read(repo.main)
    if new is None:
        mac = next(line for line in text.splitlines() if line.startswith("    mac: "))
        repo.change(repo.main, mac, "    mac: none")
    else:
        repo.change(repo.main, old, new)
    assert "integrity" in repo.review().fails


def test_a_mac_that_covers_less(repo):
    repo.change(repo.main, "    version:", "    mac_only_encrypted: true\n    version:")
    look = repo.review()
    assert {"integrity", "edited-outside-sops"} <= look.fails
    assert ("mac_only_encrypted", Risk.UP) in {(leaf.path, leaf.risk) for leaf in look.secret().leaves}


def test_a_selection_that_will_leave_secrets_in_clear_is_a_risk(repo):
    repo.change(repo.main, "^(api_key|secret|passphrase|private_key)$", "^(api_key|passphrase|private_key)$")
    look = repo.review()
    told = {leaf.path: (leaf.old, leaf.new, leaf.risk) for leaf in look.secret().leaves}
    assert told["left_in_clear"] == ((), ("secret",), Risk.UP)
    assert told["encrypted_regex"][2] is Risk.NONE
    assert look.secret().state is SecretState.CHANGED


def test_a_secret_file_that_is_none(repo):
    repo.write(repo.main, repo.plain("mexc-spot-main", "mexc", "api_key", "secret"))
    look = repo.review()
    assert look.fails >= {"not-a-secret-file"}
    assert look.secret().state is SecretState.UNREADABLE


def test_a_secret_file_that_nobody_names_is_judged_too(repo):
    repo.write(OTHER_KEY, "api_key: [\n")
    look = repo.review()
    assert look.fails == {"not-a-secret-file"}
    assert look.secret(OTHER_KEY).connections == ()


# Rules of .sops.yaml


@pytest.mark.parametrize(
    ("regex", "fails"),
    [
        ("^(?!(connection|exchange)$).*$", {"bad-regex", "secret-in-clear"}),
        ("^(api_key|secret", {"bad-regex", "secret-in-clear"}),
        ("^(apikey|secrets)$", {"secret-in-clear"}),
        (".*", {"binding-encrypted"}),
    ],
)
def test_rules_by_which_sops_would_not_hide_secrets(repo, regex, fails):
    repo.write(".sops.yaml", repo.rules(repo.alice, repo.bob, regex=regex))
    look = repo.review()
    assert look.fails == fails
    assert look.exit_code is ExitCode.SECRETS
    leaves = {leaf.path.rpartition(".")[2]: leaf.risk for leaf in look.change("rules", ".sops.yaml").leaves}
    assert leaves.get("left_in_clear", Risk.UP) is Risk.UP


@pytest.mark.parametrize("text", ["creation_rules: [\n", "creation_rules: {}\n", "", "a: " + "[" * 40])
def test_rules_that_nobody_can_read(repo, text):
    repo.write(".sops.yaml", text)
    look = repo.review()
    assert look.fails == {"rules-unreadable"}
    told = look.change("rules", ".sops.yaml")
    assert (told.kind, told.leaves) == (ChangeKind.UNREADABLE, ()), "nobody was shut out"


def test_rules_that_were_bad_before_are_advice(repo):
    repo.write(".sops.yaml", repo.rules(repo.alice, repo.bob, regex="^(apikey)$"))
    repo.commit("bad rules")
    repo.git("branch", "--force", "main")
    repo.set(repo.main, "secret")
    look = repo.review()
    assert look.passes
    assert look.advice == {"secret-in-clear"}


def test_rules_behind_a_link_fail_for_sops_would_follow_it(repo):
    repo.write("docs/rules.yaml", repo.rules(repo.mallory, regex="^nothing$"))
    repo.path(".sops.yaml").unlink()
    repo.path(".sops.yaml").symlink_to("docs/rules.yaml")
    look = repo.review()
    assert look.fails == {"rules-unreadable"}
    assert look.concern("rules-unreadable").mark.file == ".sops.yaml"


def test_a_mac_rule_that_covers_less(repo):
    repo.write(".sops.yaml", repo.rules(repo.alice, repo.bob, more="    mac_only_encrypted: true\n"))
    assert repo.review().fails == {"mac-only-encrypted"}


# Moves and renames


def test_a_secret_file_that_moved_with_its_reference_is_not_new(repo):
    moved = "secrets/elsewhere/mexc.sops.yaml"
    repo.path("secrets/elsewhere").mkdir()
    repo.git("mv", repo.main, moved)
    repo.change("connections.yaml", repo.main, moved)
    repo.commit("move")
    look = repo.review("main", "branch")
    assert look.passes
    assert (look.secret(moved).was, look.secret(moved).state) == (repo.main, SecretState.UNCHANGED)
    assert [change.kind for change in look.review.changes] == [ChangeKind.CHANGED]
    assert look.secret(moved).connections == ("mexc-spot-main",)


def test_a_file_that_moved_and_lost_a_recipient_still_tells(repo):
    moved = "secrets/mexc.sops.yaml"
    repo.git("mv", repo.main, moved)
    repo.change("connections.yaml", repo.main, moved)
    repo.recipients(repo.bob, name=moved)
    look = repo.review()
    assert look.secret(moved).still_reads == (repo.alice.identity,)


def test_a_connection_renamed_with_its_secret_is_one_connection(repo):
    repo.edit(repo.main, "s/connection: .*/connection: mexc-main/")
    repo.write(
        "connections.yaml",
        repo.config.replace("mexc-spot-main:", "mexc-main:").replace(
            "connection: mexc-spot-main", "connection: mexc-main"
        ),
    )
    look = repo.review()
    assert look.passes
    renamed = look.change("connections", "mexc-main")
    assert (renamed.kind, renamed.was) == (ChangeKind.RENAMED, "mexc-spot-main")
    assert [leaf.path for leaf in look.secret().leaves] == ["connection"]
    (follows,) = look.change("strategies", "btc-eth").leaves
    assert (follows.path, follows.new, follows.risk) == ("connection", "mexc-main", Risk.NONE)


def test_a_strategy_on_another_connection_does_not_follow_a_rename(repo):
    repo.change("connections.yaml", "connection: mexc-spot-main", "connection: kucoin-spare")
    (moved,) = repo.review().change("strategies", "btc-eth").leaves
    assert (moved.path, moved.risk) == ("connection", Risk.UP)


def test_a_connection_renamed_without_its_secret_fails(repo):
    repo.write(
        "connections.yaml",
        repo.config.replace("mexc-spot-main:", "mexc-main:").replace(
            "connection: mexc-spot-main", "connection: mexc-main"
        ),
    )
    assert repo.review().fails == {"binding-mismatch"}


# Two steps, of which each looks harmless


def test_a_file_that_was_a_link_with_the_same_bytes_is_new(repo):
    """A link's target is a blob too: a first change brings the bytes as one, a second makes them a file."""
    repo.encrypt(OTHER_KEY, repo.plain("third", "mexc", "api_key"), by=repo.rules(repo.mallory))
    made = repo.read(OTHER_KEY)
    oid = repo.git("hash-object", "-w", "--stdin", stdin=made.encode())
    repo.git("update-index", "--add", "--cacheinfo", f"120000,{oid},{OTHER_KEY}")
    repo.git("commit", "--quiet", "--message=a link")
    base = repo.git("rev-parse", "HEAD")
    repo.git("update-index", "--add", "--cacheinfo", f"100644,{oid},{OTHER_KEY}")
    repo.git("commit", "--quiet", "--message=a file")
    look = repo.review(base, "HEAD")
    assert look.secret(OTHER_KEY).state is SecretState.NEW
    assert look.fails == {"recipient-unknown"}


def inline(*ids):
    """A configuration with values in place, before sops."""
    entries = "".join(
        f'  "{id_}":\n    name: No {id_}\n    exchange: mexc\n    market: spot\n'
        f'    account: {{uid: "9{id_}"}}\n'
        f"    credentials: {{api_key: key-{id_}, secret: secret-{id_}}}\n"
        for id_ in ids
    )
    return f"version: 1\nconnections:\n{entries}"


@pytest.mark.parametrize("ids", [("one", "two"), ("111", "222")])
def test_inline_secrets_swapped_between_connections(repo, ids):
    """Also where ids are figures, which are no places in a list."""
    repo.encrypt("inline.yaml", inline(*ids))
    made = repo.read("inline.yaml")
    repo.commit("inline")
    assert repo.review("main", "HEAD", files=("inline.yaml",)).passes
    lines = [line.strip() for line in made.splitlines() if line.strip().startswith("secret: ENC")]
    one, two = lines
    repo.write("inline.yaml", made.replace(one, "<>").replace(two, one).replace("<>", two))
    look = repo.review("HEAD", files=("inline.yaml",))
    assert look.fails == {"ciphertext-copied", "edited-outside-sops"}


def test_a_key_in_a_comment_of_a_secret_file(repo, age_secret):
    repo.write(repo.main, f"# {age_secret}\n{repo.read(repo.main)}")
    look = repo.review()
    assert look.fails == {"plaintext-secret"}
    assert look.concern("plaintext-secret").weight is Weight.FAILS


# What a reviewer of another secret must see as a risk


def test_a_connection_that_refers_to_another_secret_is_more_risk(repo):
    repo.encrypt(OTHER_KEY, repo.plain("mexc-spot-main", "mexc", "api_key", "secret"))
    base = repo.commit()
    repo.change("connections.yaml", repo.main, OTHER_KEY)
    (leaf,) = repo.review(base).change("connections", "mexc-spot-main").leaves
    assert (leaf.path, leaf.risk) == ("credentials", Risk.UP)


def test_a_secret_that_only_moved_is_no_risk(repo):
    repo.git("mv", repo.main, OTHER_KEY)
    repo.change("connections.yaml", repo.main, OTHER_KEY)
    (leaf,) = repo.review().change("connections", "mexc-spot-main").leaves
    assert (leaf.path, leaf.risk) == ("credentials", Risk.NONE)


def test_a_secret_made_anew_for_more_people_is_more_risk(repo):
    repo.encrypt(
        "dev/d.sops.yaml", repo.plain("d", "mexc", "api_key"), by=repo.rules(repo.alice, repo.mallory)
    )
    base = repo.commit()
    repo.path(repo.main).unlink()
    plain = repo.plain("mexc-spot-main", "mexc", "api_key", "secret")
    repo.encrypt(OTHER_KEY, plain, by=repo.rules(repo.alice, repo.bob, repo.mallory))
    repo.change("connections.yaml", repo.main, OTHER_KEY)
    look = repo.review(base)
    assert look.passes
    assert look.secret(OTHER_KEY).added == (repo.mallory.identity,)
    assert look.secret(OTHER_KEY).risk is Risk.UP


def test_who_can_open_a_new_secret_is_part_of_what_is_agreed_to(repo):
    plain = repo.plain("third", "mexc", "api_key", "secret")
    digests = set()
    for people in ((repo.alice,), (repo.bob,), (repo.alice, repo.bob), (repo.bob, repo.alice)):
        repo.encrypt(OTHER_KEY, plain, by=repo.rules(*people))
        digests.add(repo.review().review.digest)
    assert len(digests) == 3


def test_an_attestation_of_a_new_connection_is_more_risk(repo):
    repo.encrypt(OTHER_KEY, repo.plain("third", "mexc", "api_key", "secret"))
    told = "attestations: {withdraw_disabled: {by: somebody, on: 2026-10-01}}"
    entry = f"third: {{name: Third, exchange: mexc, market: spot, credentials: {OTHER_KEY}, {told}}}"
    repo.change("connections.yaml", "connections:", f"connections:\n  {entry}")
    leaves = repo.review().change("connections", "third").leaves
    assert [leaf.path for leaf in leaves if leaf.risk is Risk.UP] == ["attestations.withdraw_disabled.on"]


def test_a_place_to_publish_secrets_to_is_more_risk(repo):
    rules = repo.read(".sops.yaml")
    repo.write(".sops.yaml", f"{rules}destination_rules:\n  - {{s3_bucket: elsewhere, path_regex: .*}}\n")
    look = repo.review()
    (leaf,) = look.change("rules", ".sops.yaml").leaves
    assert (leaf.path, leaf.risk) == ("destinations", Risk.UP)
    assert "elsewhere" in leaf.new[0]
    base = repo.commit()
    repo.write(".sops.yaml", rules)
    (leaf,) = repo.review(base).change("rules", ".sops.yaml").leaves
    assert (leaf.path, leaf.risk) == ("destinations", Risk.DOWN)
