# SPDX-License-Identifier: MIT
"""The mock service, asked well and badly over real sockets."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAM = os.environ["PLUMB_MOCK_SERVICE"]
USER = b'{"id": 1}\n'


@dataclass
class Service:
    """A running service and its folder."""

    process: subprocess.Popen[str]
    port: int
    folder: Path

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def ask(self, text: bytes, end: bool = False) -> bytes:
        """Everything that comes until the service closes."""
        with self.connect() as client:
            client.sendall(text)
            if end:
                client.shutdown(socket.SHUT_WR)
            return everything(client)

    def log(self) -> list[str]:
        return (self.folder / "requests.log").read_text().splitlines()

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def everything(client: socket.socket) -> bytes:
    parts: list[bytes] = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


def start(folder: Path, *words: str, limit: int | None = None) -> Service:
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data/user.json").write_bytes(USER)

    def few() -> None:
        if limit:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    process = subprocess.Popen([PROGRAM, "--port", "0", *words], cwd=folder,
                               stdout=subprocess.PIPE, preexec_fn=few,
                               stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.match(r"http://[\d.]+:(\d+)/ answers with data/user.json", line)
    assert found, line
    return Service(process, int(found[1]), folder)


@pytest.fixture()
def service(tmp_path: Path) -> Iterator[Service]:
    made = start(tmp_path)
    yield made
    made.process.terminate()
    out, err = made.process.communicate(timeout=60)
    assert (made.process.returncode, out, err) == (0, "", "")


GET = b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def test_whatever_is_asked_the_file_is_the_answer(service: Service) -> None:
    """And the log grows by a line each time: time, method, URL."""
    for url in (b"/", b"/a/b?c=d", b"/%C3%A4"):
        answer = service.ask(GET % url)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"Content-Type: application/json" in head
        assert body == USER
    post = service.ask(b"POST /p HTTP/1.1\r\nContent-Length: 3\r\n"
                       b"Connection: close\r\n\r\nabc")
    assert post.endswith(USER)
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "
    assert [re.sub(stamp, "", line) for line in service.log()] == [
        "GET /", "GET /a/b?c=d", "GET /%C3%A4", "POST /p"]
    assert all(re.match(stamp, line) for line in service.log())


def test_the_file_is_read_anew(service: Service) -> None:
    path = service.folder / "data/user.json"
    path.write_bytes(b"x" * 200_000)
    assert service.ask(GET % b"/").endswith(b"\r\n\r\n" + b"x" * 200_000)
    path.unlink()
    answer = service.ask(GET % b"/")
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b'{"error":"data/user.json: No such file or directory"}' in answer
    path.write_bytes(USER)
    assert service.ask(GET % b"/").endswith(USER)


def test_requests_sent_ahead_are_answered_in_order(service: Service) -> None:
    """Forty in one piece, and byte by byte."""
    many = b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % n
                    for n in range(39)) + GET % b"/39"
    answer = service.ask(many)
    assert answer.count(b"HTTP/1.1 200 OK") == 40
    assert [line.split()[2] for line in service.log()] == [
        f"/{n}" for n in range(40)]
    with service.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in GET % b"/slow":
            client.sendall(bytes([byte]))
        assert everything(client).endswith(USER)


def test_a_head_has_no_body(service: Service) -> None:
    answer = service.ask(GET.replace(b"GET", b"HEAD") % b"/")
    assert answer.endswith(b"\r\n\r\n")
    assert b"Content-Length: %d" % len(USER) in answer


def test_an_old_client_is_served_and_closed(service: Service) -> None:
    answer = service.ask(b"GET / HTTP/1.0\r\n\r\n")
    assert answer.endswith(USER)


def test_chunks_and_a_client_that_asks_first(service: Service) -> None:
    answer = service.ask(
        b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nConnection: close\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")


@pytest.mark.parametrize("text, status", [
    (b"\x00\x01\x02\r\n\r\n", b"400"),
    (b"GET\r\n\r\n", b"400"),
    (b"GET / HTTP/9.9\r\n\r\n", b"505"),
    (b"GET / HTTP/1.1\r\nNo colon\r\n\r\n", b"400"),
    (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"400"),
    (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
     b"400"),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
    (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"413"),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n"
     + b"x" * 0x200000 + b"\r\n0\r\n\r\n", b"413"),
    (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"431"),
    (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", b"431"),
], ids=range(11))
def test_a_malformed_request_is_answered(
    service: Service, text: bytes, status: bytes
) -> None:
    """With a status that says so; the next client is served."""
    answer = service.ask(text)
    assert answer.startswith(b"HTTP/1.1 " + status), answer[:80]
    assert service.ask(GET % b"/").endswith(USER)


def test_clients_that_go_away_leave_nothing(service: Service) -> None:
    """In the middle of a line, of a body, before the answer."""
    service.ask(GET % b"/")
    before = service.descriptors()
    for n in range(60):
        client = service.connect()
        client.sendall([b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 9"
                        b"\r\n\r\nab", GET % b"/gone"][n % 3])
        if n % 2:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              b"\1\0\0\0\0\0\0\0")  # a reset
        client.close()
    assert service.ask(GET % b"/").endswith(USER)
    for _ in range(200):
        if service.descriptors() <= before:
            break
        time.sleep(0.05)
    assert service.descriptors() <= before


def test_it_ends_after_the_answers_under_way(tmp_path: Path) -> None:
    """A client in the middle of its request still gets its answer."""
    service = start(tmp_path)
    idle = service.connect()
    busy = service.connect()
    busy.sendall(b"POST /busy HTTP/1.1\r\nContent-Length: 3\r\n\r\na")
    service.ask(GET % b"/")  # the others have been taken by then
    service.process.send_signal(signal.SIGINT)
    assert everything(idle) == b""
    with pytest.raises(OSError):
        while True:
            service.connect().close()
            time.sleep(0.01)
    busy.sendall(b"bc")
    assert everything(busy).endswith(USER)
    busy.close()
    assert service.process.wait(60) == 0
    assert len(service.log()) == 2


def test_without_descriptors_it_goes_on(tmp_path: Path) -> None:
    """Clients are turned away, and the next ones are served."""
    service = start(tmp_path, limit=24)
    many = []
    for _ in range(40):
        many.append(service.connect())
    for client in many:
        client.close()
    for _ in range(100):
        try:
            if service.ask(GET % b"/").endswith(USER):
                break
        except OSError:
            pass
        time.sleep(0.05)
    assert service.ask(GET % b"/").endswith(USER)
    service.process.terminate()
    assert service.process.wait(60) == 0


def test_a_full_disk_stops_the_log_and_not_the_service(tmp_path: Path) -> None:
    """It is told once."""
    service = start(tmp_path, "--log", "/dev/full")
    for _ in range(3):
        assert service.ask(GET % b"/").endswith(USER)
    service.process.terminate()
    _, err = service.process.communicate(timeout=60)
    assert err == ("/dev/full: No space left on device; requests are served, "
                   "but not logged\n")


@pytest.mark.parametrize("words, said", [
    (["--port", "x"], "usage:"), (["--port", "70000"], "usage:"),
    (["--bad"], "unrecognized option"), (["extra"], "usage:"),
])
def test_a_wrong_command_line_is_told(words: list[str], said: str) -> None:
    done = subprocess.run([PROGRAM, *words], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 2 and said in done.stderr


def test_a_port_that_is_taken_is_told(service: Service) -> None:
    done = subprocess.run([PROGRAM, "--port", str(service.port)],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == (
        "plumb-mock-service: 127.0.0.1: Address already in use\n")


def test_it_is_stable_under_load(service: Service) -> None:
    """wrk with a hundred connections: no error, a line per request, and no
    descriptor is left."""
    wrk = shutil.which("wrk")
    if wrk is None:
        pytest.skip("wrk is not installed")
    before = service.descriptors()
    done = subprocess.run(
        [wrk, "-t", "1", "-c", "100", "-d", "2s",
         f"http://127.0.0.1:{service.port}/load"],
        capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "Socket errors" not in done.stdout
    assert "Non-2xx" not in done.stdout
    found = re.search(r"(\d+) requests in", done.stdout)
    assert found
    asked = int(found[1])
    for _ in range(200):
        if service.descriptors() <= before:
            break
        time.sleep(0.05)
    assert service.descriptors() <= before
    # wrk does not count what it no longer waits for.
    assert asked <= len(service.log()) <= asked + 100
