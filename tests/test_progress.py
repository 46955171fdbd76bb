# SPDX-License-Identifier: Apache-2.0
"""Who watches a terminal sees how much time remains; nobody else sees anything."""

import contextlib
import io
import os
import re
import sys
import time

import pytest
from terminals import Terminal

from tcl_plugin import progress as module
from tcl_plugin.progress import progress, track

REMAINS = r'\d:\d\d:\d\d left'
# Longer than the terminal is wide, and with what means something to rich.
LONG = f'left out: [b]/{"folder/" * 20}image.png'


def test_a_terminal_shows_what_goes_on_and_the_time_that_remains(terminal):
    with terminal:
        print('before', file=sys.stderr)
        assert list(track('abcd', 'letters')) == list('abcd')
        print('after', file=sys.stderr)
    assert 'letters' in terminal.seen and '3/4' in terminal.seen and re.search(REMAINS, terminal.seen)
    assert terminal.screen == ['before', 'after']


def test_a_pipe_stays_empty(monkeypatch):
    monkeypatch.setattr(module, 'PATIENCE', 0)
    # What people set for colours in the logs of a build must not bring bars with it.
    monkeypatch.setenv('FORCE_COLOR', '1')
    reader, writer = os.pipe()
    with os.fdopen(writer, 'w') as stream, contextlib.redirect_stderr(stream):
        assert list(track(iter('abcd'), 'letters', 4)) == list('abcd')
        with progress('waiting', None, patience=0) as advance:
            advance(2)
    with os.fdopen(reader) as stream:
        assert stream.read() == ''


@pytest.mark.parametrize('reason', ['another process', 'a terminal that takes nothing back', 'no stderr'])
def test_quiet(reason, terminal, monkeypatch):
    if reason == 'another process':
        monkeypatch.setattr(module.dist, 'is_main_process', lambda: False)
    elif reason == 'a terminal that takes nothing back':
        monkeypatch.setenv('TERM', 'dumb')
    with terminal, contextlib.redirect_stderr(None if reason == 'no stderr' else sys.stderr):
        assert list(track('abcd', 'letters')) == list('abcd')
    assert terminal.text == ''


def test_a_short_step_shows_nothing(terminal, monkeypatch):
    monkeypatch.setattr(module, 'PATIENCE', 60)
    with terminal, progress('work', 4) as advance:
        advance()
    assert terminal.text == ''


def test_a_line_is_drawn_now_and_then(terminal, monkeypatch):
    monkeypatch.setattr(module, 'REDRAW', 60)
    with terminal:
        assert len(list(track(range(1000), 'numbers'))) == 1000
    # At the start, and once more before it goes.
    assert '0/1000' in terminal.seen and len(set(re.findall(r'\d+/1000', terminal.seen))) <= 2


def test_the_count_is_right_however_it_is_told(terminal):
    with terminal, progress('samples', 10) as advance:
        advance(4)
        advance(5)
    assert '9/10' in terminal.seen


@pytest.mark.parametrize('way', ['track', 'progress'])
def test_an_error_is_not_taken_back_with_the_line(way, terminal):
    """The exception is still there, with all that its frames hold, while its message is printed."""
    with terminal:
        try:
            if way == 'track':
                for letter in track('abcd', 'letters'):
                    assert letter != 'c', 'spoilt'
            else:
                with progress('letters', 4) as advance:
                    advance()
                    raise AssertionError('spoilt')
        except AssertionError as error:
            print(f'error: {str(error).splitlines()[0]}', file=sys.stderr)
    assert '1/4' in terminal.seen and terminal.screen == ['error: spoilt']


def test_what_others_print_is_not_written_over(terminal):
    with terminal:
        for letter in track('abcd', 'letters'):
            if letter == 'b':
                print(LONG, file=sys.stderr)
    assert '3/4' in terminal.seen and terminal.screen == [LONG]


def test_what_goes_into_a_file_gets_there(terminal):
    file = io.StringIO()
    with terminal, contextlib.redirect_stdout(file):
        for letter in track('abc', 'letters'):
            print(f'row {letter}')
    assert file.getvalue().split('\n') == ['row a', 'row b', 'row c', '']
    assert '2/3' in terminal.seen and terminal.screen == []


@pytest.mark.usefixtures('terminal')
def test_what_is_printed_on_the_same_terminal_stays():
    with Terminal('stdout', 'stderr') as both:
        for letter in track('abc', 'letters'):
            print(f'row {letter}')
    assert '2/3' in both.seen and both.screen == ['row a', 'row b', 'row c']


@pytest.mark.parametrize('columns', [80, 40])
def test_the_line_never_is_two(columns, terminal, monkeypatch):
    """On a narrow terminal something is left out of it: what is taken back is one line."""
    monkeypatch.setenv('COLUMNS', str(columns))
    with terminal, progress('labels after epoch 200', 12_345) as advance:
        advance(1000)
        advance(1000)
    drawn = [line for line in terminal.seen.replace('\n', '\r').split('\r') if line]
    assert all(line.startswith('labels') and len(line) <= columns for line in drawn)
    assert (re.search(f' 2000/12345 {REMAINS}$', drawn[-1]) is not None) == (columns == 80)


def test_where_nothing_can_be_counted_the_time_runs(terminal):
    end = time.monotonic() + 10
    with terminal, progress('a long wait', None):
        # Nobody tells the line anything.
        while terminal.seen.count('a long wait') < 3 and time.monotonic() < end:
            time.sleep(0.02)
        assert terminal.seen.count('a long wait') >= 3
    assert re.search(r'a long wait \d:\d\d:\d\d', terminal.seen) and terminal.screen == []
