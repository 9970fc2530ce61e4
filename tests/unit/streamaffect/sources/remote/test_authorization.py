import base64
import re

import pytest

from streamaffect.sources.remote.authorization import Asked, authorization, is_stale

ASKED = Asked("GET", "/dir/index.html")
# RFC 2617, section 3.5, and RFC 7616, section 3.9.1.
RFC_2617 = (
    'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
    'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)
RFC_7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


def response(challenge: str, password: str) -> str:
    answer = authorization([challenge], ASKED, user="Mufasa", password=password)
    assert answer is not None
    found = re.search('response="([0-9a-f]+)"', answer)
    assert found is not None
    return found[1]


def test_the_digest_of_rfc_2617(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda _: "0a4f113b")
    assert response(RFC_2617, "Circle Of Life") == "6629fae49393a05397450978507c4ef1"


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_digests_of_rfc_7616(monkeypatch: pytest.MonkeyPatch, algorithm: str, expected: str) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda _: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
    assert response(RFC_7616.format(algorithm), "Circle of Life") == expected


def test_a_digest_without_quality_of_protection_has_no_number_of_ours() -> None:
    answer = authorization(['Digest realm="r", nonce="n"'], ASKED, user="ann", password="x")
    assert answer is not None
    assert "cnonce" not in answer
    assert 'uri="/dir/index.html"' in answer


def test_basic_is_user_and_password_in_base_64() -> None:
    answer = authorization(['Basic realm="camera"'], ASKED, user="ann", password="p:w")
    assert answer == "Basic " + base64.b64encode(b"ann:p:w").decode()


@pytest.mark.parametrize(
    "challenges",
    [
        ['Basic realm="r"', 'Digest realm="r", nonce="n"'],
        ['Basic realm="r", Digest realm="r", nonce="n"'],
        ['Digest realm="r", nonce="n", Basic realm="r"'],
        ['Digest realm="r", nonce="n", algorithm=SHA-512-256', 'DIGEST realm="r, Basic q", nonce="n", algorithm="MD5"'],
    ],
)
def test_of_several_schemes_the_digest_is_taken(challenges: list[str]) -> None:
    answer = authorization(challenges, ASKED, user="ann", password="x")
    assert answer is not None and answer.startswith("Digest ")


@pytest.mark.parametrize("challenges", [[], ["NTLM"], ["Bearer realm=x"], ["Digest nonce=n, algorithm=whirlpool"]])
def test_an_unknown_scheme_has_no_answer(challenges: list[str]) -> None:
    assert authorization(challenges, ASKED, user="ann", password="x") is None


def test_a_number_that_is_too_old_is_told_from_a_wrong_password() -> None:
    assert is_stale(['Digest realm="r", nonce="n", stale=TRUE'])
    assert not is_stale(['Digest realm="r", nonce="n"', 'Basic realm="stale=true"'])
