"""A TCP proxy that passes on requests and can keep answers to itself."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self


class SwallowingProxy:
    """Forwards to a server; the answer to the first request that holds `marker` never arrives.

    `swallowed` is set when the server has answered that request, so that the server has acted on
    it and the client does not know. With `hang_up`, every such request is cut off instead.
    """

    def __init__(self, port: int, marker: bytes, *, hang_up: bool = False) -> None:
        self._target = port
        self._marker = marker
        self.swallowed = threading.Event()
        self._hang_up = hang_up
        self._armed = True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._open += [client, server]
                mute = threading.Event()
                for source, sink, up in ((client, server, True), (server, client, False)):
                    threading.Thread(
                        target=self._pass, args=(source, sink, up, mute), daemon=True
                    ).start()

    def _pass(
        self, source: socket.socket, sink: socket.socket, up: bool, mute: threading.Event
    ) -> None:
        seen = b""
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if up and self._armed:
                    seen = seen[-len(self._marker) :] + data
                    if self._marker in seen:
                        if self._hang_up:
                            break
                        self._armed = False
                        mute.set()
                if not up and mute.is_set():
                    self.swallowed.set()
                    continue
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each in self._open:
            each.close()
