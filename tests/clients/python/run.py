"""Runs scenarios of the official Python SDK's client and prints what happened, one JSON object a line.

    run.py '{"url": "ws://127.0.0.1:8081/acp", "cwd": "/tmp"}' SCENARIO...

Settings and output are those of tests/clients/run.mjs.
"""
import asyncio
import contextlib
import json
import sys
import time

from connection import describe
from scenarios import ALL


def show(value):
    print(json.dumps(value), flush=True)


async def play(name, settings):
    settings["opened"] = []
    started = time.monotonic()
    try:
        facts = await asyncio.wait_for(ALL[name](settings), settings.get("seconds", 30))
        show({"scenario": name, "milliseconds": round(1000 * (time.monotonic() - started)), "facts": facts})
        return True
    except Exception as error:
        last = [client.events[-10:] for client in settings["opened"]]
        show({"scenario": name, "failure": describe(error), "last": last})
        return False
    finally:
        for client in settings["opened"]:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(client.close(), 10)


async def main(settings, names):
    results = [await play(name, json.loads(settings)) for name in names]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1], sys.argv[2:])))
