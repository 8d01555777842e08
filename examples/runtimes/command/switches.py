"""A program for `type: command`: FOLDER/<strategy>.json says whether it may run, and your bots look there."""

import fcntl
import json
import os
import sys
from pathlib import Path

OFF = {"enabled": False, "paused": False}  # paused: it opens nothing, and manages what it holds


def obey(folder, asked):
    held = {file.stem: json.loads(file.read_text()) for file in folder.glob("*.json")}
    if asked["action"] == "observe":
        return {"strategies": held}
    last = folder / "token"
    token = int(last.read_text()) if last.exists() else 0
    name, old = asked["strategy"], held.get(asked["strategy"], OFF)
    if asked["action"] == "disable":  # always: a stop waits for nobody
        runs = old["enabled"] or old.get("paused", False)
        wanted = {**old, "enabled": False, "paused": runs and asked.get("how") == "stop_entries"}
    elif asked["token"] < token:
        return {"refused": "token"}
    elif asked["action"] == "change" and not old["enabled"]:
        return {"refused": "other"}
    else:
        wanted = {"enabled": True, "paused": False}
        wanted |= {key: asked[key] for key in ("connection", "parameters")}
    put(last, str(max(token, asked["token"])))
    if wanted != old:
        put(folder / f"{name}.json", json.dumps(wanted))
    return {"done": True}


def put(file, text):
    """All of it or nothing, whenever the machine stops."""
    new = file.with_suffix(".new")
    new.write_text(text)
    os.replace(new, file)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)  # one request at a time
    print(json.dumps(obey(folder, json.load(sys.stdin))))
