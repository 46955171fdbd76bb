# SPDX-License-Identifier: Apache-2.0
"""Command lines that the tools refuse before they do anything."""

import subprocess
import sys
from argparse import Namespace

import pytest
from killing import full_disk
from mmengine.config import Config
from test_tools.toolbox import DIGITS, ROOT
from toy_runs import PLAIN_PIPELINE, classifier
from written_runs import write_run

from tcl_plugin.folder_lock import alone_in
from tcl_plugin.saved_model import new_model

from .desk import Desk, case, tool


@case('tool-option-without-value')
def option_without_value(desk: Desk) -> str:
    return desk.tool('train', 'my.py', '--cfg-options', 'train_cfg.max_epochs')


@case('tool-option-of-an-empty-path')
def option_of_an_empty_path(desk: Desk) -> str:
    return desk.tool('train', 'my.py', '--cfg-options', 'data_root=')


@case('tool-settled-by-the-run')
def settled_by_the_run(desk: Desk) -> str:
    desk.write('run.py', 'auto_setup = None\ndata_root = "images"\n')
    return desk.tool('train', 'run.py', '--cfg-options', 'data_root=elsewhere')


@case('tool-option-of-nothing')
def option_of_nothing(desk: Desk) -> str:
    desk.write('my.py', 'model = dict()\n')
    return desk.tool('train', 'my.py', '--cfg-options', 'train_dataloder.batch_size=8')


@case('tool-option-of-another-place')
def option_of_another_place(desk: Desk) -> str:
    desk.write('my.py', 'train_cfg = dict(max_epochs=3)\n')
    return desk.tool('train', 'my.py', '--cfg-options', 'max_epochs=7')


@case('tool-option-of-a-variable')
def option_of_a_variable(desk: Desk) -> str:
    desk.write('my.py', "kind = 'CIFAR10'\ntrain_dataloader = dict(dataset=dict(type=kind))\n")
    return desk.tool('train', 'my.py', '--cfg-options', 'kind=CIFAR100')


@case('tool-interrupted')
def interrupted(desk: Desk) -> str:
    def stopped(*args: object) -> None:
        raise KeyboardInterrupt

    desk.patch.setattr(tool('train'), 'train', stopped)
    assert tool('train').main([]) == 130
    return desk.capture.readouterr().err.strip()


@case('tool-output-on-a-full-disk')
def output_on_a_full_disk(desk: Desk) -> str:
    desk.patch.setattr(tool('results'), 'results', lambda argv: print('table'))
    with open('/dev/full', 'w') as full, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'stdout', full)
        assert tool('results').main([]) == 2
    return desk.capture.readouterr().err.strip().removeprefix('error: ')


@case('tool-unknown-flag')
def unknown_flag(desk: Desk) -> str:
    return desk.tool('train', 'my.py', '--epochs', '3')


@case('train-resume-missing')
def train_resume_missing(desk: Desk) -> str:
    return desk.tool('train', DIGITS, '--resume', 'gone.pth')


