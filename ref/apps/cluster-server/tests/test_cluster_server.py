# SPDX-License-Identifier: MIT
"""The server of several processes, asked well and badly over real sockets."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAM = os.environ["PLUMB_CLUSTER_SERVER"]
GOOD = Path(os.environ["PLUMB_INTERCEPTORS"])
FAULTY = Path(os.environ["PLUMB_FAULTY"])
GET = b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
HOST = "127.0.0.1"


@dataclass
class Server:
    """A running server and its folder."""

    process: subprocess.Popen[str]
    port: int
    folder: Path

    def connect(self) -> socket.socket:
        return socket.create_connection((HOST, self.port), timeout=60)

    def ask(self, text: bytes) -> bytes:
        """Everything that comes until the server closes."""
        with self.connect() as client:
            client.sendall(text)
            return everything(client)

    def workers(self) -> list[int]:
        """The processes that serve."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        return [int(child) for child in children.read_text().split()]

    def snapshots(self) -> list[Path]:
        return sorted(self.folder.glob("snapshots/*.heapsnapshot"))

    def end(self) -> str:
        """Ends it in order; what it said on stderr."""
        self.process.terminate()
        _, err = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, err
        return err


def everything(client: socket.socket) -> bytes:
    parts: list[bytes] = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


def wait_for(what: Callable[[], bool]) -> None:
    for _ in range(1200):
        if what():
            return
        time.sleep(0.05)
    raise AssertionError("it does not happen")


def interceptors(folder: Path, *names: str) -> str:
    """A folder with copies of these libraries."""
    made = folder / "interceptors"
    made.mkdir(exist_ok=True)
    for name in names:
        source = GOOD if (GOOD / name).exists() else FAULTY
        shutil.copy(source / name, made / name)
    return str(made)


