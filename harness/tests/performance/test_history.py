# SPDX-License-Identifier: MIT
"""The history: nothing is lost, nothing changed, and steps are found."""

from __future__ import annotations

import json
import random
import sqlite3
from pathlib import Path

import pytest

from plumbline.cli import main
from plumbline.errors import MeasurementError, UsageError
from plumbline.history import append, export, open_store, read_tracks
from plumbline.measure import (
    Document,
    Series,
    Watch,
    read_document,
    write_document,
)
from plumbline.places import Places


@pytest.fixture()
def places(tmp_path: Path) -> Places:
    return Places(tmp_path, tmp_path)


def _file(folder: Path, number: int, time: float, version: int = 1
          ) -> Document:
    """A file of `plumbline bench` of day `number`."""
    path = write_document(
        folder / f"{number}.json",
        [Series("loop/a", "ref", (time, time), (time, time), version,
                raw=((time,), (time,)))],
        {"date": f"2026-01-01T00:{number:02}:00", "suite_version": "1"},
        Watch.begin().end(), "plumbline bench")
    value = json.loads(path.read_text())
    value["context"]["date"] = f"2026-01-01T00:{number:02}:00"
    path.write_text(json.dumps(value))
    return read_document(path)


@pytest.mark.parametrize("kind", ["file", "url"])
def test_a_file_is_appended_once(
    places: Places, tmp_path: Path, kind: str
) -> None:
    """Whether the store is a file or reached by URL."""
    store = str(tmp_path / "h.sqlite")
    if kind == "url":
        pytest.importorskip("sqlalchemy")
        store = f"sqlite:///{store}"
    first, second = _file(tmp_path, 1, 10.0), _file(tmp_path, 2, 11.0)
    assert append(places, [first, first], store, "r1") == 1
    assert append(places, [first, second], store, "r2") == 1
    track, = read_tracks(places, store)
    assert [(p.revision, p.nanoseconds) for p in track.points] == [
        ("r1", 10.0), ("r2", 11.0)]
    assert track.points[0].samples == (10.0, 10.0)


@pytest.mark.parametrize("sql", [
    "DELETE FROM points", "UPDATE points SET nanoseconds = 1",
    "DELETE FROM runs", "UPDATE runs SET revision = 'x'"])
def test_what_was_appended_stays(
    places: Places, tmp_path: Path, sql: str
) -> None:
    """The store itself refuses, whoever asks."""
    append(places, [_file(tmp_path, 1, 10.0)], None, "r")
    connection = sqlite3.connect(tmp_path / "out/history.sqlite")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(sql)
    connection.close()


def test_a_failed_append_leaves_nothing_behind(
    places: Places, tmp_path: Path
) -> None:
    """All files of a call, or none."""
    good = _file(tmp_path, 1, 10.0)
    foreign = tmp_path / "foreign.json"
    foreign.write_text('{"benchmarks": [{"name": "a", "cpu_time": 1, '
                       '"real_time": 1}]}')
    with pytest.raises(MeasurementError, match="on which machine"):
        append(places, [good, read_document(foreign)], None, "r")
    assert read_tracks(places) == []


def test_another_version_is_another_track(
    places: Places, tmp_path: Path
) -> None:
    """A changed workload is no step."""
    append(places, [_file(tmp_path, 1, 10.0), _file(tmp_path, 2, 99.0, 2)],
           None, "r")
    assert [t.version for t in read_tracks(places)] == [1, 2]


def test_a_step_is_exported_with_its_revision(
    places: Places, tmp_path: Path
) -> None:
    """Before, after and where."""
    source = random.Random(4)
    for number in range(24):
        level = 100.0 if number < 14 else 120.0
        append(places, [_file(tmp_path, number,
                              level * (1 + source.gauss(0, 0.01)))],
               None, f"r{number}")
    track, = export(read_tracks(places))["tracks"]
    change, = track["changes"]
    assert change["revision"] == "r14"
    assert change["before"] == pytest.approx(100, rel=0.01)
    assert change["after"] == pytest.approx(120, rel=0.01)


def test_a_store_that_cannot_be_used_is_named(
    places: Places, tmp_path: Path
) -> None:
    """Never a traceback, never a password."""
    broken = tmp_path / "broken.sqlite"
    broken.write_text("this is no database, and long enough to be none" * 9)
    with pytest.raises(UsageError, match="cannot be used"):
        with open_store(places, str(broken)):
            pass
    pytest.importorskip("sqlalchemy")
    with pytest.raises(UsageError) as error:
        with open_store(places, "nosuch://me:secret@host/db"):
            pass
    assert "secret" not in str(error.value)


def test_the_command_shows_adds_and_exports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty history says how to fill it."""
    store = ["history", "--store", str(tmp_path / "h.sqlite")]
    assert main(store) == 2
    assert "plumbline bench" in capsys.readouterr().err
    path = _file(tmp_path, 1, 10.0).path
    assert main([*store, "--add", str(path), "--revision", "r1"]) == 0
    assert "loop/a" in capsys.readouterr().out
    assert main([*store, "--export", str(tmp_path / "h.json")]) == 0
    value = json.loads((tmp_path / "h.json").read_text())
    assert value["tracks"][0]["points"][0]["revision"] == "r1"
    assert main([*store, "--revision", "x"]) == 2
    assert main([*store, "--filter", "("]) == 2
