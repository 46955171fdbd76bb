# SPDX-License-Identifier: Apache-2.0
"""Checkpoints that are broken, of another model, or made to run code."""

import errno
import functools
import os
import zipfile
from argparse import Namespace
from pathlib import Path

import torch
from hostile_files import Touch
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from test_tools.toolbox import DIGITS
from toy_runs import PLAIN_PIPELINE, build_runner, classifier, noisy_digits

from tcl_plugin import atomic
from tcl_plugin.atomic import beside
from tcl_plugin.explain import explain_checkpoint
from tcl_plugin.saved_model import open_model

from .desk import Desk, case

PLAIN = classifier()


@functools.cache
def weights() -> dict:
    return MODELS.build(PLAIN).state_dict()


def opened(desk: Desk, content: object, **changes) -> str:
    """Write a checkpoint, open its model as tools/predict.py does, and be refused."""
    if isinstance(content, bytes):
        desk.write('my.pth', content)
    elif content is not None:
        torch.save(content, 'my.pth')
    args = dict(checkpoint='my.pth', config=None, cfg_options=None, device='cpu') | changes
    return desk.told(lambda: open_model(Namespace(**args)))


def with_config(desk: Desk, text: str, meta: dict | None = None, **changes) -> str:
    """A checkpoint of a plain network that brings this config."""
    return opened(desk, dict(state_dict=weights(), meta=dict(cfg=text) | (meta or {})), **changes)


def with_model(desk: Desk, model: dict, **changes) -> str:
    return with_config(desk, f'model = {model!r}', **changes)


@case('checkpoint-missing')
def missing(desk: Desk) -> str:
    return opened(desk, None)


@case('checkpoint-is-text')
def is_text(desk: Desk) -> str:
    return opened(desk, b'no checkpoint')


@case('checkpoint-empty')
def empty(desk: Desk) -> str:
    return opened(desk, b'')


@case('checkpoint-cut-short')
def cut_short(desk: Desk) -> str:
    torch.save(dict(state_dict=weights()), 'whole.pth')
    return opened(desk, (desk.folder / 'whole.pth').read_bytes()[:-1000])


def whole_file() -> bytes:
    """The bytes of a checkpoint."""
    torch.save(dict(state_dict=weights()), 'whole.pth')
    return Path('whole.pth').read_bytes()


@case('checkpoint-resume-cut-short')
def resume_cut_short(desk: Desk) -> str:
    Path('my.pth').write_bytes(whole_file()[:-1000])
    return desk.tool('train', DIGITS, '--resume', 'my.pth')


@case('checkpoint-resume-damaged')
def resume_damaged(desk: Desk) -> str:
    content = bytearray(whole_file())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(byte ^ 1 for byte in content[middle : middle + 64])
    Path('my.pth').write_bytes(content)
    return desk.tool('train', DIGITS, '--resume', 'my.pth')


@case('checkpoint-resume-none-whole')
def resume_none_whole(desk: Desk) -> str:
    Path('w').mkdir()
    Path('w/epoch_1.pth').touch()
    return desk.tool('train', DIGITS, '--resume', '--work-dir', 'w')


@case('checkpoint-no-room')
def no_room(desk: Desk) -> str:
    def write() -> None:
        with beside('epoch_2.pth'):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return desk.running(write)


@case('checkpoint-open-elsewhere')
def open_elsewhere(desk: Desk) -> str:
    def replace(source: Path, target: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(source), None, 'run/label_quality.csv')

    desk.patch.setattr(os, 'replace', replace)
    desk.patch.setattr(atomic, 'PATIENCE', 0)
    desk.write('run/label_quality.csv', '')
    told = desk.running(lambda: atomic.write_text('run/label_quality.csv', 'new'))
    assert told == desk.building(lambda: atomic.write_text('run/label_quality.csv', 'new'))
    return told


@case('checkpoint-is-a-list')
def is_a_list(desk: Desk) -> str:
    return opened(desk, [torch.zeros(2)])


@case('checkpoint-without-config')
def without_config(desk: Desk) -> str:
    return opened(desk, dict(state_dict=weights()))


@case('checkpoint-of-another-network')
def of_another_network(desk: Desk) -> str:
    wider = classifier(head=dict(type='LinearClsHead', num_classes=7, in_channels=16))
    return with_model(desk, wider)


@case('checkpoint-of-another-network-tested')
def of_another_network_tested(desk: Desk) -> str:
    torch.save(dict(state_dict=weights()), 'my.pth')
    return desk.tool('test', DIGITS, 'my.pth')


@case('checkpoint-classes')
def classes(desk: Desk) -> str:
    return with_model(desk, PLAIN, meta=dict(dataset_meta=dict(classes=['cat', 'dog'])))


@case('checkpoint-device')
def device(desk: Desk) -> str:
    return with_model(desk, PLAIN, device='gpu')


@case('checkpoint-cannot-be-resumed')
def cannot_be_resumed(desk: Desk) -> str:
    torch.save(dict(state_dict=weights()), 'my.pth')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        runner = build_runner(desk.folder, PLAIN, noisy_digits(pipeline=PLAIN_PIPELINE))
    return desk.refused(lambda: runner.resume('my.pth'), explain_checkpoint)


@case('checkpoint-with-code')
def with_code(desk: Desk) -> str:
    return opened(desk, dict(state_dict=weights(), extra=Touch(desk.folder / 'trace')))


@case('checkpoint-compressed')
def compressed(desk: Desk) -> str:
    torch.save(dict(state_dict=dict(a=torch.zeros(10_000))), 'whole.pth')
    with zipfile.ZipFile('whole.pth') as old, zipfile.ZipFile('my.pth', 'w', zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return opened(desk, None)


@case('checkpoint-config-is-code')
def config_is_code(desk: Desk) -> str:
    return with_config(desk, f'import pathlib\npathlib.Path({str(desk.folder / "trace")!r}).touch()')


@case('checkpoint-config-imports')
def config_imports(desk: Desk) -> str:
    desk.write('planted.py', "open('trace', 'w')")
    desk.patch.syspath_prepend(desk.folder)
    return with_config(desk, f"custom_imports = dict(imports=['planted'])\nmodel = {PLAIN!r}")


@case('checkpoint-config-calls')
def config_calls(desk: Desk) -> str:
    backbone = dict(type='os.system', command=f'touch {desk.folder / "trace"}')
    return with_model(desk, classifier(backbone=backbone))


@case('checkpoint-config-unpickles')
def config_unpickles(desk: Desk) -> str:
    return with_model(desk, classifier(backbone=dict(type='mmengine.load', file='planted.pkl')))


@case('checkpoint-config-names-a-pickle')
def config_names_a_pickle(desk: Desk) -> str:
    return with_config(desk, f"model = {PLAIN!r}\ndataset = dict(type='BaseDataset', ann_file='planted.pkl')")


@case('checkpoint-config-scope')
def config_scope(desk: Desk) -> str:
    return with_config(desk, f"default_scope = 'planted'\nmodel = {PLAIN!r}")
