# SPDX-License-Identifier: Apache-2.0
"""Pictures of images that are called alike."""

from types import SimpleNamespace

import torch
from mmengine.visualization import Visualizer
from mmpretrain.structures import DataSample

from tcl_plugin.hooks import DistinctPicturesHook


def test_each_image_has_a_picture_of_its_own(tmp_path, monkeypatch):
    """Of the same name in two folders, without a file, and in a last batch that is smaller than the others."""
    files = []
    drawer = SimpleNamespace(visualize_cls=lambda out_file, **_: files.append(out_file))
    monkeypatch.setattr(Visualizer, 'get_current_instance', lambda: drawer)
    hook = DistinctPicturesHook(enable=True, interval=1, out_dir=str(tmp_path))
    paths = ['cats/1.jpg', 'dogs/1.jpg', None, 'cats/2.jpg', None]
    samples = [DataSample(metainfo=dict(sample_idx=i) | (dict(img_path=p) if p else {})) for i, p in enumerate(paths)]
    for batch, rows in enumerate([samples[:3], samples[3:]]):
        inputs = torch.zeros(len(rows), 3, 4, 4, dtype=torch.uint8)
        hook.after_test_iter(None, batch, dict(inputs=inputs), rows)
    names = ['0_1.jpg', '1_1.jpg', '2', '3_2.jpg', '4']
    assert files == [str(tmp_path / f'{name}_0.png') for name in names]
    # What else is done with a sample sees it as it was.
    assert samples[0].img_path == 'cats/1.jpg' and 'img_path' not in samples[2]
