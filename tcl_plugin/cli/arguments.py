# SPDX-License-Identifier: Apache-2.0
"""What command lines are made of."""

import argparse
import os
import re
from collections.abc import Callable
from typing import Any, NoReturn

from mmengine.config import DictAction

from ..errors import UserError
from .environment import number_from

#: A value of ``--cfg-options`` that is a path, with its key.
PATH = re.compile(
    r'\A((?:[^=]*\.)?(?:data_root|ann_file|label_file|load_from|checkpoint|work_dir))=(?!\[.*\]\Z)(.*)', re.DOTALL
)


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, like every other error of the tools."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line.

        Args:
            message (str): What is wrong.

        Raises:
            UserError: Always.
        """
        raise UserError(f'{message} (see {self.prog} --help)')

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the command line.

        Args:
            args (list[str] | None): The arguments. Defaults to None, for ``sys.argv``.
            namespace (argparse.Namespace | None): Where to put them. Defaults to None.

        Returns:
            argparse.Namespace: The values.

        Raises:
            UserError: If they are not understood.
        """
        parsed = super().parse_args(args, namespace)
        if 'local_rank' in parsed:
            os.environ.setdefault('LOCAL_RANK', str(parsed.local_rank))
            # mmengine asks for it without a launcher, too.
            number_from('LOCAL_RANK', 'the environment')
        return parsed


class OptionsAction(DictAction):
    """mmengine's ``KEY=VALUE``, which drops all spaces from values and all zeros before numbers, but for those within
    a name. What is a path by its key is taken as it is typed: in a folder's name commas make no list, nor digits a
    number."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Parse the values.

        Args:
            parser (argparse.ArgumentParser): The parser.
            namespace (argparse.Namespace): Where to put them.
            values (list[str]): Each ``KEY=VALUE``.
            option_string (str | None): The flag. Defaults to None.
        """
        paths = {found[1]: found[2] for found in map(PATH.match, values) if found}
        for key, text in paths.items():
            if not text:
                parser.error(
                    f'{option_string} {key}= is empty: is a variable of the shell not set? To choose no path, write '
                    f'{key}="\'\'"'
                )
        # Their keys keep their place among the others.
        values = [PATH.sub(r'\1=', value) for value in values]
        # After what opens a list or a quotation, before what closes it, and next to a comma, spaces say nothing. No
        # argument can hold a zero of its own.
        within = re.compile(r'(?<=[^\s,=(\[]) +(?=[^\s,)\]])')
        kept = [re.sub(r'(?<=[=,(\[])( *[\'"]) +', r'\1', value) for value in values]
        kept = [re.sub(r' +([\'"] *(?=[,)\]]|$))', r'\1', value) for value in kept]
        kept = [within.sub(lambda found: '\0' * len(found[0]), value) for value in kept]
        # 007, 2024_05 and +5 are names of something, and no numbers.
        names = re.compile(r'(?<=[\s=,(\[\'"])(0[0-9]+|[0-9]+(_[0-9]+)+|\+[0-9]+)(?=[\s,)\]\'"]|$)')
        kept = [names.sub(lambda found: f'\1{found[0]}', value) for value in kept]
        try:
            super().__call__(parser, namespace, kept, option_string)
        except (ValueError, AssertionError, RecursionError):
            # About a value without '=', a bracket without its other half, and dict(...).
            parser.error(
                f'{option_string} takes key=value pairs, with as many brackets closed as opened, and the parts of a '
                'dict one by one: key.type=... key.rate=...'
            )
        options = _restored(getattr(namespace, self.dest))
        setattr(namespace, self.dest, options | {key: _path(text) for key, text in paths.items()})


def _path(text: str) -> str | None:
    """A path without the quotation marks round it, which mmengine takes away from all values; None for no path."""
    quoted = re.fullmatch(r'([\'"])(.*)\1', text, re.DOTALL)
    return None if text == 'None' else quoted[2] if quoted else text


def _restored(value: Any) -> Any:
    """Put spaces in the place of zeros, and take the mark of names away."""
    if isinstance(value, dict):
        return {_restored(key): _restored(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_restored, value))
    return value.replace('\0', ' ').replace('\1', '') if isinstance(value, str) else value


def number(least: float, most: float | None = None, kind: type[int] | type[float] = int) -> Callable[[str], float]:
    """Make a type for an argument that is a number in a range.

    Args:
        least (int | float): The least.
        most (int | float, optional): The most. Defaults to None, any.
        kind (type): ``int`` or ``float``. Defaults to ``int``.

    Returns:
        Callable: For ``type`` of ``add_argument``; its name is argparse's word for what is expected.
    """

    def read(text: str) -> float:
        value = kind(text)
        if not (value >= least and (most is None or value <= most)):  # NaN is neither
            raise ValueError(text)
        return value

    limits = f'>= {least}' if most is None else f'in {least}..{most}'
    read.__name__ = f'{"whole number" if kind is int else "number"} {limits}'
    return read


#: Type of an argument that is a seed, as numpy takes it.
SEED = number(0, 2**32 - 1)


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``, which :func:`load_config` heeds.

    Args:
        parser (argparse.ArgumentParser): The parser.
    """
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=OptionsAction,
        metavar='KEY=VALUE',
        help='overrides of the config: train_cfg.max_epochs=2 data_preprocessor.mean="[0,0,0]"',
    )


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that training and testing have in common.

    Args:
        parser (argparse.ArgumentParser): The parser.
    """
    parser.add_argument('--work-dir', help='folder for logs and results; default: ./work_dirs/<name of the config>')
    add_config_options(parser)
    parser.add_argument('--no-pin-memory', action='store_true', help='do not let dataloaders pin memory')
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes of a distributed run were started; pytorch (torchrun) works on CPU too',
    )
    # Older launchers pass the rank as an argument rather than as a variable.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