@case('train-folder-in-use')
def train_folder_in_use(desk: Desk) -> str:
    folder = desk.folder / 'runs'
    folder.mkdir()
    hold = (
        "import fcntl; file = open('runs/in_use.lock', 'w'); fcntl.lockf(file, fcntl.LOCK_EX); "
        "file.write('process 17 on server, since 2026-01-02 10:00:00\\n'); file.flush(); print(flush=True); input()"
    )
    with subprocess.Popen([sys.executable, '-c', hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        told = desk.tool('train', DIGITS, '--work-dir', 'runs')
        other.kill()
    return told


@case('train-folder-is-a-file')
def train_folder_is_a_file(desk: Desk) -> str:
    desk.write('runs', '')
    return desk.tool('train', DIGITS, '--work-dir', 'runs')


@case('train-disk-full')
def train_disk_full(desk: Desk) -> str:
    def begin() -> None:
        with full_disk(0), alone_in('runs'):
            raise AssertionError('there is no room for the lock')

    return desk.told(begin)


@case('test-out-suffix')
def test_out_suffix(desk: Desk) -> str:
    return desk.tool('test', 'my.py', 'my.pth', '--out', 'results.txt')


@case('test-out-is-a-folder')
def test_out_is_a_folder(desk: Desk) -> str:
    (desk.folder / 'results.pkl').mkdir()
    return desk.tool('test', 'my.py', 'my.pth', '--out', 'results.pkl')


@case('test-out-without-permission')
def test_out_without_permission(desk: Desk) -> str:
    desk.patch.setattr('os.access', lambda place, mode: False)
    return desk.told(lambda: tool('test').make_room(Namespace(out='results.pkl')))


@case('test-show')
def test_show(desk: Desk) -> str:
    desk.patch.setattr('matplotlib.pyplot.get_backend', lambda: 'agg')
    args = Namespace(show=True, show_dir=None, tta=False)
    return desk.told(lambda: tool('test').set_visualization(Config(), args))


@case('test-interval')
def test_interval(desk: Desk) -> str:
    return desk.tool('test', 'my.py', 'my.pth', '--interval', '0')


@case('predict-nothing')
def predict_nothing(desk: Desk) -> str:
    (desk.folder / 'images').mkdir()
    return desk.told(lambda: tool('predict').find_images('images'))


@case('predict-images-missing')
def predict_images_missing(desk: Desk) -> str:
    return desk.tool('predict', 'my.pth', 'gone')


@case('predict-checkpoint-folder')
def predict_checkpoint_folder(desk: Desk) -> str:
    desk.write('run/last_checkpoint', '/elsewhere/run/epoch_3.pth')
    desk.write('run/epoch_3.pth', b'')
    desk.write('images/a.png', b'')
    return desk.tool('predict', 'run', 'images')


@case('predict-batch-size')
def predict_batch_size(desk: Desk) -> str:
    return desk.tool('predict', 'my.pth', 'images', '--batch-size', '0')


@case('export-size')
def export_size(desk: Desk) -> str:
    return desk.tool('export_onnx', 'my.pth', '--out', 'my.onnx', '--size', '0', '32')


@case('export-differs')
def export_differs(desk: Desk) -> str:
    """Without a real export, which needs packages: what would be written is a text."""
    cfg = Config(dict(model=classifier(), val_dataloader=dict(dataset=dict(pipeline=PLAIN_PIPELINE))))
    fakes = dict(
        PACKAGES=(),
        LOWEST={},
        open_model=lambda args, plain: (cfg, new_model(cfg)),
        export=lambda predictor, shape, path: path.write_text('network'),
        compare=lambda *args: 0.00858,
    )
    for name, fake in fakes.items():
        desk.patch.setattr(tool('export_onnx'), name, fake)
    old = desk.write('my.onnx', 'old')
    told = desk.tool('export_onnx', 'my.pth', '--out', 'my.onnx', '--size', '8', '8')
    assert old.read_text() == 'old' and list(desk.folder.iterdir()) == [old]
    return told


@case('audit-work-dir')
def audit_work_dir(desk: Desk) -> str:
    return desk.tool('audit_labels', 'gone')


@case('audit-apply-empty')
def audit_apply_empty(desk: Desk) -> str:
    return desk.tool('audit_labels', 'run', '--apply', '')


@case('audit-top')
def audit_top(desk: Desk) -> str:
    return desk.tool('audit_labels', 'run', '--top', '-1')


@case('plot-suffix')
def plot_suffix(desk: Desk) -> str:
    return desk.tool('plot', 'run', '--out', 'curves.gif')


@case('plot-names')
def plot_names(desk: Desk) -> str:
    return desk.tool('plot', 'a/run', 'b/run', '--out', 'curves.png')


@case('plot-kind')
def plot_kind(desk: Desk) -> str:
    return desk.tool('plot', 'run', 'other', '--kind', 'tsne', '--out', 'tsne.png')


@case('make-noise-suffix')
def make_noise_suffix(desk: Desk) -> str:
    return desk.tool('make_noise', DIGITS, '--out', 'labels.csv')


@case('make-noise-again')
def make_noise_again(desk: Desk) -> str:
    desk.write('labels.npy', b'')
    return desk.tool('make_noise', DIGITS, '--out', 'labels.npy')


@case('sweep-noise')
def sweep_noise(desk: Desk) -> str:
    return desk.tool('sweep', DIGITS, '--noises', 'symmetric80')


@case('sweep-seed')
def sweep_seed(desk: Desk) -> str:
    return desk.tool('sweep', DIGITS, '--seeds', '-1')


@case('sweep-config-syntax')
def sweep_config_syntax(desk: Desk) -> str:
    return desk.tool('sweep', desk.write('my.py', 'model = (\n').name)


@case('sweep-first-stage')
def sweep_first_stage(desk: Desk) -> str:
    load = "load_from = 'work_dirs/mine_digits_sym80/epoch_24.pth'\n"
    return desk.tool('sweep', desk.write('mineplus_digits_sym80.py', f'_base_ = {str(DIGITS)!r}\n{load}').name)


@case('sweep-damaged-record')
def sweep_damaged_record(desk: Desk) -> str:
    desk.patch.setenv('PYTHONPATH', str(ROOT))  # so that what the sweep sets is undone
    folder = write_run(desk.folder / 'work_dirs' / 'sweep', DIGITS.stem, [50.0, 40.0])
    (folder / 'last_checkpoint').write_text('epoch_2.pth')
    (scalars,) = folder.glob('*/vis_data/scalars.json')
    scalars.write_text(scalars.read_text()[1:])
    return desk.tool('sweep', DIGITS)


@case('sweep-folder-is-a-file')
def sweep_folder_is_a_file(desk: Desk) -> str:
    desk.write('runs', '')
    return desk.tool('sweep', DIGITS, '--work-dir', 'runs')


@case('browse-number')
def browse_number(desk: Desk) -> str:
    return desk.tool('browse_dataset', DIGITS, '--out', 'views', '--number', '0')


@case('benchmark-linux')
def benchmark_linux(desk: Desk) -> str:
    desk.patch.setattr(sys, 'platform', 'darwin')
    told = desk.tool('benchmark', DIGITS)
    assert told == desk.tool('benchmark_endurance') == desk.tool('benchmark_detection')
    return told


@case('benchmark-transform')
def benchmark_transform(desk: Desk) -> str:
    view = "dict(transforms=[dict(type='mmpretrain.Mixup', alpha=1.0)])"
    desk.write('my.py', f'_base_ = {str(DIGITS)!r}\ndata_preprocessor = dict(views=[{view}])\n')
    return desk.tool('benchmark', 'my.py', '--write-plain', 'plain.py')


@case('benchmark-steps')
def benchmark_steps(desk: Desk) -> str:
    return desk.tool('benchmark', DIGITS, '--steps', '0')
