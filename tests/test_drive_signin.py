"""Who may: signing in to Drive, where secrets lie, and what stays at home."""

import io
import json
import os
import socket
import stat
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest
from drive_mirror import ids, mirrored, write

from drive_sync import signin
from drive_sync.__main__ import main
from drive_sync.drive import Drive
from drive_sync.restricted import says_restricted
from rcgan_nb.series import SeriesSet

SYNC = [sys.executable, "-m", "drive_sync"]
BROWSER = f'{sys.executable} -c "import sys,urllib.request; urllib.request.urlopen(sys.argv[1])" %s &'


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_service_accounts_key_is_kept_for_its_user_alone(drive, here, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("RCGAN_DRIVE_KEY")
    assert main(["pull"]) == 7
    said = capsys.readouterr().err
    assert (
        "not signed in to Google Drive" in said and "auth --client-secrets FILE" in said and "--service-account" in said
    )
    assert main(["auth", "--service-account", str(tmp_path / "key.json")]) == 0
    assert "Signed in to Google Drive as robot@project.test." in capsys.readouterr().out
    kept = tmp_path / "config/rcgan_nb/drive/service_account.json"
    assert mode(kept) == 0o600 and mode(kept.parent) == 0o700 and not any(here.iterdir())
    (tmp_path / "key.json").unlink()
    assert main(["auth"]) == 0 and main(["pull"]) == 0


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("{", "is not the key of a service account"),
        ('{"type": "authorized_user"}', "is not the key of a service account"),
        (None, "there is no key of a service account at"),
    ],
)
def test_what_is_no_key(drive, here, tmp_path, key, message, capsys):
    (tmp_path / "key.json").unlink()
    if key:
        (tmp_path / "key.json").write_text(key)
    assert main(["pull"]) == 7 and message in capsys.readouterr().err


def test_a_key_that_google_does_not_know(drive, here, tmp_path, capsys):
    (tmp_path / "key.json").write_text(drive.service_account(client_email="other@project.test"))
    assert main(["pull"]) == 7
    assert "Google gives no access token (invalid_grant)" in capsys.readouterr().err


def test_sign_in_with_a_browser(drive, here, tmp_path, monkeypatch):
    """A real browser's part is played by a program that follows the page's redirection."""
    with socket.socket() as one, socket.socket() as two:
        try:
            one.bind(("localhost", 8080))
            two.bind(("localhost", 8090))
        except OSError:
            pytest.skip("runs where ports 8080 and 8090 of this machine are free")
    monkeypatch.delenv("RCGAN_DRIVE_KEY")
    (tmp_path / "client.json").write_text(drive.client_secrets())
    command = [*SYNC, "auth", "--client-secrets", str(tmp_path / "client.json")]
    done = subprocess.run(command, env=os.environ | {"BROWSER": BROWSER}, capture_output=True, text=True, timeout=60)
    assert "Signed in to Google Drive as" in done.stdout, done.stderr
    saved = tmp_path / "config/rcgan_nb/drive/credentials.json"
    assert mode(saved) == 0o600 and json.loads(saved.read_text())["refresh_token"] == "refresh"
    drive.tokens.clear()  # the access token has run out: the refresh token gets a new one
    assert main(["pull"]) == 0
    saved.write_text("{}")
    assert main(["pull"]) == 7


def test_what_is_no_client(drive, tmp_path, monkeypatch, capsys):
    (tmp_path / "client.json").write_text('{"other": {}}')
    assert main(["auth", "--client-secrets", str(tmp_path / "client.json")]) == 7
    assert "the sign-in did not succeed" in capsys.readouterr().err
    assert main(["auth", "--client-secrets", str(tmp_path / "none.json")]) == 7
    assert "none.json is not an OAuth client's file" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["http://192.0.2.1:80", "https://127.0.0.1:1", "http://127.0.0.1.example.org"])
def test_no_credentials_go_to_another_machine(drive, here, monkeypatch, url, capsys):
    monkeypatch.setenv("RCGAN_DRIVE_URL", url)
    assert main(["pull"]) == 2
    assert "RCGAN_DRIVE_URL must be an address of this machine" in capsys.readouterr().err


def test_folders_are_found_by_path_address_id_and_sharing(drive):
    one = Drive(signin.load())
    assert one.find("rcgan_nb/runs") == one.find("/rcgan_nb//runs/") == one.find("id:runs") == "runs"
    assert one.find("https://drive.google.com/drive/u/0/folders/runs") == "runs"
    team = drive.add("team's \\ folder", parent="someone", shared=True)
    assert one.find("team's \\ folder") == team
    with pytest.raises(FileNotFoundError, match="there is no folder rcgan_nb/none in this Drive"):
        one.find("rcgan_nb/none")
    with pytest.raises(FileNotFoundError, match="there is no none in Drive, or it is not shared with you"):
        one.find("id:none")
    with pytest.raises(ValueError, match="is no folder in Drive"):
        one.find(f"id:{drive.add('file', b'1')}")
    drive.files[team]["labels"]["trashed"] = True
    with pytest.raises(FileNotFoundError, match="lies in Drive's trash"):
        one.find(f"id:{team}")
    drive.add("rcgan_nb")
    with pytest.raises(ValueError, match="2 folders in Drive are called rcgan_nb; give the address"):
        one.find("rcgan_nb/runs")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["pull", "none"], 3, "there is no folder none in this Drive"),
        (["push", "--local", "/nowhere"], 3, "there is no folder /nowhere here"),
        (["pull", "--transfers", "0"], 2, "--transfers must be at least 1, but 0 came"),
        (["pull", "--max-delete", "-1"], 2, "--max-delete must be at least 0, but -1 came"),
        (["pull", "--backup-dir", "{here}/old"], 2, "lies in the mirror, and would be synced"),
    ],
)
def test_words_that_cannot_be(drive, here, capsys, words, code, message):
    assert main([word.format(here=here) for word in words]) == code
    assert message in capsys.readouterr().err


