"""Clients of the server.

They share the machine with it. So connections stay open, requests are written as whole blocks of bytes, and answers are read with as
few steps as possible.
"""
import asyncio
import json
import socket
import struct
from collections import namedtuple

Answer = namedtuple("Answer", "status head body")


def head(method, path, *headers, length=None):
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def post(path, value, content_type="application/json"):
    """A request with the JSON of `value`, or with `value` itself if it is bytes."""
    body = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
    return head("POST", path, f"Content-Type: {content_type}", length=len(body)) + body


def parsed(text):
    """Status and headers of an answer's head."""
    lines = text.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    return int(lines[0].split(" ", 2)[1]), headers


class Blocking:
    """One connection, for one thread that waits for each answer."""

    def __init__(self, server, timeout=120):
        self.socket = socket.create_connection((server.host, server.port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, request):
        self.socket.sendall(request)
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self.more()
        status, headers = parsed(data[:end])
        body, length = data[end + 4 :], int(headers.get("content-length", 0))
        while len(body) < length:
            body += self.more()
        return Answer(status, headers, body)

    def more(self):
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the server has closed the connection")
        return data


class Client:
    """One connection that stays open, for asyncio.

    A server may end an open connection between two requests, such as one that was idle for too long. As every client does, this one
    then sends the request again on a new connection, once; on a new one an end is an error. `reconnected` counts that.
    """

    def __init__(self, server):
        self.server, self.writer, self.reconnected = server, None, 0

    async def connect(self):
        self.close()
        self.reader, self.writer = await asyncio.open_connection(self.server.host, self.server.port, limit=1 << 22)

    async def ask(self, request):
        if self.writer is not None and not self.writer.is_closing() and not self.reader.at_eof():
            try:
                self.writer.write(request)
                return await self.answer()
            except (ConnectionError, asyncio.IncompleteReadError) as error:
                if getattr(error, "partial", b""):
                    raise
                self.close()
                self.reconnected += 1
        await self.connect()
        self.writer.write(request)
        return await self.answer()

    async def answer(self):
        status, headers = parsed((await self.reader.readuntil(b"\r\n\r\n"))[:-4])
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection") == "close":
            self.close()
        return Answer(status, headers, body)

    def close(self):
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    def abort(self):
        """Breaks the connection off, as a killed process does: the server gets a reset."""
        if self.writer is not None:
            raw = self.writer.get_extra_info("socket")
            if raw is not None and raw.fileno() >= 0:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()
            self.writer = None
