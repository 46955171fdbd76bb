# SPDX-License-Identifier: Apache-2.0
"""Optional packages that are not installed."""

import importlib.metadata
import importlib.util
import sys

from mmpretrain.registry import VISBACKENDS

from .desk import Desk, case, tool


@case('package-tensorboard')
def tensorboard(desk: Desk) -> str:
    for name in ('torch.utils.tensorboard', 'tensorboardX'):
        desk.patch.setitem(sys.modules, name, None)
    return desk.building(lambda: VISBACKENDS.build(dict(type='TensorboardVisBackend', save_dir='.')).experiment)


@case('package-onnx')
def onnx(desk: Desk) -> str:
    real = importlib.util.find_spec
    desk.patch.setattr(importlib.util, 'find_spec', lambda name: None if name.startswith('onnx') else real(name))
    return desk.told(lambda: tool('export_onnx').parse_args(['my.pth', '--out', 'my.onnx']))


@case('package-onnx-old')
def old_torch(desk: Desk) -> str:
    desk.patch.setattr(importlib.util, 'find_spec', lambda name: name)
    desk.patch.setattr(importlib.metadata, 'version', lambda name: '2.6.0+cu124')
    return desk.told(lambda: tool('export_onnx').parse_args(['my.pth', '--out', 'my.onnx']))
