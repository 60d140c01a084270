# SPDX-License-Identifier: MIT
"""The history in a PostgreSQL server: one of its own, in a temporary folder,
without a port; skipped by name where there is none to start."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from test_history import _file

from plumbline.cli import main
from plumbline.errors import UsageError
from plumbline.history import append, open_store, read_tracks
from plumbline.places import Places


def _program(name: str) -> str:
    """Debian keeps the server's programs out of the PATH."""
    found = [*sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}")),
             Path(shutil.which(name) or "/nowhere")]
    if not found[0].exists():
        pytest.skip(f"PostgreSQL's {name} is missing (Debian: postgresql)")
    return str(found[0])


def _as_nobody(folder: Path) -> dict[str, Any]:
    """The server refuses to be root: then it is somebody else."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid,
            "extra_groups": []}


def _run(words: list[str], who: dict[str, Any]) -> None:
    done = subprocess.run(words, stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=300, **who)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A URL with an empty database behind it."""
    pytest.importorskip("sqlalchemy", reason="python3-sqlalchemy is missing")
    pytest.importorskip("psycopg2", reason="python3-psycopg2 is missing")
    initdb, postgres = _program("initdb"), _program("postgres")
    # Short: it is the path of a socket.
    folder = Path(tempfile.mkdtemp(prefix="plumb-pg-"))
    who = _as_nobody(folder)
    process = None
    try:
        _run([initdb, "-D", str(folder / "data"), "-U", "plumb", "-A",
              "trust", "-E", "UTF8", "--no-sync"], who)
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(
                [postgres, "-D", str(folder / "data"), "-k", str(folder),
                 "-c", "listen_addresses=", "-c", "fsync=off"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
                **who)
        url = f"postgresql+psycopg2://plumb@/postgres?host={folder}"
        _wait(url, process, folder / "log")
        yield url
    finally:
        if process is not None:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(folder)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    import sqlalchemy  # type: ignore[import]

    end = time.monotonic() + 120
    while True:
        try:
            with sqlalchemy.create_engine(url).connect():
                return
        except sqlalchemy.exc.OperationalError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)


@pytest.fixture()
def store(server: str) -> Iterator[str]:
    """The same, without what the test before left."""
    import sqlalchemy

    yield server
    with sqlalchemy.create_engine(server).begin() as connection:
        connection.execute(sqlalchemy.text(
            "DROP TABLE IF EXISTS points, runs"))


@pytest.fixture()
def places(tmp_path: Path) -> Places:
    return Places(tmp_path, tmp_path)


def test_a_server_holds_what_a_file_holds(
    places: Places, tmp_path: Path, store: str
) -> None:
    """Appended once, read back in the order of measuring, the same tracks."""
    files = [_file(tmp_path, n, 10.0 + n, 1 + n // 3) for n in range(5)]
    for where in (store, str(tmp_path / "h.sqlite")):
        assert append(places, [files[3], files[1], files[1]], where, "r1") == 2
        assert append(places, files, where, "r2") == 3
    tracks = read_tracks(places, store)
    assert tracks == read_tracks(places, str(tmp_path / "h.sqlite"))
    assert [p.revision for t in tracks for p in t.points] == [
        "r2", "r1", "r2", "r1", "r2"]


@pytest.mark.parametrize("sql", [
    "DELETE FROM points", "UPDATE points SET nanoseconds = 1",
    "UPDATE runs SET revision = 'x'", "TRUNCATE points, runs"])
def test_a_server_refuses_to_forget(
    places: Places, tmp_path: Path, store: str, sql: str
) -> None:
    """Whoever asks, and whatever client does."""
    import sqlalchemy

    append(places, [_file(tmp_path, 1, 10.0)], store, "r")
    before = read_tracks(places, store)
    with pytest.raises(sqlalchemy.exc.DBAPIError, match="append-only"):
        with sqlalchemy.create_engine(store).begin() as connection:
            connection.execute(sqlalchemy.text(sql))
    assert read_tracks(places, store) == before


def test_an_append_that_fails_leaves_nothing_in_a_server(
    places: Places, tmp_path: Path, store: str
) -> None:
    """All of a transaction, or none."""
    document = _file(tmp_path, 1, 10.0)
    with pytest.raises(UsageError, match="cannot be used"):
        with open_store(places, store) as out:
            out.write("INSERT INTO runs VALUES (:a, :a, :a, :a, :a, :a, :a, "
                      ":a)", [{"a": "x"}])
            out.write("INSERT INTO points VALUES (:a)", [{"a": "x"}])
    assert append(places, [document], store, "r") == 1
    track, = read_tracks(places, store)
    assert len(track.points) == 1


def test_a_team_appends_at_once(
    places: Places, tmp_path: Path, store: str
) -> None:
    """Also the very first of them, who make the tables."""
    files = [_file(tmp_path, n, 10.0 + n) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(
            lambda one: append(places, [one], store, "r"), files))
    assert added == [1] * 8
    track, = read_tracks(places, store)
    assert [p.nanoseconds for p in track.points] == [
        10.0 + n for n in range(8)]


def test_the_command_takes_a_url(
    tmp_path: Path, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the command line and from the environment alike."""
    path = _file(tmp_path, 1, 10.0).path
    assert main(["history", "--store", store, "--add", str(path),
                 "--revision", "r1"]) == 0
    assert "loop/a" in capsys.readouterr().out
    nowhere = store.replace("plumb@", "plumb:secret@").replace(
        "host=", "host=/nowhere")
    assert main(["history", "--store", nowhere]) == 2
    said = capsys.readouterr().err
    assert "cannot be used" in said and "secret" not in said
