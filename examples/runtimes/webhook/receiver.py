"""A receiver for `type: webhook`: write your own `act`, keep the rest. See docs/runtimes/webhook.md."""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

WINDOW = 300  # seconds that a request may be old, or that its clock may be ahead of ours

OFF = {"enabled": False, "paused": False}  # paused: it opens nothing, and manages what it holds


class Receiver:
    def __init__(self, secret, clock=time.time):
        self.key, self.clock, self.lock = base64.b64decode(secret.removeprefix("whsec_")), clock, Lock()
        self.token, self.strategies = 0, {}  # yours outlive a restart: keep them with your bots' own state
        self.seen, self.since = {}, int(clock())  # what was sent before we started is refused as well

    def act(self, name, wanted):
        does = "start" if wanted["enabled"] else "stop entries of" if wanted["paused"] else "stop"
        print(does, name, "on", wanted.get("connection"), flush=True)

    def answer(self, headers, body):
        with self.lock:
            if not self.genuine(headers, body):
                return 401, {"refused": "unauthorised"}
            return 200, self.obey(json.loads(body))

    def genuine(self, headers, body):
        id_, stamp, given = (headers.get(f"webhook-{one}", "") for one in ("id", "timestamp", "signature"))
        made = hmac.new(self.key, f"{id_}.{stamp}.".encode() + body, hashlib.sha256).digest()
        right = b"v1," + base64.b64encode(made)
        if not any(hmac.compare_digest(right, one.encode()) for one in given.split()):
            return False
        now = self.clock()
        self.seen = {one: at for one, at in self.seen.items() if now - at <= 2 * WINDOW}
        if id_ in self.seen or int(stamp) < self.since or abs(now - int(stamp)) > WINDOW:
            return False
        self.seen[id_] = now
        return True

    def obey(self, asked):
        if asked["action"] == "observe":
            return {"strategies": self.strategies}
        name, old = asked["strategy"], self.strategies.get(asked["strategy"], OFF)
        if asked["action"] == "disable":  # always: a stop waits for nobody
            runs = old["enabled"] or old.get("paused", False)
            wanted = {**old, "enabled": False, "paused": runs and asked.get("how") == "stop_entries"}
        elif asked["token"] < self.token:
            return {"refused": "token"}
        elif asked["action"] == "change" and not old["enabled"]:
            return {"refused": "other"}
        else:
            wanted = {"enabled": True, "paused": False}
            wanted |= {key: asked[key] for key in ("connection", "parameters")}
        self.token = max(self.token, asked["token"])
        if wanted != old:
            self.act(name, wanted)
            self.strategies[name] = wanted
        return {"done": True}


def handler(receiver):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            status, answer = receiver.answer(
                self.headers, self.rfile.read(int(self.headers["Content-Length"]))
            )
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), handler(Receiver(os.environ["SECRET"])))
    print("listening on port", server.server_port, flush=True)
    server.serve_forever()
