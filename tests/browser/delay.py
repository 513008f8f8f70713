"""A network between browser and server that takes its time."""

import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


@contextmanager
def delayed(url: str, seconds: float) -> Iterator[str]:
    """Yield an address at which a server answers later by so much, there and back.

    Bytes keep their order and their rate; each way takes half the delay.
    """
    server = urlsplit(url)
    listener = socket.create_server(("127.0.0.1", 0))
    ends: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(target, *arguments) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        threads.append(thread)
        thread.start()

    def accept() -> None:
        while True:
            try:
                here, _ = listener.accept()
            except OSError:  # it was closed
                return
            there = socket.create_connection((server.hostname, server.port))
            ends.extend((here, there))
            for source, target in ((here, there), (there, here)):
                line: queue.Queue[tuple[float, bytes]] = queue.Queue()
                start(_receive, source, line, seconds / 2)
                start(_deliver, target, line)

    start(accept)
    try:
        port = listener.getsockname()[1]
        yield f"{server.scheme}://127.0.0.1:{port}{server.path}"
    finally:
        # a socket that is only closed would not wake the thread that waits on it
        for end in (listener, *ends):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the other side was quicker
        for thread in threads:
            thread.join(10)
        for end in (listener, *ends):
            end.close()


def _receive(source: socket.socket, line: queue.Queue, seconds: float) -> None:
    data = b"something"
    while data:
        try:
            data = source.recv(2**16)
        except OSError:
            data = b""
        line.put((time.monotonic() + seconds, data))


def _deliver(target: socket.socket, line: queue.Queue) -> None:
    while True:
        due, data = line.get()
        time.sleep(max(0.0, due - time.monotonic()))
        try:
            if not data:
                target.shutdown(socket.SHUT_WR)
                return
            target.sendall(data)
        except OSError:
            return
