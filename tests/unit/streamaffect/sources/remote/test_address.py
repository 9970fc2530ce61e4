import pytest

from streamaffect.errors import SourceOpenError
from streamaffect.sources.remote.address import Address, Reach

CAMERA = Address.of("http://ann:s%40cret@Camera.lan:8080/live?channel=1")


def test_an_address_is_taken_apart() -> None:
    assert (CAMERA.scheme, CAMERA.host, CAMERA.port, CAMERA.target) == ("http", "camera.lan", 8080, "/live?channel=1")
    assert (CAMERA.user, CAMERA.password) == ("ann", "s@cret")
    assert CAMERA.bare == "http://camera.lan:8080/live?channel=1"


@pytest.mark.parametrize(
    ("url", "port", "bare"),
    [
        ("rtsp://h", 554, "rtsp://h/"),
        ("RTSPS://h/x", 322, "rtsps://h/x"),
        ("https://h:444/x", 444, "https://h:444/x"),
        ("rtsp://[fe80::1]:8554/x", 8554, "rtsp://[fe80::1]:8554/x"),
        ("http://h/a b/ä?q=ö#part", 80, "http://h/a%20b/%C3%A4?q=%C3%B6"),
        ("http://h/a%20b", 80, "http://h/a%20b"),
        ("http://h/a\udce9?q=\udcff", 80, "http://h/a%E9?q=%FF"),  # bytes of a command line that are no UTF-8
    ],
)
def test_ports_and_what_is_asked_for(url: str, port: int, bare: str) -> None:
    address = Address.of(url)
    assert (address.port, address.bare) == (port, bare)


def test_no_label_shows_credentials() -> None:
    assert CAMERA.label == "http://***@Camera.lan:8080/live?channel=1"
    assert Reach(CAMERA).follow("/x", base=CAMERA).label == "http://camera.lan:8080/x"


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("/other", "http://camera.lan:8080/other"),
        ("piece.ts", "http://camera.lan:8080/piece.ts"),
        ("?again", "http://camera.lan:8080/live?again"),
        ("http://CAMERA.lan/x", "http://camera.lan/x"),
        ("https://camera.lan/x", "https://camera.lan/x"),
        ("  http://camera.lan/x\n", "http://camera.lan/x"),
    ],
)
def test_a_reference_to_the_named_host_is_followed_with_the_credentials(reference: str, expected: str) -> None:
    followed = Reach(CAMERA).follow(reference, base=CAMERA)
    assert followed.bare == expected
    assert (followed.user, followed.password) == ("ann", "s@cret")


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("http://other.lan/x", "refers to another one, other.lan"),
        ("//other.lan/x", "refers to another one, other.lan"),
        ("http://camera.lan@other.lan/x", "refers to another one, other.lan"),
        ("http://camera.lan.other.lan/x", "refers to another one, camera.lan.other.lan"),
        ("rtsp://camera.lan/x", "refers to rtsp://, which is not allowed; http:// or https:// is"),
        ("file:///etc/passwd", "refers to file://"),
        ("data:text/plain,x", "refers to data://"),
        ("http://camera.lan:99999/", "no address"),
        ("http://[camera.lan/", "no address"),
    ],
)
def test_any_other_reference_is_refused(reference: str, why: str) -> None:
    with pytest.raises(SourceOpenError, match=r"^http://\*\*\*@Camera.lan:8080/live\?channel=1: ") as caught:
        Reach(CAMERA).follow(reference, base=CAMERA)
    assert why in str(caught.value)


def test_what_was_encrypted_stays_encrypted() -> None:
    camera = Address.of("https://camera.lan/live")
    with pytest.raises(SourceOpenError, match=r"refers to http://, which is not allowed; https:// is"):
        Reach(camera).follow("http://camera.lan/live", base=camera)


@pytest.mark.parametrize("further", [["other.lan"], ["*"]])
def test_a_further_host_is_asked_without_the_credentials(further: list[str]) -> None:
    followed = Reach(CAMERA, further).follow("http://other.lan/x", base=CAMERA)
    assert (followed.host, followed.user, followed.password) == ("other.lan", None, "")
