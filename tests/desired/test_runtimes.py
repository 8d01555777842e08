"""Runtimes in the files: their fields by type, where they answer, and what may go there in clear."""

from __future__ import annotations

import pytest

from reconciler.model.desired import Money

FREQTRADE = "  ft-eu: {type: freqtrade, url: 'https://bots.example:8080', credentials: secrets/ft.sops.yaml"


@pytest.fixture
def text(sound, write):
    """The sound configuration with a freqtrade whose fields are these."""

    def make(more="", url="https://bots.example:8080"):
        write("", "secrets/ft.sops.yaml")
        line = FREQTRADE.replace("https://bots.example:8080", url)
        return sound.replace("  paper: {type: ledger}\n", f"  paper: {{type: ledger}}\n{line}{more}}}\n")

    return make


def test_a_freqtrade_with_all_of_its_fields(desired, text):
    spec = desired(text(", mode: dry_run, disable: stop")).runtimes["ft-eu"]
    assert (spec.type, spec.url, spec.mode) == ("freqtrade", "https://bots.example:8080", Money.DRY_RUN)
    assert spec.options == {"disable": "stop"}
    assert spec.credentials.file.endswith("secrets/ft.sops.yaml")
    assert not spec.credentials.inline


def test_what_is_not_written_is_not_there(desired, text):
    spec = desired(text()).runtimes["ft-eu"]
    assert (spec.mode, spec.options) == (None, {})


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8080", "http://127.8.8.8", "http://[::1]:8080", "http://localhost:8080",
     "https://10.0.0.7", "https://bots.example/ft-eu"],
)  # fmt: skip
def test_urls_from_which_nothing_leaves_this_machine_in_clear(desired, text, url):
    assert desired(text(url=url)).runtimes["ft-eu"].url == url


@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.7:8080", "http://freqtrade:8080", "http://localhost.example", "http://[fd00::1]:8080",
     "http://127.0.0.1.example", "http://0.0.0.0:8080"],
)  # fmt: skip
def test_plain_http_to_elsewhere_has_to_be_said_aloud(places, desired, text, url):
    """A name is looked up by whoever answers then, so that nobody can tell that it is near."""
    assert places(text(url=url)) == [(14, 33, "insecure-http")]
    assert places(text(", insecure_http: false", url=url)) == [(14, 33, "insecure-http")]
    spec = desired(text(", insecure_http: true", url=url)).runtimes["ft-eu"]
    assert spec.options == {"insecure_http": True}


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://me:hunter2@bots.example", "url-credentials"),
        ("https://bots.example/", "wrong-format"),
        ("https://bots.example?token=x", "wrong-format"),
        ("https://bots.example#x", "wrong-format"),
        ("https://bots.example/../x", "wrong-format"),
        ("ftp://bots.example", "wrong-format"),
        ("bots.example:8080", "wrong-format"),
        ("https://", "wrong-format"),
        ("https://bots.example:0", "bad-value"),
        ("https://bots.example:65536", "bad-value"),
    ],
)
def test_what_is_no_address_of_an_api(problems, text, url, code):
    (problem,) = problems(text(url=url))
    assert problem.code == code
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (", password: hunter2hunter2", "plaintext-secret"),
        (", mode: paper", "wrong-value"),
        (", disable: sell", "wrong-value"),
        (", insecure_http: 'yes'", "wrong-type"),
        (", bot: 7", "unknown-field"),
    ],
)
def test_a_field_that_does_not_belong_there(problems, text, more, code):
    (problem,) = problems(text(more))
    assert problem.code == code
    assert "hunter2" not in str(problem)


def test_a_secret_file_belongs_to_one_alone(problems, text):
    shared = text().replace("secrets/ft.sops.yaml", "secrets/mexc-spot-main.sops.yaml")
    (problem,) = problems(shared)
    assert problem.code == "secret-file-shared"


def test_a_secret_file_outside_of_the_tree_is_refused(problems, text):
    (problem,) = problems(text().replace("secrets/ft.sops.yaml", "../ft.sops.yaml"))
    assert problem.mark.line == 14
