# SPDX-License-Identifier: Apache-2.0
"""Open values are found and filled wherever they stand."""

import pytest
from mmengine.config import Config

from tcl_plugin.auto_setup.placeholders import dotted, fill, look_up, open_values


def config():
    return Config(
        dict(
            lr='auto:lr',
            steps=[dict(end='auto:epochs'), ('auto:lr', 1)],
            model=dict(head=dict(lr='auto:lr', mode='auto')),
        )
    )


def test_found_by_name():
    assert {name: [dotted(path) for path in paths] for name, paths in open_values(config()).items()} == {
        'lr': ['lr', 'steps.1.0', 'model.head.lr'],
        'epochs': ['steps.0.end'],
    }


def test_filled():
    cfg = config()
    fill(cfg, dict(lr=[0.5], epochs=3, more=4))
    assert cfg.to_dict() == dict(
        lr=[0.5], steps=[dict(end=3), ([0.5], 1)], model=dict(head=dict(lr=[0.5], mode='auto'))
    )
    assert open_values(cfg) == {}


def test_a_name_that_does_not_exist():
    cfg = config()
    with pytest.raises(ValueError, match=r'steps.0.end=auto:epochs in the config: there is no such name; known .* lr'):
        fill(cfg, dict(lr=1))
    assert cfg.lr == 'auto:lr'


def test_look_up():
    cfg = config()
    assert look_up(cfg, ('steps', 1, 1)) == 1
    assert look_up(cfg, ('steps', 7)) is look_up(cfg, ('gone', 'too')) is look_up(cfg, ('lr', 'deeper')) is None
