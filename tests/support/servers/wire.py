"""The shared parts of the servers: recorded requests, scripts and HTTP."""

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
    """A request as it was received."""

    path: str
    raw: bytes
    body: dict[str, Any]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages, parsed."""
        return self.body["messages"]

    @property
    def history(self) -> bytes:
        """The bytes of the messages, each followed by a comma."""
        text = self.raw.decode()
        start = text.index('"messages":[') + len('"messages":')
        messages, end = json.JSONDecoder().raw_decode(text, start)
        assert messages == self.messages
        return f"{text[start + 1 : end - 1]},".encode()

    def continues(self, earlier: Request) -> bool:
        """Return whether an earlier request is a prefix of this, so that a prompt cache is hit."""
        return self._head == earlier._head and self.history.startswith(earlier.history)

    @property
    def _head(self) -> str:
        return json.dumps([self.body.get(key) for key in ("model", "system", "tools")])


Replies = Iterable[Reply] | Callable[[Request], Reply] | None


_SERVERS = count(1)
"""Numbers for URLs, because SDKs cache clients by URL and ports are reused.

A client that was used in a closed event loop cannot be used in another.
"""


class Refusal(Exception):
    """A request that a provider answers with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ModelServer(ABC):
    """Local server of a provider, to be used in a `with` statement.

    It records every request, and rejects those with unpaired calls and results, as providers do.
    It answers with the replies of its script, with the replies of a function, or, without a
    script, by doing what the request asks.
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
        """Set the script and forget the requests."""
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
            else self.complete(request, reply)
        )

    def _reply(self, request: Request) -> Reply:
        if self._replies is None:
            return obliging(self.task(request.body))
        if callable(self._replies):
            return self._replies(request)
        return next(self._replies, Reply("the script is over", status=400))

    def new_id(self, prefix: str) -> str:
        """Return a new unique id."""
        return f"{prefix}_{next(self._numbers)}"

    @abstractmethod
    def task(self, body: Mapping[str, Any]) -> Task:
        """Return the task of a request."""

    @abstractmethod
    def pairs(self, messages: list[dict[str, Any]]) -> Iterator[tuple[set[str], set[str]]]:
        """Yield the ids of the calls in each message, and of those that it answers."""

    @abstractmethod
    def complete(self, request: Request, reply: Reply) -> dict[str, Any]:
        """Return a reply as a single JSON object."""

    @abstractmethod
    def stream(self, request: Request, reply: Reply) -> Iterator[str]:
        """Return a reply as server-sent events."""


def usage(request: Request, reply: Reply) -> tuple[int, int]:
    """Return the input and output tokens, by default estimated from the characters."""
    characters = len(reply.text) + sum(len(json.dumps(call.arguments)) for call in reply.calls)
    return reply.usage or (len(request.raw) // 4, characters // 4 + 1)


def _refuse_orphans(pairs: Iterable[tuple[set[str], set[str]]]) -> None:
    open_calls: set[str] = set()
    for calls, answered in pairs:
        if orphans := answered - open_calls:
            raise Refusal(
                400, f"results of calls that were not made right before them: {sorted(orphans)}"
            )
        if open_calls and not answered:
            break
        open_calls = open_calls - answered | calls
    if open_calls:
        raise Refusal(400, f"calls without results: {sorted(open_calls)}")


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
        """Ignore clients that disconnected."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """Stop, and close the connections that clients keep alive, since each has a thread."""
        self.shutdown()
        self.server_close()
        for connection in self.connections:
            with suppress(OSError):  # already closed
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
        """Log nothing."""
