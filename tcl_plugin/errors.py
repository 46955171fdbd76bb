# SPDX-License-Identifier: Apache-2.0
"""Tell a mistake of the caller in one line, and leave bugs their traceback.

What an exception means is for the explainers in ``explain.py`` to say.
"""

import contextlib
import difflib
import dis
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any

from mmengine.dist import get_rank

EXIT_CODE = 2
# As a shell has them of programs that Ctrl-C and a closed pipe end.
INTERRUPTED, CLOSED_PIPE = 130, 141
GRACE_SECONDS = 10
# Number of a process before it has joined the others, by launcher.
RANK_VARIABLES = {'pytorch': 'RANK', 'slurm': 'SLURM_PROCID', 'mpi': 'OMPI_COMM_WORLD_RANK'}
MAX_LENGTH = 600
HINT_VARIABLE = 'TCL_TRACEBACK'

# Said by models of this package, and for those of mmpretrain, which do not look.
SEVERAL_VIEWS = (
    '{model} trains on one view of each image, got {views}: take MultiView out of the pipeline (or views out of '
    'data_preprocessor), or choose a model that trains on views, such as TCL'
)

#: Takes an exception and returns a line about it, or None.
Explainer = Callable[[Exception], str | None]


class UserError(Exception):
    """Something that the caller can put right. Its message names file or value, and says what to do."""


class LostProcessError(UserError):
    """Another process of a distributed run has ended, or no longer answers."""


@contextlib.contextmanager
def explained(*explainers: Explainer) -> Iterator[None]:
    """Turn what the explainers recognise into a :class:`UserError`; let everything else through.

    Args:
        *explainers (Explainer): Each takes the exception and returns a line or None.

    Yields:
        None: Nothing.

    Raises:
        UserError: If one of the explainers knows the exception.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        for explain in explainers:
            message = explain(error)
            if message:
                raise UserError(message) from error
        raise


def run_tool(tool: Callable[[list[str] | None], Any], argv: list[str] | None = None, stopped: str = '') -> int:
    """Run a command-line tool; print a :class:`UserError` as one line.

    In a distributed run every process fails, and the first one speaks for all: the others only speak up if it has
    nothing to say. One that has lost another stays for that time too, since the launcher takes the process that it
    sees end first for the cause. ``TCL_TRACEBACK=1`` in the environment shows the traceback instead.

    Ctrl-C is no bug, nor is a reader of the output that has gone, such as ``head``: it ends the tool without a word.

    Args:
        tool (Callable): The tool; takes the arguments.
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.
        stopped (str): What to do after Ctrl-C. Defaults to nothing.

    Returns:
        int: The exit code: 0, 2, or what a shell has for Ctrl-C and a closed pipe.
    """
    code = 0
    try:
        with _heeding_stdout():
            tool(argv)
    except (UserError, KeyboardInterrupt) as error:
        if os.environ.get(HINT_VARIABLE, '0') not in {'', '0'}:
            raise
        code = _tell(error, sys.argv[1:] if argv is None else argv, stopped)
    except Exception as error:
        # What could not be printed is gone: it takes something else to see whether that was it.
        lost = _lost_stdout('\n') if isinstance(error, OSError) else None
        if lost is None:
            _tell_launcher(error)
            raise
        return _tell_lost(lost)
    lost = _lost_stdout()
    if code == INTERRUPTED and argv is None:
        _end_by_interrupt()
    return code or (_tell_lost(lost) if lost else 0)


def _end_by_interrupt() -> None:
    """End this program as Ctrl-C ends others, so that a shell ends a loop or script around it, too."""
    if os.name == 'posix':
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)


def _tell(error: UserError | KeyboardInterrupt, argv: list[str], stopped: str) -> int:
    """Say in one line why a tool has ended, if this process is to speak; return the exit code."""
    rank = _rank(argv)
    if isinstance(error, KeyboardInterrupt):
        if not rank:
            print(f'interrupted{stopped and ": "}{stopped}', file=sys.stderr, flush=True)
        return INTERRUPTED
    if rank:
        # The launcher ends all processes as soon as one has ended: let the first one have its say.
        time.sleep(GRACE_SECONDS)
    print(f'error: {f"rank {rank}: " if rank else ""}{one_line(error)}', file=sys.stderr, flush=True)
    if isinstance(error, LostProcessError) and not rank:
        time.sleep(GRACE_SECONDS)
    return EXIT_CODE


@contextlib.contextmanager
def _heeding_stdout() -> Iterator[None]:
    """Let a log end with its reader, or its disk, where logging would print a traceback for each line from then on."""
    tell = logging.StreamHandler.handleError

    def handle(handler: logging.StreamHandler, record: logging.LogRecord) -> None:
        if isinstance(sys.exc_info()[1], OSError) and handler.stream is sys.stdout:
            raise  # logging calls this where it has caught the error
        tell(handler, record)

    logging.StreamHandler.handleError = handle  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        logging.StreamHandler.handleError = tell  # type: ignore[method-assign]


def _lost_stdout(text: str = '') -> OSError | None:
    """Find out whether what is printed, and a text, can still be written; if not, nothing more is."""
    try:
        print(text, end='', flush=True)
    except OSError as error:
        # Python would try once more in the end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return error
    return None


def _tell_lost(error: OSError) -> int:
    """Say why nothing more could be printed, unless nobody wants to read it; return the exit code."""
    if isinstance(error, BrokenPipeError):
        return CLOSED_PIPE
    print(f'error: what is printed cannot be written: {error.strerror}', file=sys.stderr, flush=True)
    return EXIT_CODE


def _tell_launcher(error: BaseException) -> None:
    """Hand a traceback to torchrun, which shows that of the process that failed first at the end of its report."""
    if os.environ.get('TORCHELASTIC_ERROR_FILE'):
        from torch.distributed.elastic.multiprocessing.errors import get_error_handler

        get_error_handler().record_exception(error)


def _rank(argv: list[str]) -> int:
    """Number of this process in a distributed run, even where the run has come to nothing."""
    # mmengine sets RANK for other launchers than torchrun, but only when it forms the group.
    asked = ' '.join(argv).replace('--launcher=', '--launcher ')
    names = [name for launcher, name in RANK_VARIABLES.items() if f'--launcher {launcher}' in asked]
    text = next((os.environ[name] for name in ('RANK', *names) if name in os.environ), '')
    return int(text) if text.isdecimal() else get_rank()


def one_line(error: BaseException | str) -> str:
    """Return the message of an exception in one line of bearable length.

    Args:
        error (BaseException | str): The exception, or a text.

    Returns:
        str: The text.
    """
    # str(KeyError('text')) is the repr of the text.
    text = error.args[0] if isinstance(error, KeyError) and error.args else error
    line = ' '.join(str(text).split()) or type(error).__name__
    return line if len(line) <= MAX_LENGTH else f'{line[:MAX_LENGTH]} ... ({HINT_VARIABLE}=1 shows all of it)'


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest what a misspelt name was to be.

    Args:
        name (str): The name.
        known (Iterable[str]): Names that there are.

    Returns:
        str: The end of a message; empty where none is similar.
    """
    similar = difflib.get_close_matches(name, known, 1)
    return f'; did you mean {similar[0]}?' if similar else ''


