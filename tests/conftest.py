"""Fixtures of several folders: one thread for tests of networks, and a local web server with official files."""

import os
import re
import threading
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import hypothesis
import pytest

# No deadline, since a busy machine fails no test. `make fuzz` tries other inputs each time, and many more.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True)
hypothesis.settings.register_profile("fuzz", deadline=None, max_examples=5000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

NETWORK_TESTS = ("unit/cli", "unit/encoders", "unit/losses", "unit/models", "unit/training", "numerics")


@pytest.fixture(scope="module", autouse=True)
def one_thread(request):
    """Run PyTorch on one thread in tests of networks, which is faster for small ones and lets tests run in parallel."""
    folder = request.path.parent.relative_to(Path(__file__).parent)
    if not any(folder.is_relative_to(name) for name in NETWORK_TESTS):
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Mirror:
    """A web server for the files of a folder that fails, stalls or ignores ranges on demand.

    Attributes:
        asked: (file name, Range header or None) of each request.
        ranges: Whether Range headers are honoured.
        stop_after: Number of bytes after which the server stops in the middle of a response; None for never.
        stall_after: Number of bytes after which a response stalls; None for never.
        content_type: Content type of every response.
    """

    def __init__(self, folder: Path):
        self.folder, self.asked, self.ranges = folder, [], True
        self.stop_after = self.stall_after = None
        self.content_type = "application/octet-stream"
        self.port, self.released, self.server = 0, threading.Event(), None
        self.start()

    def start(self) -> None:
        """Start the server; after a stop, at the same address."""
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.answer(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # clients close connections on purpose
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