def start(folder: Path, *words: str) -> Server:
    process = subprocess.Popen(
        [PROGRAM, "--port", "0", "--workers", "2", *words], cwd=folder,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.match(r"http://[\d.]+:(\d+)/ served by (\d+) processes", line)
    assert found, line
    return Server(process, int(found[1]), folder)


@pytest.fixture(params=["round robin", "shared"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """One of each policy, with the examples as interceptors."""
    folder = interceptors(tmp_path, "10-deny.so", "20-slow.so", "90-who.so")
    words = ["--shared"] if request.param == "shared" else []
    made = start(tmp_path, "--interceptors", folder, *words)
    yield made
    assert made.end() == ""


def test_a_request_comes_back(server: Server) -> None:
    """Its line, its headers, its body; in chunks or not."""
    text = (b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nX-One: 1\r\nx-two:  two \r\n"
            b"Content-Length: 5\r\nConnection: close\r\n\r\nab\0\xffc")
    head, _, body = server.ask(text).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Type: message/http" in head
    assert body == (b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nX-One: 1\r\n"
                    b"x-two: two \r\nContent-Length: 5\r\n"
                    b"Connection: close\r\n\r\nab\0\xffc")
    chunked = (b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
               b"Connection: close\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")
    assert server.ask(chunked).endswith(b"\r\n\r\nabcde")


def test_a_large_body_comes_back(server: Server) -> None:
    """A megabyte; a byte more is refused."""
    body = os.urandom(1 << 20)
    head = b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    assert server.ask(head % len(body) + body).endswith(body)
    refused = server.ask(head % (len(body) + 1))
    assert refused.startswith(b"HTTP/1.1 413 ")


def test_many_requests_of_one_connection(server: Server) -> None:
    """One after the other, then all in one piece: answers in order."""
    with server.connect() as client:
        for n in range(20):
            client.sendall(b"GET /%d HTTP/1.1\r\n\r\n" % n)
            answer = client.recv(65536)
            assert b"GET /%d HTTP/1.1" % n in answer
        client.sendall(b"".join(b"GET /p%d HTTP/1.1\r\n\r\n" % n
                                for n in range(50)) + GET % b"/last")
        found = re.findall(rb"GET /(\w+) HTTP", everything(client))
    assert found == [b"p%d" % n for n in range(50)] + [b"last"]


def test_interceptors_answer_and_stop_the_chain(server: Server) -> None:
    """In the order of their names; what none answers is the server's."""
    assert server.ask(GET % b"/private/x").startswith(b"HTTP/1.1 403 ")
    allowed = server.ask(
        b"GET /private HTTP/1.1\r\nX-Token: letmein\r\n"
        b"Connection: close\r\n\r\n")
    assert allowed.startswith(b"HTTP/1.1 200 ")
    who = server.ask(GET % b"/who")
    assert b"application/json" in who
    assert json.loads(who.partition(b"\r\n\r\n")[2])["worker"] in (1, 2)


def test_who_waits_holds_nobody(server: Server) -> None:
    """An answer that is delayed, and others of all processes meanwhile."""
    slow = server.connect()
    slow.sendall(GET % b"/slow/1500")
    begun = time.monotonic()
    for _ in range(8):
        assert server.ask(GET % b"/fast").startswith(b"HTTP/1.1 200 ")
    between = time.monotonic() - begun
    answer = everything(slow)
    slow.close()
    assert b"GET /slow/1500 HTTP" in answer
    assert between < 1.4 or time.monotonic() - begun > 2 * between / 3


@pytest.mark.parametrize("text, status", [
    (b"\x00\x01\x02\r\n\r\n", b"400"),
    (b"GET / HTTP/9.9\r\n\r\n", b"505"),
    (b"GET / HTTP/1.1\r\nNo colon\r\n\r\n", b"400"),
    (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
     b"400"),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
    (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"431"),
], ids=range(6))
def test_a_malformed_request_is_answered(
    tmp_path: Path, text: bytes, status: bytes
) -> None:
    server = start(tmp_path)
    answer = server.ask(text)
    assert answer.startswith(b"HTTP/1.1 " + status), answer[:80]
    assert server.ask(GET % b"/").startswith(b"HTTP/1.1 200 ")
    assert server.end() == ""


def test_a_worker_that_dies_is_replaced(server: Server) -> None:
    """Clients are served all the while, at the same port."""
    before = server.workers()
    assert len(before) == 2
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    assert server.ask(GET % b"/").startswith(b"HTTP/1.1 200 ")
    wait_for(lambda: len(server.workers()) == 2)
    assert not set(before) & set(server.workers())
    # What it said of them is expected here, and nothing else.
    server.process.terminate()
    _, err = server.process.communicate(timeout=60)
    assert server.process.returncode == 0
    assert re.sub(r"\d", "N", err) == 2 * (
        "plumb-cluster-server: worker N died (signal N); it is started again\n")
    server.end = lambda: ""  # type: ignore[method-assign]


def test_all_processes_are_replaced_without_losing_a_request(
    server: Server,
) -> None:
    before = server.workers()
    slow = server.connect()
    slow.sendall(GET % b"/slow/400")
    # It has been taken by then: connections are served in their order.
    for _ in range(4):
        server.ask(GET % b"/")
    server.process.send_signal(signal.SIGHUP)
    for _ in range(20):
        assert server.ask(GET % b"/").startswith(b"HTTP/1.1 200 ")
    assert b"GET /slow/400 HTTP" in everything(slow)
    slow.close()
    wait_for(lambda: len(server.workers()) == 2
             and not set(before) & set(server.workers()))


def test_it_ends_after_the_answers_under_way(tmp_path: Path) -> None:
    """A client in the middle of its request, and one whose answer waits."""
    folder = interceptors(tmp_path, "20-slow.so")
    server = start(tmp_path, "--interceptors", folder)
    idle, half, slow = (server.connect() for _ in range(3))
    half.sendall(b"POST /half HTTP/1.1\r\nContent-Length: 3\r\n\r\na")
    slow.sendall(GET % b"/slow/700")
    for _ in range(6):  # both have been taken by then
        server.ask(GET % b"/")
    server.process.terminate()
    assert everything(idle) == b""
    half.sendall(b"bc")
    assert everything(half).endswith(b"\r\n\r\nabc")
    assert b"GET /slow/700 HTTP" in everything(slow)
    for client in (idle, half, slow):
        client.close()
    assert server.process.wait(60) == 0
    with pytest.raises(OSError):
        server.connect()


def test_workers_end_when_the_primary_is_gone(tmp_path: Path) -> None:
    server = start(tmp_path)
    workers = server.workers()
    server.process.kill()
    server.process.communicate(timeout=60)
    wait_for(lambda: not any(Path(f"/proc/{pid}/fd").exists() and
                             alive(pid) for pid in workers))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


# -- broken interceptors ------------------------------------------------------

FAULTS = {
    "another-abi.so": "made for another version of interceptor.h",
    "no-export.so": "it exports no plumb_interceptor_v1()",
    "crashes.so": r"it crashed while it was loaded \(Aborted\)",
    "refuses.so": "Permission denied",
    "truncated.so": "(file too short|invalid ELF header)",
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_interceptor_is_named_and_refused(
    tmp_path: Path, name: str
) -> None:
    """Nothing is served without it, unless that is wanted."""
    folder = interceptors(tmp_path, "90-who.so")
    if name == "truncated.so":
        Path(folder, name).write_bytes((GOOD / "90-who.so").read_bytes()[:40])
    else:
        interceptors(tmp_path, name)
    done = subprocess.run(
        [PROGRAM, "--port", "0", "--interceptors", folder], cwd=tmp_path,
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert re.search(f"refused {folder}/{name}: .*{FAULTS[name]}", done.stderr)
    assert "--skip-broken" in done.stderr
    if name == "crashes.so":
        return  # a worker that loads it ends, however often it is started
    server = start(tmp_path, "--interceptors", folder, "--skip-broken")
    assert b"worker" in server.ask(GET % b"/who")
    server.end()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [PROGRAM, "--port", "0", "--interceptors", "nowhere"], cwd=tmp_path,
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == (
        "plumb-cluster-server: nowhere: No such file or directory\n")


def test_an_interceptor_that_misbehaves_takes_its_request_alone(
    tmp_path: Path,
) -> None:
    """Errors and nonsense are 500; a crash takes a process, not the server."""
    folder = interceptors(tmp_path, "misbehaves.so")
    server = start(tmp_path, "--interceptors", folder)
    assert server.ask(GET % b"/fails").startswith(b"HTTP/1.1 500 ")
    assert server.ask(GET % b"/nonsense").startswith(b"HTTP/1.1 500 ")
    assert b"Smuggled" not in server.ask(GET % b"/split")
    before = set(server.workers())
    try:
        assert server.ask(GET % b"/crash") == b""
    except ConnectionResetError:
        pass
    assert server.ask(GET % b"/").startswith(b"HTTP/1.1 200 ")
    wait_for(lambda: len(set(server.workers()) - before) == 1)
    err = server.end()
    assert "misbehaves.so: Input/output error" in err
    assert "died (signal 6)" in err


@pytest.mark.parametrize("policy", [[], ["--shared"]], ids=["rr", "shared"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_process_that_cannot_go_on_lets_go_of_all_and_ends(
    tmp_path: Path, workers: int, policy: list[str],
) -> None:
    """What it has is answered; what comes is others', or waits for the next."""
    folder = interceptors(tmp_path, "misbehaves.so")
    server = start(tmp_path, "--workers", str(workers), "--interceptors",
                   folder, *policy)
    before = set(server.workers())
    slow = [server.connect() for _ in range(4)]
    for client in slow:
        client.sendall(GET % b"/slow")
    for _ in range(4):  # they have been taken by then
        assert server.ask(GET % b"/").startswith(b"HTTP/1.1 200 ")
    assert server.ask(GET % b"/broken").startswith(b"HTTP/1.1 500 ")
    for _ in range(20):
        assert server.ask(GET % b"/").startswith(b"HTTP/1.1 200 ")
    for client in slow:
        assert b"GET /slow HTTP" in everything(client)
        client.close()
    wait_for(lambda: len(set(server.workers()) - before) == 1
             and len(server.workers()) == workers)
    err = server.end()
    assert "misbehaves.so: State not recoverable" in err
    assert "died (status 70); it is started again" in err


# -- snapshots ----------------------------------------------------------------

def names_of(snapshot: Path) -> list[str]:
    """The names of its nodes."""
    found = json.loads(snapshot.read_text())
    meta = found["snapshot"]["meta"]
    width = len(meta["node_fields"])
    place = meta["node_fields"].index("name")
    return [found["strings"][found["nodes"][at + place]]
            for at in range(0, len(found["nodes"]), width)]


def test_each_process_writes_snapshots(tmp_path: Path) -> None:
    """Of what it served, under its own name, while it serves."""
    server = start(tmp_path, "--snapshot-every", "0.5", "--keep", "64")
    for n in range(12):
        server.ask(GET % b"/path/%d" % n)
    workers = server.workers()

    def all_wrote() -> bool:
        return all(any(f"heap-{pid}-" in path.name and
                       names_of(path).count("Request") > 0
                       for path in server.snapshots()) for pid in workers)

    def kept_by_all() -> int:
        """Requests in the newest snapshot of each: it may be of any moment."""
        last = [max(path for path in server.snapshots()
                    if f"-{pid}-" in path.name) for pid in workers]
        return sum(names_of(path).count("Request") for path in last)

    wait_for(lambda: all_wrote() and kept_by_all() == 12)
    for path in server.snapshots():
        assert re.fullmatch(
            r"heap-\d+-\d{8}T\d{6}\.\d{3}Z\.heapsnapshot", path.name)
        assert {"Server", "Array"} <= set(names_of(path))
    assert server.end() == ""
    assert not list(tmp_path.glob("snapshots/*.part"))


def test_a_snapshot_when_it_is_asked_for(tmp_path: Path) -> None:
    """What is being served is in it; the oldest make room."""
    folder = interceptors(tmp_path, "20-slow.so")
    server = start(tmp_path, "--interceptors", folder, "--keep", "2",
                   "--workers", "1")
    slow = server.connect()
    slow.sendall(GET % b"/slow/3000")
    server.ask(GET % b"/")
    seen: set[str] = set()
    for number in range(1, 5):
        os.kill(server.process.pid, signal.SIGUSR2)
        wait_for(lambda: len(seen | {p.name for p in server.snapshots()})
                 >= number)
        seen |= {path.name for path in server.snapshots()}
        time.sleep(0.02)
    wait_for(lambda: len(server.snapshots()) == 2)
    server.end()
    slow.close()


def test_a_snapshot_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """And requests are served all the same."""
    server = start(tmp_path, "--snapshot-every", "0.3")
    (tmp_path / "snapshots").rename(tmp_path / "elsewhere")
    assert server.process.stderr is not None
    err = server.process.stderr.readline()
    assert server.ask(GET % b"/").startswith(b"HTTP/1.1 200 ")
    server.end()
    assert re.search(r"snapshot snapshots/heap-\d+-\S+: No such file or "
                     r"directory", err), err


# -- load ----------------------------------------------------------------------

def test_it_is_stable_under_load(server: Server) -> None:
    """wrk with a hundred connections, snapshots meanwhile: no error, all
    processes serve, and no descriptor is left."""
    wrk = shutil.which("wrk")
    if wrk is None:
        pytest.skip("wrk is not installed")
    server.ask(GET % b"/")
    workers = server.workers()

    def descriptors() -> int:
        return sum(len(os.listdir(f"/proc/{pid}/fd"))
                   for pid in (server.process.pid, *workers))

    before = descriptors()
    load = subprocess.Popen(
        [wrk, "-t", "1", "-c", "100", "-d", "2s",
         f"http://{HOST}:{server.port}/load"],
        stdout=subprocess.PIPE, text=True)
    for _ in range(3):
        time.sleep(0.4)
        os.kill(server.process.pid, signal.SIGUSR2)
    out, _ = load.communicate(timeout=120)
    assert load.returncode == 0
    assert "Socket errors" not in out and "Non-2xx" not in out, out
    assert workers == server.workers()
    wait_for(lambda: descriptors() <= before)


@pytest.mark.parametrize("words", [
    ["--port", "x"], ["--port", "70000"], ["--workers", "0"], ["--keep", "0"],
    ["--snapshot-every", "-1"], ["--depth", "x"], ["--bad"], ["extra"],
])
def test_a_wrong_command_line_is_told(words: list[str]) -> None:
    done = subprocess.run([PROGRAM, *words], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 2 and "usage:" in done.stderr


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    server = start(tmp_path)
    done = subprocess.run([PROGRAM, "--port", str(server.port)], cwd=tmp_path,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == (
        "plumb-cluster-server: 127.0.0.1: Address already in use\n")
    server.end()
