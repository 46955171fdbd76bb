# SPDX-License-Identifier: Apache-2.0
"""What the cases have in common: a folder to work in, and the stages of a command that explain errors."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.registry import DefaultScope
from test_tools.toolbox import ROOT, load_file

from tcl_plugin import cli
from tcl_plugin.errors import UserError, explained, one_line

CASES: dict[str, Callable[['Desk'], str]] = {}


def case(name: str) -> Callable:
    """Register a case by the name that it has on the page.

    Args:
        name (str): The name.

    Returns:
        Callable: A decorator for a function that takes a :class:`Desk` and returns a text.
    """

    def register(function: Callable[['Desk'], str]) -> Callable[['Desk'], str]:
        assert name not in CASES, f'two cases are called {name}'
        CASES[name] = function
        return function

    return register


@functools.cache
def tool(name: str):
    """A tool as a module."""
    return load_file(ROOT / 'tools' / f'{name}.py')


class Desk:
    """A place to do something wrong at.

    Args:
        folder (Path): The working directory, empty.
        patch (pytest.MonkeyPatch): To change the environment.
        capture (pytest.CaptureFixture): What is printed.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture) -> None:
        self.folder, self.patch, self.capture = folder, patch, capture

    def building(self, build: Callable) -> str:
        """What a tool says of an error while it builds model, data sets and hooks."""
        return self.refused(build, *cli.BUILDING)

    def running(self, run: Callable) -> str:
        """What a tool says of an error in the middle of a training."""
        return self.refused(run, *cli.RUNNING)

    def told(self, call: Callable) -> str:
        """What a function says itself to the person at the command line."""
        return self.refused(call)

    @staticmethod
    def refused(call: Callable, *explainers: Callable) -> str:
        """What is said of an error where these explainers are asked."""
        with (
            DefaultScope.overwrite_default_scope('mmpretrain'),
            pytest.raises(UserError) as caught,
            explained(*explainers),
        ):
            call()
        return one_line(caught.value)

    def tool(self, name: str, *arguments: object) -> str:
        """What a tool prints when it refuses.

        Args:
            name (str): Name of the tool, without ``.py``.
            *arguments (object): Its command line.

        Returns:
            str: Its one line, without ``error:``.
        """
        code = tool(name).main([str(argument) for argument in arguments])
        printed = self.capture.readouterr()
        lines = [line for line in printed.err.splitlines() if line.startswith('error: ')]
        assert code == 2 and len(lines) == 1 and 'Traceback' not in printed.out + printed.err, printed
        return lines[0].removeprefix('error: ')

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path
