"""A running `hyperloader serve`, for the checks of this folder."""

import contextlib
import http.server
import json
import subprocess
import threading
import time
import urllib.error
import urllib.request

PATIENCE = 60


class Server:
    """A server on a free port, which ends with the `with` block."""

    def __init__(self, command, models, *options):
        call = [command, "serve", *models, "--addr", "127.0.0.1:0", *options]
        self.process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"FAILED: {' '.join(call)} does not start")
        self.address = json.loads(line)["address"]

    def __enter__(self):
        end = time.monotonic() + PATIENCE
        while self.ask("/ready")[0] != 200:
            if time.monotonic() > end or self.process.poll() is not None:
                self.stop()
                raise SystemExit("FAILED: the server does not become ready")
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Asks it to end. Its exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def ask(self, route, body=None, token=None):
        """Status and text of an answer."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if token:
            headers["Authorization"] = "Bearer " + token
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + route, data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def label(self, token=None, **body):
        """The answer for one text."""
        status, text = self.ask("/v1/label", body, token)
        if status != 200:
            raise SystemExit(f"FAILED: {status} {text}")
        return json.loads(text)["results"][0]


@contextlib.contextmanager
def below(prefix, server):
    """A reverse proxy that has `server` below a path. Its origin."""

    class Forward(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def forward(self):
            if not (self.path + "/").startswith(prefix + "/"):
                self.send_error(404)
                return
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name: self.headers[name] for name in ("Content-Type", "Authorization") if self.headers[name]}
            route = self.path[len(prefix):] or "/"
            body = self.rfile.read(length) if length else None
            request = urllib.request.Request(server.address + route, data=body, method=self.command, headers=headers)
            try:
                answer = urllib.request.urlopen(request, timeout=PATIENCE)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                body = answer.read()
                self.send_response(answer.status)
                for name in ("Content-Type", "Content-Security-Policy", "Retry-After"):
                    if answer.headers[name]:
                        self.send_header(name, answer.headers[name])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        do_GET = do_POST = forward

    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forward)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}"
    finally:
        proxy.shutdown()
        proxy.server_close()
