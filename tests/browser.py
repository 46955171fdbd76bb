# SPDX-License-Identifier: Apache-2.0
"""Drives a headless Chromium by its DevTools protocol, over pipes: nothing to install but the browser itself."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')
PATIENCE = 60


def find_browser() -> str | None:
    """Path of a browser; ``CHROMIUM`` in the environment names another."""
    return os.environ.get('CHROMIUM') or next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One browser with one page.

    Args:
        profile (Path): Folder for what the browser keeps; downloads go into ``downloads`` below it.
        size (tuple[int, int]): Width and height of the page.
    """

    def __init__(self, profile: Path, size: tuple[int, int] = (1280, 900)) -> None:
        self.downloads = Path(profile) / 'downloads'
        self.downloads.mkdir(parents=True, exist_ok=True)
        self.messages: list[dict] = []  # events that the page has sent
        self._number, self._buffer, self._session = 0, b'', None
        theirs_in, self._to = map(_out_of_the_way, os.pipe())
        self._from, theirs_out = map(_out_of_the_way, os.pipe())
        flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-dev-shm-usage']
        flags += [f'--user-data-dir={profile}', '--remote-debugging-pipe', 'about:blank']
        # The browser reads commands from file descriptor 3 and answers on 4.
        command = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out} {theirs_in}<&- {theirs_out}>&-'
        self._process = subprocess.Popen(
            ['bash', '-c', command, find_browser(), *flags],
            pass_fds=(theirs_in, theirs_out),
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        target = self.call('Target.createTarget', url='about:blank')['targetId']
        self._session = self.call('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Network', 'Log'):
            self.call(f'{domain}.enable')
        self.call(
            'Browser.setDownloadBehavior', behavior='allow', downloadPath=str(self.downloads), eventsEnabled=True
        )
        self.resize(*size)

    def call(self, method: str, **params: Any) -> dict:
        """Send a command and wait for its result."""
        self._number += 1
        message = {'id': self._number, 'method': method, 'params': params}
        if self._session and not method.startswith(('Target.', 'Browser.')):
            message['sessionId'] = self._session
        os.write(self._to, json.dumps(message).encode() + b'\0')
        while (answer := self._receive()).get('id') != self._number:
            self.messages.append(answer)
        if 'error' in answer:
            raise RuntimeError(f'{method}: {answer["error"]}')
        return answer['result']

    def _receive(self) -> dict:
        while b'\0' not in self._buffer:
            if not select.select([self._from], [], [], PATIENCE)[0]:
                raise TimeoutError(f'the browser says nothing for {PATIENCE} s')
            part = os.read(self._from, 1 << 20)
            if not part:
                raise RuntimeError('the browser has ended')
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b'\0')
        return json.loads(message)

    def resize(self, width: int, height: int, mobile: bool = False) -> None:
        """Give the page another size."""
        self.call('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def prefer(self, scheme: str) -> None:
        """Prefer the colour scheme ``'light'`` or ``'dark'``."""
        features = [{'name': 'prefers-color-scheme', 'value': scheme}]
        self.call('Emulation.setEmulatedMedia', features=features)

    def open(self, path: Path) -> None:
        """Open a file and wait until it has loaded."""
        self.call('Page.navigate', url=path.resolve().as_uri())
        self.wait('document.readyState === "complete" && location.protocol === "file:"')

    def run(self, script: str) -> Any:
        """Evaluate JavaScript in the page, and return its value."""
        result = self.call('Runtime.evaluate', expression=script, returnByValue=True, userGesture=True)
        if 'exceptionDetails' in result:
            raise RuntimeError(f'{script}: {result["exceptionDetails"]}')
        return result['result'].get('value')

    def wait(self, condition: str) -> None:
        """Wait until JavaScript gives something true."""
        wait_until(lambda: self.run(condition), condition)

    def press(self, key: str) -> None:
        """Press and release a key, such as ``'a'`` or ``'ArrowRight'``."""
        text = dict(text=key) if len(key) == 1 else {}
        self.call('Input.dispatchKeyEvent', type='keyDown', key=key, **text)
        self.call('Input.dispatchKeyEvent', type='keyUp', key=key)

    def errors(self) -> list[str]:
        """What has gone wrong in the page so far: exceptions, and complaints such as those of its policy."""
        self.run('0')  # receives what is still under way
        wrong = [m['params'] for m in self.messages if m.get('method') == 'Runtime.exceptionThrown']
        entries = [m['params']['entry'] for m in self.messages if m.get('method') == 'Log.entryAdded']
        return [json.dumps(w) for w in wrong] + [e['text'] for e in entries if e['level'] == 'error']

    def requests(self) -> list[str]:
        """Addresses that the page has asked for, without data and blobs inside it."""
        asked = [m['params'] for m in self.messages if m.get('method') == 'Network.requestWillBeSent']
        return [a['request']['url'] for a in asked if not a['request']['url'].startswith(('data:', 'blob:'))]

    def screenshot(self, path: Path, full: bool = False) -> None:
        """Write a PNG of the page."""
        picture = self.call('Page.captureScreenshot', format='png', captureBeyondViewport=full)
        Path(path).write_bytes(base64.b64decode(picture['data']))

    def close(self) -> None:
        """End the browser."""
        self.call('Browser.close')
        self._process.wait(PATIENCE)
        os.close(self._to)
        os.close(self._from)


def _out_of_the_way(descriptor: int) -> int:
    """The same pipe under a number that is neither 3 nor 4."""
    other = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return other


def wait_until(condition, what: str) -> None:
    """Call until the result is true."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f'waited {PATIENCE} s in vain for {what}')
        time.sleep(0.05)
