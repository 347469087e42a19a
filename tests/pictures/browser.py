"""A headless Chromium on a pipe, driven by its own protocol with the standard library alone."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.lab.prerequisites import is_required

NAMES = ("chromium", "chromium-browser", "google-chrome")
WANTED = "no browser: wanted Chromium; Debian package: apt-get install --no-install-recommends chromium"
SECONDS = 60.0

# The browser reads its orders from descriptor 3 and writes answers to descriptor 4.
_LAUNCH = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); "
    "os.execv(sys.argv[3], sys.argv[3:])"
)


def chromium() -> str | None:
    """The program, None where it is not installed."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


browser_marks = [
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not is_required() and chromium() is None, reason=WANTED),
]
"""For each module of tests in the browser: one process runs them all; skipped where there is none."""


class Tab:
    """One page, and every complaint of its console."""

    def __init__(self, pipe: _Pipe, session: str) -> None:
        self._pipe, self._session = pipe, session
        self.requests: list[str] = []
        self.complaints: list[str] = []

    def call(self, method: str, **params: Any) -> Any:
        """A call of the protocol."""
        return self._pipe.call(method, params, self._session, self._heard)

    def _heard(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                self.complaints.append(details.get("exception", {}).get("description") or details["text"])
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                self.complaints.append(f"console.{params['type']}: {params['args']}")
            # Which is said of tests that look at pixels, not of the page.
            case "Log.entryAdded" if "readback operations" not in params["entry"]["text"]:
                self.complaints.append(f"{params['entry']['source']}: {params['entry']['text']}")
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])

    def open(self, path: Path) -> None:
        """Load a file and wait until the page says that it is drawn."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=path.absolute().as_uri())
        self.wait("document.documentElement?.dataset.ready === 'yes'")
        self.settle()

    def get(self, expression: str) -> Any:
        """The value of an expression in the page, as JSON gives it.

        `debugger` evaluation is not held to the page's policy, as its own scripts are.
        """
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise AssertionError(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    def wait(self, expression: str) -> None:
        """Until an expression is true."""
        until = time.monotonic() + SECONDS
        while not self.get(expression):
            assert time.monotonic() < until, f"never true: {expression}; said: {self.complaints}"
            time.sleep(0.02)

    def settle(self) -> None:
        """Until what was asked for is drawn."""
        self.get("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")

    def size(self, width: int, height: int, *, dark: bool = False) -> None:
        """The size of the window, and the colours that its user likes."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        likes = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", media="", features=likes)
        self.settle()

    def press(self, *keys: str) -> None:
        """Press keys, one after another: `Enter`, `ArrowDown`, or a character."""
        for key in keys:
            text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
            for kind in ("keyDown", "keyUp"):
                typed = {"text": text} if text and kind == "keyDown" else {}
                code = {
                    "Enter": 13,
                    "ArrowUp": 38,
                    "ArrowDown": 40,
                    "ArrowLeft": 37,
                    "ArrowRight": 39,
                    "End": 35,
                }
                params = {"type": kind, "key": key, "windowsVirtualKeyCode": code.get(key, 0), **typed}
                self.call("Input.dispatchKeyEvent", **params)
        self.settle()

    def type(self, text: str) -> None:
        """Type a text into what has the focus."""
        self.call("Input.insertText", text=text)
        self.settle()

    def click(self, x: float, y: float) -> None:
        """Click at a place of the window."""
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self.settle()

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """What is to be seen, as PNG; `whole`: the page from top to bottom."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))

    def printed(self) -> bytes:
        """The page on paper, as PDF."""
        return base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"])


class _Pipe:
    """Calls and answers, each ended by a NUL."""

    def __init__(self, orders: int, answers: int) -> None:
        self._orders, self._answers = orders, answers
        self._number, self._left = 0, b""

    def call(self, method: str, params: dict[str, Any], session: str | None, heard: Any = None) -> Any:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._orders, data) :]
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            if heard is not None and answer.get("sessionId") == session:
                heard(answer)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            data = os.read(self._answers, 1 << 20)
            assert data, "the browser ended"
            self._left += data
        message, _, self._left = self._left.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer


@contextmanager
def browsing() -> Iterator[Tab]:
    """A browser with one empty tab, ended with everything that it started."""
    program = chromium()
    if program is None:
        pytest.fail(WANTED)
    orders_in, orders = os.pipe()
    answers, answers_out = os.pipe()
    with tempfile.TemporaryDirectory(prefix="pictures-", ignore_cleanup_errors=True) as home:
        command = [sys.executable, "-c", _LAUNCH, str(orders_in), str(answers_out), program]
        # Without a sandbox of its own where root runs the tests: the pages are ours.
        command += [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
        ]
        command += ["--disable-background-networking", "--disable-component-update"]
        command += [f"--user-data-dir={home}", "--remote-debugging-pipe", "about:blank"]
        process = subprocess.Popen(
            command,
            pass_fds=(orders_in, answers_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"HOME": home},
        )
        os.close(orders_in)
        os.close(answers_out)
        try:
            pipe = _Pipe(orders, answers)
            target = pipe.call("Target.createTarget", {"url": "about:blank"}, None)["targetId"]
            attached = pipe.call("Target.attachToTarget", {"targetId": target, "flatten": True}, None)
            yield Tab(pipe, attached["sessionId"])
            pipe.call("Browser.close", {}, None)
        finally:
            os.close(orders)
            os.close(answers)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