# Where an exception comes from


def frames(error: BaseException) -> Iterator[TracebackType]:
    """Yield the entries of an exception's traceback, from the outermost call to the innermost.

    Args:
        error (BaseException): The exception.

    Yields:
        types.TracebackType: One entry per call.
    """
    entry = error.__traceback__
    while entry is not None:
        yield entry
        entry = entry.tb_next


def raised_in(error: BaseException, *packages: str) -> bool:
    """Tell whether the innermost frame belongs to one of the packages.

    Args:
        error (BaseException): The exception.
        *packages (str): Names of packages or modules.

    Returns:
        bool: True if it does.
    """
    *_, last = frames(error)
    name = last.tb_frame.f_globals.get('__name__', '')
    return any(name == package or name.startswith(f'{package}.') for package in packages)


def local_values(error: BaseException, name: str) -> list:
    """Find local variables of a name, the innermost first.

    Some exceptions do not say which file or address they are about; the functions that they passed through knew.

    Args:
        error (BaseException): The exception.
        name (str): Name of the variable.

    Returns:
        list: Its values.
    """
    entries = reversed(list(frames(error)))
    return [entry.tb_frame.f_locals[name] for entry in entries if name in entry.tb_frame.f_locals]


def local_text(error: BaseException, name: str, default: str | None) -> str | None:
    """Find the innermost local variable of a name that holds a text.

    Args:
        error (BaseException): The exception.
        name (str): Name of the variable.
        default (str | None): What to return where there is none.

    Returns:
        str | None: The text. Placeholders such as ``<unknown>`` are passed over.
    """
    texts = (value for value in local_values(error, name) if isinstance(value, str) and not value.startswith('<'))
    return next(texts, default)


def deliberate(error: BaseException, *packages: str) -> bool:
    """Tell whether the exception was raised by a ``raise`` or ``assert`` statement of one of the packages.

    That is how a library says that an argument is wrong. A bug is raised by the interpreter or by compiled code.

    Args:
        error (BaseException): The exception.
        *packages (str): Names of packages.

    Returns:
        bool: True if it was.
    """
    *_, last = frames(error)
    opcode = last.tb_frame.f_code.co_code[last.tb_lasti]
    return dis.opname[opcode] == 'RAISE_VARARGS' and raised_in(error, *packages)
