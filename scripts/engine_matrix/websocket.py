"""What `kubectl exec` and `kubectl attach` speak: a WebSocket whose messages begin with the number of a stream."""

import base64
import json
import os
import socket
import struct
import time
from urllib.parse import urlsplit

from .system import Failure

STDIN, STDOUT, STDERR, STATUS, RESIZE = range(5)


class Streams:
    """The streams of a process in a container, from the address that the engine gave."""

    def __init__(self, url):
        address = urlsplit(url)
        self.socket = socket.create_connection((address.hostname, address.port), 20)
        self.seen = {STDOUT: "", STDERR: "", STATUS: ""}
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((
            f"GET {address.path}?{address.query} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n").encode())
        self.file = self.socket.makefile("rb")
        answer = self.file.readline().decode()
        while self.file.readline().strip():
            pass
        if " 101 " not in answer:
            raise Failure(f"{url}: {answer}")

    def send(self, stream, data):
        """One message, masked as clients have to."""
        data = bytes([stream]) + data
        mask = os.urandom(4)
        self.socket.sendall(struct.pack("!BBH", 0x82, 0x80 | 126, len(data)) + mask +
                            bytes(byte ^ mask[at % 4] for at, byte in enumerate(data)))

    def type(self, text):
        self.send(STDIN, text.encode())

    def resize(self, rows, columns):
        self.send(RESIZE, json.dumps({"Width": columns, "Height": rows}).encode())

    def read(self):
        """One more message; False at the end."""
        head = self.file.read(2)
        if len(head) < 2 or head[0] & 15 == 8:
            return False
        length = head[1] & 127
        if length >= 126:
            length = int.from_bytes(self.file.read(2 if length == 126 else 8), "big")
        data = self.file.read(length)
        if head[0] & 15 in (1, 2) and data:
            self.seen[data[0]] += data[1:].decode(errors="replace")
        return True

    def expect(self, text, seconds=20):
        end = time.monotonic() + seconds
        while text not in self.seen[STDOUT]:
            if not self.read() or time.monotonic() > end:
                raise Failure(f"no {text!r} on the stream, but {self.seen}")

    def end(self):
        """Reads to the end: the output, the errors, and the exit status."""
        while self.read():
            pass
        self.socket.close()
        status = json.loads(self.seen[STATUS] or '{"status": "Success"}')
        causes = status.get("details", {}).get("causes", [])
        code = 0 if status["status"] == "Success" else int(causes[0]["message"]) if causes else status["message"]
        return self.seen[STDOUT].replace("\r\n", "\n").strip(), self.seen[STDERR].strip(), code
