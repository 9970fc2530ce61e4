import stat
from pathlib import Path

import pytest
import zmq

from streamaffect.errors import WireError
from streamaffect.feed.keys import KEY_LENGTH, load_allowed, load_client, load_pair, write_keys

pytestmark = pytest.mark.skipif(not zmq.has("curve"), reason="this libzmq was built without CURVE")


def test_the_keys_of_publisher_and_client_fit_together(tmp_path: Path) -> None:
    keys = write_keys(tmp_path / "new" / "folder", client="alice")
    server, client = load_pair(keys.server_key), load_client(keys.client)
    assert client.server == server.public
    assert zmq.curve_public(client.own.secret) == client.own.public
    assert load_allowed(keys.allowed_clients).callback("*", client.own.public)
    assert not load_allowed(keys.allowed_clients).callback("*", server.public)


def test_secrets_are_readable_by_their_owner_alone_and_never_printed(tmp_path: Path) -> None:
    keys = write_keys(tmp_path)
    for path in tmp_path.rglob("*.key_secret"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    pair = load_pair(keys.server_key)
    assert pair.secret.decode() not in repr(pair)
    assert pair.secret.decode() not in str(keys)


def test_public_files_hold_no_secret(tmp_path: Path) -> None:
    write_keys(tmp_path)
    for path in tmp_path.rglob("*.key"):
        assert "secret" not in path.read_text(encoding="ascii")
        with pytest.raises(WireError, match="holds no secret key"):
            load_pair(path)


def test_keys_are_never_replaced_unasked(tmp_path: Path) -> None:
    keys = write_keys(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(WireError, match=r"exists.*--overwrite"):
        write_keys(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    write_keys(tmp_path, overwrite=True)
    assert (keys.client / "client.key_secret").read_bytes() != before[keys.client / "client.key_secret"]
    assert keys.server_key.read_bytes() == before[keys.server_key]


def test_a_second_client_joins_the_first(tmp_path: Path) -> None:
    alice, bob = write_keys(tmp_path, client="alice"), write_keys(tmp_path, client="bob")
    allowed = load_allowed(alice.allowed_clients)
    assert alice.server_key == bob.server_key
    assert all(allowed.callback("*", load_client(keys.client).own.public) for keys in (alice, bob))


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "allowed", "x" * 65])
def test_a_client_name_that_would_leave_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(WireError, match="client name"):
        write_keys(tmp_path, client=name)
    assert not any(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_a_wire_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WireError, match=r"file.*: Not a directory"):
        write_keys(tmp_path / "file")


@pytest.mark.parametrize(
    "text",
    ["", "public-key = 'short'", f"public-key = '{'A' * (KEY_LENGTH + 5)}'", f"public-key = '{'~' * KEY_LENGTH}'"],
)
def test_a_file_that_is_no_key_is_refused_and_admits_nobody(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.key"
    allowed = load_allowed(tmp_path)
    path.write_text(text)
    with pytest.raises(WireError, match=r"broken.key: is no CURVE key"):
        load_allowed(tmp_path)
    assert not allowed.callback("*", b"short")


def test_a_client_folder_without_keys_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(WireError, match=r"client.key_secret: no such file; `streamaffect keys DIR`"):
        load_client(tmp_path)
