import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import zmq

from streamaffect.errors import WireError
from streamaffect.feed.allowed import load_allowed, read_allowed
from streamaffect.feed.key_files import KEY_LENGTH, load_pair
from streamaffect.feed.keys import load_client, load_server, write_keys

ROOT = Path(__file__).parents[4]

pytestmark = pytest.mark.skipif(not zmq.has("curve"), reason="this libzmq was built without CURVE")


def test_the_keys_of_publisher_and_client_fit_together(tmp_path: Path) -> None:
    keys = write_keys(tmp_path / "new" / "folder", client="alice")
    server, client = load_pair(keys.server_key), load_client(keys.client)
    assert client.server == server.public
    assert zmq.curve_public(client.own.secret) == client.own.public
    assert load_allowed(keys.allowed_clients).keys == {client.own.public}


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
    assert alice.server_key == bob.server_key
    assert load_allowed(alice.allowed_clients).keys == {load_client(keys.client).own.public for keys in (alice, bob)}


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
    (tmp_path / "broken.key").write_text(text)
    with pytest.raises(WireError, match=r"broken.key: is no CURVE key"):
        load_allowed(tmp_path)
    assert read_allowed(tmp_path).keys == frozenset()


def test_a_client_folder_without_keys_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(WireError, match=r"client.key_secret: no such file; `streamaffect keys DIR`"):
        load_client(tmp_path)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o666])
def test_a_secret_of_the_publisher_that_others_can_read_or_replace_is_refused(tmp_path: Path, mode: int) -> None:
    keys = write_keys(tmp_path)
    keys.server_key.chmod(mode)
    with pytest.raises(WireError, match=rf"mode {mode:04o}.*chmod 600 .*server.key_secret"):
        load_server(keys.server_key)


def test_a_secret_that_others_can_read_is_taken_where_the_user_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = write_keys(tmp_path)
    keys.server_key.chmod(0o444)
    assert load_server(keys.server_key, may_be_read=True) == load_pair(keys.server_key)
    assert "other users of this machine or container can read it (mode 0444)" in caplog.text
    keys.server_key.chmod(0o446)
    with pytest.raises(WireError, match="mode 0446"):
        load_server(keys.server_key, may_be_read=True)


MOUNTED = """
import sys
from pathlib import Path
from streamaffect.feed.keys import load_server

load_server(Path(sys.argv[1]))
"""


def in_a_mount_of_its_own(folder: Path, options: str) -> "subprocess.CompletedProcess[str]":
    """Load the key in a folder that a container's runtime has mounted."""
    mounting = f"mount --bind {folder} {folder} && mount -o {options},remount,bind {folder} && "
    program = f"exec {sys.executable} -c '{MOUNTED}' {folder}/server.key_secret"
    words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounting + program]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def may_mount() -> bool:
    try:
        words = ["unshare", "--user", "--map-root-user", "--mount", "mount", "--bind", "/tmp", "/tmp"]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not may_mount(), reason="needs unshare and user namespaces")
def test_the_secret_of_a_container_is_taken_as_it_was_mounted(tmp_path: Path) -> None:
    keys = write_keys(tmp_path)
    keys.server_key.chmod(0o444)
    taken = in_a_mount_of_its_own(tmp_path, "ro")
    assert (taken.returncode, "(mode 0444)" in taken.stderr) == (0, True), taken.stderr
    refused = in_a_mount_of_its_own(tmp_path, "rw")
    assert refused.returncode == 1
    assert "is open to others (mode 0444)" in refused.stderr


def test_a_secret_of_a_subscriber_that_others_can_read_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = write_keys(tmp_path)
    (keys.client / "client.key_secret").chmod(0o644)
    load_client(keys.client)
    assert "chmod 600" in caplog.text


@pytest.mark.parametrize("name", ["allowed", "allowed/client.key"])
def test_a_list_that_anybody_could_add_to_is_refused(tmp_path: Path, name: str) -> None:
    keys = write_keys(tmp_path)
    (tmp_path / name).chmod(0o777)
    with pytest.raises(WireError, match=r"anybody on this machine could write to it \(mode 0777\)"):
        load_allowed(keys.allowed_clients)


def test_the_folder_of_the_list_is_made_for_its_owner_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keys = write_keys(tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(keys.allowed_clients.stat().st_mode) == 0o755


def test_a_pipe_among_the_keys_is_not_waited_for(tmp_path: Path) -> None:
    keys = write_keys(tmp_path)
    os.mkfifo(keys.allowed_clients / "pipe.key")
    with pytest.raises(WireError, match=r"pipe.key: is no regular file"):
        load_allowed(keys.allowed_clients)
    assert len(read_allowed(keys.allowed_clients).keys) == 1


def test_only_what_has_changed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = write_keys(tmp_path, client="alice")
    first = load_allowed(keys.allowed_clients)
    bob = write_keys(tmp_path, client="bob")
    read: list[Path] = []

    def noted(path: Path) -> bytes:
        read.append(path)
        return path.read_bytes()

    monkeypatch.setattr("streamaffect.feed.allowed.read_file", noted)
    second = read_allowed(keys.allowed_clients, first)
    assert read == [keys.allowed_clients / "bob.key"]
    assert second.keys == first.keys | {load_client(bob.client).own.public}
    (keys.allowed_clients / "alice.key").unlink()
    assert read_allowed(keys.allowed_clients, second).keys == {load_client(bob.client).own.public}