def test_help_tells_the_exit_codes(capsys):
    for words in (["--help"], ["pull", "--help"]):
        with pytest.raises(SystemExit):
            main(words)
        said = capsys.readouterr().out
        assert "exit codes" in said and "130  stopped by Ctrl-C" in said
    assert all(word in said for word in ("--dry-run", "--checksum", "--backup-dir", "--max-delete", "--transfers"))
    with pytest.raises(SystemExit) as caught:
        main(["pul"])
    assert caught.value.code == 2


# Restricted data.


def series(**info):
    return SeriesSet(x=np.zeros((3, 5, 2), np.float32), info={"name": "s"} | info)


def packed(name, content, kind):
    stream = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(stream, "w") as file:
            file.writestr(name, content)
    else:
        with tarfile.open(fileobj=stream, mode="w:gz") as file:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return stream.getvalue()


MARKED = json.dumps({"summary": {"name": "x", "restricted": "PhysioNet licence"}})
OPEN = json.dumps({"summary": {"name": "x", "restricted": False, "licence": "CC"}})


@pytest.fixture
def mixed(here):
    """A runs folder with open and restricted runs, sets and files; gives the paths of the open ones."""
    for run, facts in (("open", OPEN), ("secret", MARKED), ("broken", "{")):
        for path, content in (("data.json", facts), ("samples/step-1.npz", b"x"), ("evaluate.ipynb", "{}")):
            write(here, f"{run}/{path}", content)
    for run, parent in (("third", "next"), ("next", "secret"), ("open-2", "open")):
        write(here, f"{run}/data.json", json.dumps(json.loads(OPEN) | {"started_from": {"run": parent, "step": 3}}))
    write(here, "open-3/data.json", "[]")
    series().save(here / "prepared/open.npz")
    series(restricted="licence").save(here / "prepared/secret.npz")
    for name, facts in (("open.csv", OPEN), ("drawn.csv", MARKED)):
        write(here, name, "1,2")
        write(here, f"{name}.provenance.json", facts)
    write(here, "secret.zip", packed("r/data.json", MARKED.encode(), "zip"))
    write(here, "sets.tar.gz", packed("p/secret.npz", (here / "prepared/secret.npz").read_bytes(), "tar"))
    write(here, "open.zip", packed("r/data.json", OPEN.encode(), "zip"))
    write(here, "cut.zip", packed("r/data.json", OPEN.encode(), "zip")[:-30])
    write(here, "batches/b/1/train.ipynb", json.dumps({"outputs": ["{'series': 3, 'restricted': 'licence'}"]}))
    write(here, "batches/b/2/evaluate.ipynb", json.dumps({"source": 'run = "secret"'}))
    write(here, "exported/secret-weights.h5", b"weights")
    write(here, "exported/secretary.h5", b"weights")
    write(here, "batches/b/3/evaluate.ipynb", json.dumps({"source": 'run = "secretary"'}))
    for path, content in (("data.json", MARKED), ("review.json", "{}"), ("sheets/0011.png", b"x")):
        write(here, f"reviews/review/{path}", content)
    write(here, "reviews/open/sheets/0022.png", b"x")
    write(here, "batches/b/3/review.ipynb", "{}")  # its name is not that review's
    return {
        path
        for path in mirrored(here)
        if path.startswith(("open", "prepared/open", "batches/b/3", "exported/secretary", "reviews/open"))
    }


def test_restricted_artefacts_stay_home_unless_named(drive, here, mixed, capsys):
    assert main(["push"]) == 0
    assert set(drive.tree("runs")) == mixed
    assert {"secret", "broken", "next", "third"}.isdisjoint(ids(drive))  # not even the folders' names
    said = capsys.readouterr().err
    assert "secret/samples/step-1.npz  (made from restricted data, or cannot be read to tell; it stays here" in said
    assert "--allow-restricted secret)" in said
    assert main(["push", "--allow-restricted", "secret", "--allow-restricted", "prepared/secret.npz"]) == 0
    assert set(drive.tree("runs")) - mixed == {
        "secret/data.json", "secret/samples/step-1.npz", "secret/evaluate.ipynb", "prepared/secret.npz",
    }  # fmt: skip
    write(here, "secret/evaluate.ipynb", "changed")
    before = drive.tree("runs")
    assert main(["push"]) == 0 and drive.tree("runs") == before


def test_what_is_too_large_to_be_looked_into_stays(tmp_path, monkeypatch):
    (tmp_path / "a.zip").write_bytes(packed("r/data.json", OPEN.encode(), "zip"))
    assert says_restricted(tmp_path / "a.zip") is False
    monkeypatch.setattr("drive_sync.restricted.MOST", 5)
    assert says_restricted(tmp_path / "a.zip") is None


def test_a_run_of_restricted_data_says_so_in_its_files(tmp_path):
    """Where rcgan_nb puts the mark: data.json of a run, .npz of a set, provenance of drawn series."""
    s = series(restricted="licence")
    assert says_restricted(s.save(tmp_path / "a.npz")) and not says_restricted(series().save(tmp_path / "b.npz"))
    (tmp_path / "data.json").write_text(json.dumps({"summary": s.summary()}))
    assert says_restricted(tmp_path / "data.json")
