# SPDX-License-Identifier: MIT
"""Where the history lies: an SQLite file, or a database by URL.

The SQL is the small part that SQLite and PostgreSQL share, with `:name`
parameters, which both sqlite3 and SQLAlchemy understand; so there is one text
for both.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from plumbline.errors import UsageError
from plumbline.places import Places

__all__ = ["Store", "open_store"]

VARIABLE = "PLUMBLINE_HISTORY"

_TABLES = (
    """CREATE TABLE IF NOT EXISTS runs (
         id TEXT PRIMARY KEY, measured TEXT NOT NULL, revision TEXT NOT NULL,
         suite TEXT NOT NULL, fingerprint TEXT NOT NULL,
         machine TEXT NOT NULL, noise TEXT NOT NULL, command TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS points (
         run TEXT NOT NULL REFERENCES runs(id), benchmark TEXT NOT NULL,
         version INTEGER NOT NULL, implementation TEXT NOT NULL,
         nanoseconds DOUBLE PRECISION NOT NULL, samples TEXT NOT NULL,
         counters TEXT NOT NULL,
         PRIMARY KEY (run, benchmark, implementation))""",
)
_NEVER = "RAISE(ABORT, 'the history is append-only')"
_SQLITE = tuple(
    f"CREATE TRIGGER IF NOT EXISTS {table}_{what.lower()} BEFORE {what} ON "
    f"{table} BEGIN SELECT {_NEVER}; END"
    for table in ("runs", "points") for what in ("UPDATE", "DELETE")
)
# Whoever comes second waits: two that create the same at once would fail.
_FIRST = {"postgresql": "SELECT pg_advisory_xact_lock(7588625)"}
_POSTGRESQL = (
    """CREATE OR REPLACE FUNCTION plumbline_never() RETURNS trigger AS $$
       BEGIN RAISE EXCEPTION 'the history is append-only'; END
       $$ LANGUAGE plpgsql""",
    *(f"""CREATE OR REPLACE TRIGGER {table}_never
          BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
          FOR EACH STATEMENT EXECUTE FUNCTION plumbline_never()"""
      for table in ("runs", "points")),
)

Row = Mapping[str, Any]


class Store(Protocol):
    """What a history needs of a database."""

    def write(self, sql: str, rows: Sequence[Row]) -> None:
        """Execute a statement for each row."""

    def read(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""


class _File:
    """SQLite from the standard library."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def write(self, sql: str, rows: Sequence[Row]) -> None:
        self._connection.executemany(sql, [dict(row) for row in rows])

    def read(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()


class _Server:
    """Anything that SQLAlchemy connects to."""

    def __init__(self, connection: Any, text: Any) -> None:
        self._connection = connection
        self._text = text

    def write(self, sql: str, rows: Sequence[Row]) -> None:
        if rows:
            self._connection.execute(self._text(sql),
                                     [dict(row) for row in rows])

    def read(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in
                self._connection.execute(self._text(sql)).fetchall()]


def _place(places: Places, wanted: str | None) -> str:
    return wanted or os.environ.get(VARIABLE) or str(
        places.out / "history.sqlite")


@contextmanager
def open_store(places: Places, wanted: str | None = None) -> Iterator[Store]:
    """The store, in one transaction that ends with the block. `wanted` is a
    file or a URL; by default $PLUMBLINE_HISTORY, or out/history.sqlite."""
    place = _place(places, wanted)
    if "://" in place:
        with _server(place) as store:
            yield store
    else:
        with _file(Path(place)) as store:
            yield store


@contextmanager
def _file(path: Path) -> Iterator[Store]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=30)
        try:
            with connection:
                for sql in (*_TABLES, *_SQLITE):
                    connection.execute(sql)
                yield _File(connection)
        finally:
            connection.close()
    except (sqlite3.Error, OSError) as error:
        raise UsageError(f"the history cannot be used: {error}",
                         place=str(path)) from error


@contextmanager
def _server(url: str) -> Iterator[Store]:
    try:
        import sqlalchemy  # type: ignore[import]
    except ImportError as error:
        raise UsageError(
            "a history by URL needs SQLAlchemy",
            remedy="install python3-sqlalchemy and, for PostgreSQL, "
            "python3-psycopg2") from error
    shown = url.split("@")[-1]  # never a password
    try:
        engine = sqlalchemy.create_engine(url)
        own = _SQLITE if engine.dialect.name == "sqlite" else (
            _POSTGRESQL if engine.dialect.name == "postgresql" else ())
        with engine.begin() as connection:
            first = _FIRST.get(engine.dialect.name)
            for sql in (*([first] if first else ()), *_TABLES, *own):
                connection.execute(sqlalchemy.text(sql))
            yield _Server(connection, sqlalchemy.text)
    except (sqlalchemy.exc.SQLAlchemyError, ImportError) as error:
        first = str(error).splitlines()[0].replace(url, shown)
        raise UsageError(f"the history cannot be used: {first}",
                         place=shown) from error
