"""A local mirror of official files: a web server that counts, breaks off, stalls or forgets ranges on demand."""

import re
import threading
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


class Mirror:
    """Serves the files of a folder.

    Attributes:
        asked: (file name, Range header or None) of each request.
        ranges: Whether ranges are honoured.
        stop_after: Bytes after which the server dies in the middle of an answer.
        stall_after: Bytes after which an answer goes no further.
        content_type: Of every answer.
    """

    def __init__(self, folder: Path):
        self.folder, self.asked, self.ranges = folder, [], True
        self.stop_after = self.stall_after = None
        self.content_type = "application/octet-stream"
        self.port, self.released, self.server = 0, threading.Event(), None
        self.start()

    def start(self) -> None:
        """Serve, again at the same address after a stop."""
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.answer(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # clients break off on purpose
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def url(self, name: str = "") -> str:
        return f"http://127.0.0.1:{self.port}/{name}".rstrip("/")

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        file, wanted = self.folder / Path(request.path).name, request.headers.get("Range")
        self.asked.append((file.name, wanted))
        if not file.is_file():
            request.send_error(404)
            return
        content, version = file.read_bytes(), formatdate(file.stat().st_mtime, usegmt=True)
        start = int(re.match(r"bytes=(\d+)-", wanted)[1]) if wanted and self.ranges else 0
        if request.headers.get("If-Range", version) != version:
            start = 0
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        request.send_header("Content-Length", str(len(content) - start))
        request.send_header("Content-Type", self.content_type)
        request.send_header("Last-Modified", version)
        request.end_headers()
        end = self.stop_after or self.stall_after or len(content)
        request.wfile.write(content[start:end])
        if self.stop_after:
            threading.Thread(target=self.stop).start()
        elif self.stall_after:
            request.wfile.flush()
            self.released.wait(60)


@pytest.fixture
def mirror(tmp_path):
    """A running mirror with an empty folder."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    mirror = Mirror(folder)
    yield mirror
    mirror.stop()
