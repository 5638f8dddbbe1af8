"""What the servers share: the requests that they keep, the script that they follow, and HTTP."""

from __future__ import annotations

import json
import socket
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Thread
from typing import Any

from servers.replies import Reply, Task, obliging


@dataclass(frozen=True)
class Request:
    """A request as it came over the wire."""

    path: str
    raw: bytes
    body: dict[str, Any]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages, parsed."""
        return self.body["messages"]

    @property
    def history(self) -> bytes:
        """The bytes of the messages as they were sent, each followed by a comma."""
        text = self.raw.decode()
        start = text.index('"messages":[') + len('"messages":')
        messages, end = json.JSONDecoder().raw_decode(text, start)
        assert messages == self.messages
        return f"{text[start + 1 : end - 1]},".encode()

    def continues(self, earlier: Request) -> bool:
        """Return whether all that an earlier request said comes first here too, so that a prompt cache is hit."""
        return self._head == earlier._head and self.history.startswith(earlier.history)

    @property
    def _head(self) -> str:
        return json.dumps([self.body.get(key) for key in ("model", "system", "tools")])


Replies = Iterable[Reply] | Callable[[Request], Reply] | None


_SERVERS = count(1)
"""Ports are used again. SDKs keep a client for each URL, and one that served a closed event loop serves no other."""


class Refusal(Exception):
    """A request that a provider answers with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ModelServer(ABC):
    """A provider's server on this machine; `with` starts and stops it.

    It keeps every request, and refuses those in which calls and results are not paired, as providers do. It answers
    with the replies of its script: one after the other, or what a function says to a request, or, without a script,
    by doing what is asked for.
    """

    base_path = ""

    def __init__(self, replies: Replies = None) -> None:
        self.requests: list[Request] = []
        self._numbers = count(1)
        self._http = _Http(self)
        self.url = f"http://127.0.0.1:{self._http.server_port}/{next(_SERVERS)}{self.base_path}"
        self.script(replies)

    def __enter__(self) -> Any:
        Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.stop()

    def script(self, replies: Replies) -> None:
        """Answer so from now on, and forget the requests."""
        self.requests.clear()
        self._replies = replies if replies is None or callable(replies) else iter(replies)

    def answer(self, path: str, raw: bytes) -> dict[str, Any] | Iterator[str]:
        """Return the body of the answer: a JSON object, or the events of a stream."""
        request = Request(path, raw, json.loads(raw))
        self.requests.append(request)
        _refuse_orphans(self.pairs(request.messages))
        reply = self._reply(request)
        if reply.status > 200:
            raise Refusal(reply.status, reply.text)
        return (
            self.stream(request, reply)
            if request.body.get("stream")
            else self.whole(request, reply)
        )

    def _reply(self, request: Request) -> Reply:
        if self._replies is None:
            return obliging(self.task(request.body))
        if callable(self._replies):
            return self._replies(request)
        return next(self._replies, Reply("the script is over", status=400))

    def new_id(self, prefix: str) -> str:
        """Return an id that this server gave to nothing else."""
        return f"{prefix}_{next(self._numbers)}"

    @abstractmethod
    def task(self, body: Mapping[str, Any]) -> Task:
        """Return what a request asks for."""

    @abstractmethod
    def pairs(self, messages: list[dict[str, Any]]) -> Iterator[tuple[set[str], set[str]]]:
        """Return the ids of the calls that each message makes, and of those that it answers."""

    @abstractmethod
    def whole(self, request: Request, reply: Reply) -> dict[str, Any]:
        """Return a reply as one JSON object."""

    @abstractmethod
    def stream(self, request: Request, reply: Reply) -> Iterator[str]:
        """Return a reply as server-sent events."""


def usage(request: Request, reply: Reply) -> tuple[int, int]:
    """Return the tokens that were read and written; by default one for every four characters."""
    said = len(reply.text) + sum(len(json.dumps(call.arguments)) for call in reply.calls)
    return reply.usage or (len(request.raw) // 4, said // 4 + 1)


def _refuse_orphans(pairs: Iterable[tuple[set[str], set[str]]]) -> None:
    waiting: set[str] = set()
    for made, answered in pairs:
        if orphans := answered - waiting:
            raise Refusal(
                400, f"results of calls that were not made right before them: {sorted(orphans)}"
            )
        if waiting and not answered:
            break
        waiting = waiting - answered | made
    if waiting:
        raise Refusal(400, f"calls without results: {sorted(waiting)}")


class _Http(ThreadingHTTPServer):
    request_queue_size = 64

    def __init__(self, model: ModelServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.model = model
        self.connections: list[socket.socket] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections.append(connection)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """Stop, and end the connections that clients keep alive: each holds a thread."""
        self.shutdown()
        self.server_close()
        for connection in self.connections:
            with suppress(OSError):  # a closed one cannot be shut down
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            answer = self.server.model.answer(self.path.partition("?")[0], raw)
        except Refusal as refusal:
            error = {"type": "invalid_request_error", "message": str(refusal)}
            self._send(refusal.status, {"type": "error", "error": error})
        else:
            self._send(200, answer) if isinstance(answer, dict) else self._stream(answer)

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self._head(status, {"Content-Type": "application/json", "Content-Length": str(len(body))})
        self.wfile.write(body)

    def _stream(self, events: Iterator[str]) -> None:
        self._head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        for event in [*map(str.encode, events), b""]:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
