from __future__ import annotations

import copy

import pytest

from reconciler.live.endpoints import origins, parse_endpoints, redirect
from reconciler.model.errors import ExitCode, UsageError

URLS = {
    "api": {
        "spot": {"public": "https://api.mexc.com", "private": "https://api.mexc.com"},
        "contract": {"private": "https://contract.mexc.com/api/v1/private"},
        "futuresPublic": "https://{hostname}/x",
    },
    "www": "https://www.mexc.com",
}


def test_good_ones():
    assert parse_endpoints(["mexc=http://127.0.0.1:9001/", "kucoin.futures=https://proxy.example"]) == {
        "mexc": "http://127.0.0.1:9001",
        "kucoin.futures": "https://proxy.example",
    }
    assert parse_endpoints(["okx=http://[::1]:80", "gate=http://localhost:1"]) == {
        "okx": "http://[::1]:80",
        "gate": "http://localhost:1",
    }


@pytest.mark.parametrize(
    "value",
    [
        "",
        "mexc",
        "mexc=",
        "=http://127.0.0.1:1",
        "MEXC=http://127.0.0.1:1",
        "mexc=ftp://127.0.0.1",
        "mexc=127.0.0.1:9001",
        "mexc=http://127.0.0.1:99999",
        "mexc=http://127.0.0.1:9001/path",
        "mexc=http://127.0.0.1:9001?x=1",
        "mexc=http://u:p@127.0.0.1:9001",
        "mexc=http://203.0.113.5:9001",
        "mexc=http://mexc.example",
        "mexc=http://127.0.0.1.evil.example",
        "mexc=http://[::1",
        "mexc.a.b=http://127.0.0.1:1",
    ],
)
def test_bad_ones_name_the_fix_and_quote_no_url(value):
    with pytest.raises(UsageError) as caught:
        parse_endpoints([value])
    assert caught.value.exit_code is ExitCode.CONFIG
    assert caught.value.hint
    assert "u:p" not in str(caught.value)


def test_twice_is_an_error():
    with pytest.raises(UsageError, match="twice"):
        parse_endpoints(["mexc=http://127.0.0.1:1", "mexc=http://127.0.0.1:2"])


def test_all_hosts_of_an_exchange_keep_their_paths():
    urls = copy.deepcopy(URLS)
    redirect(urls, "mexc", {"mexc": "http://127.0.0.1:9", "kucoin": "http://127.0.0.1:8"})
    assert urls["api"] == {
        "spot": {"public": "http://127.0.0.1:9", "private": "http://127.0.0.1:9"},
        "contract": {"private": "http://127.0.0.1:9/api/v1/private"},
        "futuresPublic": "http://127.0.0.1:9/x",
    }
    assert urls["www"] == "https://www.mexc.com"
    assert origins(urls, "mexc.com") == {"http://127.0.0.1:9"}


def test_one_host_by_name_wins_over_the_general():
    urls = copy.deepcopy(URLS)
    redirect(urls, "mexc", {"mexc.futures": "http://127.0.0.1:2", "mexc": "http://127.0.0.1:1"})
    assert urls["api"]["futuresPublic"] == "http://127.0.0.1:2/x"
    assert urls["api"]["spot"]["public"] == "http://127.0.0.1:1"


def test_an_unknown_host_is_an_error_that_lists_the_known():
    with pytest.raises(UsageError) as caught:
        redirect(copy.deepcopy(URLS), "mexc", {"mexc.moon": "http://127.0.0.1:1"})
    assert "contract" in caught.value.hint


def test_host_names_kept_apart_are_replaced_too():
    urls = {"api": {"spot": "https://{hostname}"}, "hostnames": {"spot": "api.huobi.pro"}}
    assert origins(urls, None) == {"https://api.huobi.pro"}
    redirect(urls, "htx", {"htx": "http://127.0.0.1:5"})
    assert urls["hostnames"] == {"spot": "127.0.0.1:5"}
    assert origins(urls, None) == {"http://127.0.0.1:5"}


@pytest.mark.parametrize(
    ("typo", "meant"), [("mxec", "mexc"), ("kucion.futures", "kucoin"), ("nosuch", "lists")]
)
def test_a_misspelt_exchange_is_refused_and_not_passed_over(typo, meant):
    """Else the run would send its requests to the real one."""
    with pytest.raises(UsageError) as refused:
        parse_endpoints([f"{typo}=http://127.0.0.1:9001"])
    assert meant in refused.value.hint
