# SPDX-License-Identifier: MIT
"""A Redis server for as long as something is measured or tested with it.

Invariant: the server is ours: on a socket in a folder that goes, on no port,
and with nothing on disk; it is ended whatever happens.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from plumbline.errors import RunError

__all__ = ["RedisServer", "find_server", "redis_server"]

_START = 30  # seconds that a server may take until it listens


@dataclass(frozen=True)
class RedisServer:
    """A server that listens."""

    process: subprocess.Popen[bytes]
    socket: str


def find_server() -> str | None:
    """redis-server; in Debian's redis-tools it has another name."""
    return shutil.which("redis-server") or shutil.which("redis-check-rdb")


@contextmanager
def redis_server(executable: str) -> Iterator[RedisServer]:
    """Starts one, and ends it. Raises RunError when it does not start."""
    # In a folder whose name is short, as a socket's has to be.
    with tempfile.TemporaryDirectory(prefix="plumb-redis-") as folder:
        socket = Path(folder) / "socket"
        server = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", str(socket),
             "--save", "", "--appendonly", "no", "--dir", folder],
            executable=executable, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + _START
            while not socket.exists():
                if server.poll() is not None or time.monotonic() > end:
                    raise RunError("redis-server did not start",
                                   place=executable)
                time.sleep(0.02)
            yield RedisServer(server, str(socket))
        finally:
            server.kill()
            server.wait()
