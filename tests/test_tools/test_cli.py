# SPDX-License-Identifier: Apache-2.0
"""Flags, their precedence, and errors in one line."""

import json
import logging
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import load
from toolbox import ROOT, TOY, load_file

from tcl_plugin import cli, errors
from tcl_plugin.cli import environment
from tcl_plugin.saved_model import new_model


def merged(tool, path, *flags, checkpoint=None):
    """Return config and log lines after the command line was applied."""
    args = tool.parse_args([str(path), *([checkpoint] if checkpoint else []), *flags])
    cfg = cli.load_config(args)
    return cfg, tool.merge_args(cfg, args)


# Flags


def test_train_knows_every_flag_of_mmpretrain(train_tool, workplace):
    line = (
        'c.py --work-dir w --resume p.pth --amp --no-validate --auto-scale-lr --no-pin-memory --no-persistent-workers '
        '--launcher slurm --local-rank 3 --cfg-options a.b=1 c=[1,2]'
    )
    args = train_tool.parse_args(line.split())
    assert (args.config, args.work_dir, args.resume, args.launcher, args.local_rank) == (
        'c.py',
        'w',
        'p.pth',
        'slurm',
        3,
    )
    assert args.amp and args.no_validate and args.auto_scale_lr and args.no_pin_memory and args.no_persistent_workers
    assert args.cfg_options == {'a.b': 1, 'c': [1, 2]}


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('my images/red  car', 'my images/red  car'),
        ('[red car, cat ,(1, 2.5), None]', ['red car', 'cat', (1, 2.5), None]),
        ("'[ a b,c ]'", ['a b', 'c']),
        ('red car,cat', ['red car', 'cat']),
        (' 3', 3),
        ('a=b c', 'a=b c'),
        ('../my photos (old) 2', '../my photos (old) 2'),
        ('[car (old),cat]', ['car (old)', 'cat']),
        ("['01', 02,10,0, 0.5]", ['01', '02', 10, 0, 0.5]),
        ('007', '007'),
        ('2024_05', '2024_05'),
        ('[+5,-5,1_0]', ['+5', -5, '1_0']),
        ("' 5 '", 5),
        ("[' 1 ',2]", [1, 2]),
        ("' [1,2] '", [1, 2]),
    ],
)
def test_names_and_paths_keep_their_spaces(train_tool, workplace, text, value):
    assert train_tool.parse_args(['c.py', '--cfg-options', f'key={text}', 'other=1']).cfg_options == {
        'key': value,
        'other': 1,
    }


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('k/cats, dogs', 'k/cats, dogs'),
        ('k/pets,2024', 'k/pets,2024'),
        ('a,', 'a,'),
        ('[1] a ( b', '[1] a ( b'),
        ('2024', '2024'),
        ('007', '007'),
        ('a=b', 'a=b'),
        ("'my images'", 'my images'),
        ("the dogs'", "the dogs'"),
        ("''", ''),
        ('None', None),
        ('[a.csv,b.csv]', ['a.csv', 'b.csv']),
    ],
)
@pytest.mark.parametrize('key', ['data_root', 'val_dataloader.dataset.label_file', 'a.0.ann_file', 'load_from'])
def test_paths_are_taken_as_they_are_typed(train_tool, workplace, key, text, value):
    argv = ['c.py', '--cfg-options', 'a=1,2', f'{key}={text}', 'not_data_root=1']
    options = train_tool.parse_args(argv).cfg_options
    assert list(options.items()) == [('a', [1, 2]), (key, value), ('not_data_root', 1)]


def test_test_knows_every_flag_of_mmpretrain(test_tool, workplace):
    line = (
        'c.py k.pth --work-dir w --out o.pkl --out-item pred --amp --show-dir s --show --interval 2 --wait-time 0.5 '
        '--no-pin-memory --tta --launcher mpi --local_rank 1 --cfg-options a=b'
    )
    args = test_tool.parse_args(line.split())
    assert (args.checkpoint, args.out, args.out_item, args.show_dir) == ('k.pth', 'o.pkl', 'pred', 's')
    assert (args.interval, args.wait_time, args.launcher, args.local_rank) == (2, 0.5, 'mpi', 1)
    assert args.amp and args.show and args.no_pin_memory and args.tta


def test_work_dir_is_named_after_the_config(train_tool, toy):
    assert merged(train_tool, toy)[0].work_dir == './work_dirs/toy'
    assert merged(train_tool, toy, '--work-dir', 'w')[0].work_dir == 'w'
    toy.write_text(f"{TOY}work_dir = 'own'\n")
    assert merged(train_tool, toy)[0].work_dir == 'own'
    assert merged(train_tool, toy, '--work-dir', 'w')[0].work_dir == 'w'


def test_options_have_the_last_word(train_tool, toy):
    flags = ['--work-dir', 'w', '--amp', '--cfg-options', 'work_dir=o', 'optim_wrapper.type=OptimWrapper']
    cfg, _ = merged(train_tool, toy, *flags)
    assert (cfg.work_dir, cfg.optim_wrapper.type) == ('o', 'OptimWrapper')


@pytest.mark.parametrize(
    ('option', 'words'),
    [
        ('train_dataloder.batch_size=8', ['train_dataloder', 'did you mean train_dataloader?']),
        ('randomnes.seed=5', ['did you mean randomness?']),
        ('resum=True', ['did you mean resume?']),
        ('max_epochs=7', ['did you mean train_cfg.max_epochs?']),
        ('data_root=x', ['has no data_root']),
        ('pipeline.0.type=PackInput', ['pipeline would change nothing', 'variable of config', 'toy.py']),
    ],
)
def test_options_that_nothing_reads(train_tool, toy, capsys, option, words):
    line = complaint(train_tool, capsys, toy, '--cfg-options', option)
    assert all(word in line for word in words), line
    assert not (toy.parent / 'work_dirs').exists()


def test_keys_of_ones_own(train_tool, toy, monkeypatch):
    """They may be read by code of one's own."""
    monkeypatch.syspath_prepend(toy.parent)
    (toy.parent / 'own_hooks.py').touch()
    toy.write_text(TOY.replace("imports=['tcl_plugin']", "imports=['tcl_plugin', 'own_hooks']") + 'mine = dict(a=1)\n')
    options = ['mine.a=2', 'my_own=3', 'experiment_name=x', 'compile=False']
    cfg, _ = merged(train_tool, toy, '--cfg-options', *options)
    assert (cfg.mine.a, cfg.my_own, cfg.experiment_name, cfg.compile) == (2, 3, 'x', False)
    with pytest.raises(errors.UserError, match=r'did you mean train_cfg\.max_epochs'):
        merged(train_tool, toy, '--cfg-options', 'max_epochs=7')


def test_data_sets_follow_data_root(train_tool):
    config = ROOT / 'configs' / 'ce_r18_cifar10_sym30_open30.py'
    flags = ['--cfg-options', 'data_root=else,where', 'val_dataloader.dataset.data_root=there']
    cfg, _ = merged(train_tool, config, *flags)
    trained = cfg.train_dataloader.dataset
    assert (trained.dataset.data_root, cfg.val_dataloader.dataset.data_root) == ('else,where', 'there')
    assert cfg.test_dataloader.dataset.data_root == 'else,where'
    # Other images lie in a folder of their own.
    assert trained.open_set.dataset.data_root == 'data/cifar100'


def test_data_root_of_what_a_tool_does_not_use(capsys):
    """ILSVRC12's images lie in a folder of their own."""
    tool, config = load_file(ROOT / 'tools' / 'test.py'), ROOT / 'configs' / 'ce_r18_webvision_ilsvrc12.py'
    assert tool.main([str(config), 'x.pth', '--cfg-options', 'data_root=elsewhere']) == 2
    assert '--cfg-options data_root would change nothing' in capsys.readouterr().err


def test_training_flags(train_tool, toy):
    cfg, _ = merged(train_tool, toy, '--amp', '--auto-scale-lr', '--no-validate')
    assert (cfg.optim_wrapper.type, cfg.optim_wrapper.loss_scale) == ('AmpOptimWrapper', 'dynamic')
    assert cfg.auto_scale_lr.enable
    assert cfg.val_cfg is cfg.val_dataloader is cfg.val_evaluator is None


@pytest.mark.parametrize(
    ('options', 'told'),
    [
        (['optim_wrapper.accumulative_counts=4'], 'a step gathers 4 of them'),
        (['optim_wrapper.accumulative_counts=4', 'auto_scale_lr.enable=False'], None),
        (['optim_wrapper.accumulative_counts=1'], None),
        ([], None),
    ],
)
def test_a_learning_rate_that_goes_by_less_than_a_step(train_tool, toy, monkeypatch, options, told):
    found = []
    monkeypatch.setattr(train_tool, 'run', lambda cfg, notes, warnings, weights: found.extend(warnings))
    assert train_tool.main([str(toy), '--auto-scale-lr', '--cfg-options', 'work_dir=w', *options]) == 0
    assert len(found) == bool(told)
    if told:
        assert told in found[0] and 'set auto_scale_lr.base_batch_size=16, unless 64 has been divided' in found[0]


@pytest.mark.parametrize('cuda', [False, True])
def test_dataloaders_suit_the_machine(train_tool, toy, monkeypatch, cuda):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: cuda)
    cfg, _ = merged(train_tool, toy, '--cfg-options', 'val_dataloader.num_workers=2')
    assert cfg.train_dataloader.pin_memory is cuda
    # torch refuses persistent workers where there are none.
    assert (cfg.train_dataloader.persistent_workers, cfg.val_dataloader.persistent_workers) == (False, True)
    assert cfg.train_dataloader.collate_fn.type == 'default_collate'
    flags = ['--no-pin-memory', '--no-persistent-workers', '--cfg-options', 'val_dataloader.num_workers=2']
    cfg, _ = merged(train_tool, toy, *flags)
    assert not cfg.val_dataloader.pin_memory and not cfg.val_dataloader.persistent_workers


def test_distributed_on_cpu(train_tool, toy, monkeypatch):
    monkeypatch.setattr(environment, 'get_device', lambda: 'cpu')
    cfg, notes = merged(train_tool, toy, '--launcher', 'pytorch')
    assert cfg.env_cfg.dist_cfg.backend == 'gloo' and cfg.sync_bn is None
    assert cfg.model_wrapper_cfg.device_ids is None
    assert len([note for note in notes if 'sync_bn' in note]) == 1


def test_distributed_on_gpu(train_tool, toy, monkeypatch):
    monkeypatch.setattr(environment, 'get_device', lambda: 'cuda')
    cfg, notes = merged(train_tool, toy, '--launcher', 'pytorch')
    assert (cfg.env_cfg.dist_cfg.backend, cfg.sync_bn, notes) == ('nccl', 'torch', [])
    assert 'model_wrapper_cfg' not in cfg


@pytest.mark.parametrize(
    ('variables', 'port'),
    [
        (dict(SLURM_JOB_ID='4711', SLURM_STEP_ID='0'), '26041'),
        # The next job, and a second step of this one, which may run at the same time.
        (dict(SLURM_JOB_ID='4712', SLURM_STEP_ID='0'), '26072'),
        (dict(SLURM_JOB_ID='4711', SLURM_STEP_ID='1'), '26042'),
        (dict(SLURM_JOB_ID='4711', SLURM_STEP_ID='0', MASTER_PORT='12345'), '12345'),
        ({}, None),
    ],
)
def test_slurm_jobs_on_one_machine_do_not_meet(variables, port, monkeypatch):
    for name in ('SLURM_JOB_ID', 'SLURM_STEP_ID', 'MASTER_PORT'):
        monkeypatch.setenv(name, '')  # so that it is undone
        monkeypatch.delenv(name)
    place = dict(SLURM_PROCID='0', SLURM_NTASKS='2', SLURM_NODELIST='node1')
    for name, value in (place | variables).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(environment, 'on_cpu', lambda: False)
    with cli.process_group(Config(dict(launcher='slurm'))):
        assert os.environ.get('MASTER_PORT') == port


def test_tta_reaches_through_wrappers(test_tool, toy):
    toy.write_text(f'{TOY}test_dataloader.update(dataset=dict(type="Wrapper", dataset=test_dataloader["dataset"]))\n')
    cfg, _ = merged(test_tool, toy, '--tta', '--cfg-options', 'model.head.num_classes=7', checkpoint='k.pth')
    assert cfg.model.type == 'mmpretrain.AverageClsScoreTTA'
    assert cfg.model.module.head.num_classes == 7
    assert [step.type for step in cfg.test_dataloader.dataset.dataset.pipeline] == ['TestTimeAug']


def test_tta_changes_all_parts(test_tool, toy):
    parts = "[part, dict(part, pipeline=[dict(type='Resize', scale=8), *pipeline])]"
    both = f'dict(type="ConcatDataset", datasets={parts})'
    toy.write_text(f'{TOY}part = test_dataloader["dataset"]\ntest_dataloader.update(dataset={both})\n')
    cfg, _ = merged(test_tool, toy, '--tta', checkpoint='k.pth')
    steps = [[step.type for step in part.pipeline] for part in cfg.test_dataloader.dataset.datasets]
    assert steps == [['TestTimeAug'], ['Resize', 'TestTimeAug']]


def test_show_dir(test_tool, toy):
    cfg, _ = merged(test_tool, toy, '--show-dir', 's', '--interval', '5', checkpoint='k.pth')
    hook = cfg.default_hooks.visualization
    assert (hook.enable, hook.show, hook.out_dir, hook.interval) == (True, False, 's', 5)
    assert hook.type == 'DistinctPicturesHook'


# Errors


def complaint(tool, capsys, *argv):
    """Run a tool that must fail; return its one line."""
    assert tool.main([str(arg) for arg in argv]) == 2
    lines = capsys.readouterr().err.splitlines()
    complaints = [line for line in lines if line.startswith('error: ')]
    assert len(complaints) == 1 and lines[-1] == complaints[0]
    return complaints[0]


@pytest.mark.parametrize(
    ('flags', 'words'),
    [
        (['--no-such-flag'], ['--no-such-flag', '--help']),
        (['--cfg-options', 'lonely'], ['--cfg-options', 'key=value']),
        (['--cfg-options', 'classes=[cat,dog'], ['brackets closed']),
        (['--cfg-options', "a.noise=dict(type='SymmetricNoise',rate=0.5)"], ['key.type=']),
        (['--cfg-options', 'train_cfg.by_epoch.deeper=1'], ['--cfg-options', 'toy.py']),
        (['--launcher', 'pytorch'], ['RANK', 'dist_']),
        (['--launcher', 'slurm'], ['SLURM_PROCID', 'slurm_']),
        (['--resume', 'gone.pth'], ['gone.pth', 'does not exist']),
        (['--auto-scale-lr', '--cfg-options', 'auto_scale_lr=None'], ['base_batch_size', 'toy.py']),
        (['--cfg-options', 'train_dataloader=None'], ['toy.py', 'train_dataloader']),
    ],
)
def test_wrong_command_line(train_tool, toy, capsys, flags, words):
    line = complaint(train_tool, capsys, toy, *flags)
    assert all(word in line for word in words), line
    assert not (toy.parent / 'work_dirs').exists()


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('model = (\n', ['broken.py, line 1', 'never closed']),
        ('a = 1\nmodel = undefined\n', ['broken.py, line 2', 'undefined']),
        ("_base_ = ['./gone.py']\n", ['broken.py', 'gone.py', 'No such file']),
        ("custom_imports = dict(imports=['no_such_module'])\n", ['broken.py', 'no_such_module', 'PYTHONPATH']),
        ('', ['broken.py', 'model', 'train_dataloader']),
        (None, ['broken.py', 'does not exist']),
    ],
)
def test_broken_config(train_tool, workplace, capsys, text, words):
    path = workplace / 'broken.py'
    if text is not None:
        path.write_text(text)
    line = complaint(train_tool, capsys, path)
    assert all(word in line for word in words), line
    assert list(workplace.iterdir()) == ([path] if text is not None else [])


@pytest.mark.parametrize(
    ('option', 'words'),
    [
        ('model.backbone.type=Nonesuch', ['Nonesuch', 'model registry']),
        ('train_dataloader.dataset.type=Nonesuch', ['Nonesuch', 'dataset registry']),
        ('train_dataloader.dataset.pipeline.0.type=Nonesuch', ['Nonesuch', 'transform registry']),
        ('val_evaluator.type=Nonesuch', ['Nonesuch', 'metric registry']),
        ('optim_wrapper.optimizer.type=Nonesuch', ['Nonesuch', 'optimizer']),
        ('param_scheduler.type=Nonesuch', ['Nonesuch', 'scheduler registry']),
        ('model.backbone.nonsense=1', ['nonsense']),
        ('model.backbone.depth=19', ['19']),
        ('train_dataloader.dataset.split=tain', ['tain']),
        ('train_cfg.max_epoch=3', ['max_epoch']),
    ],
)
def test_config_that_does_not_fit(train_tool, toy, capsys, option, words):
    line = complaint(train_tool, capsys, toy, '--cfg-options', option)
    assert all(word in line for word in words), line


@pytest.mark.parametrize(
    ('dataset', 'words'),
    [
        ("dict(type='CIFAR10', data_root='nowhere', download=False)", ['CIFAR10', 'nowhere']),
        ("dict(type='CustomDataset', data_root='nowhere')", ['nowhere', 'No such file']),
        ("dict(type='CIFAR10', data_root='nowhere')", ['cifar-10-python.tar.gz', 'nowhere', 'data_root']),
    ],
)
def test_missing_dataset(train_tool, toy, capsys, monkeypatch, dataset, words):
    def offline(*args, **kwargs):
        raise OSError('no route to host')

    monkeypatch.setattr('http.client.HTTPConnection.connect', offline)
    monkeypatch.setattr('http.client.HTTPSConnection.connect', offline)
    toy.write_text(f"{TOY}train_dataloader['dataset'] = {dataset}\n")
    line = complaint(train_tool, capsys, toy)
    assert all(word in line for word in words), line


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (None, ['k.pth', 'does not exist']),
        (b'', ['k.pth', 'empty']),
        (b'hello world', ['k.pth', 'not a file of torch.save']),
    ],
)
def test_wrong_checkpoint(test_tool, toy, capsys, content, words):
    if content is not None:
        (toy.parent / 'k.pth').write_bytes(content)
    line = complaint(test_tool, capsys, toy, 'k.pth')
    assert all(word in line for word in words), line


@pytest.mark.parametrize('change', ['missing', 'unexpected', 'shape'])
def test_checkpoint_of_another_network(test_tool, toy, capsys, change):
    weights = new_model(Config.fromfile(toy)).state_dict()
    head = weights['head.fc.weight']
    if change == 'missing':
        del weights['head.fc.weight']
    else:
        weights |= {'head.other' if change == 'unexpected' else 'head.fc.weight': head[:7]}
    torch.save(dict(state_dict=weights), 'k.pth')
    line = complaint(test_tool, capsys, toy, 'k.pth')
    assert 'checkpoint k.pth does not fit the config:' in line and 'head.' in line
    assert line.count('k.pth') == 1


@pytest.mark.parametrize('kind', ['wrapped', 'averaged'])
def test_checkpoints_whose_names_are_others_only_at_first_sight(test_tool, toy, kind):
    weights = new_model(Config.fromfile(toy)).state_dict()
    wrapped = {f'module.{name}': value for name, value in weights.items()}
    averaged = dict(state_dict=weights, ema_state_dict=wrapped | dict(steps=torch.tensor(3)))
    torch.save(dict(state_dict=wrapped) if kind == 'wrapped' else averaged, 'k.pth')
    if kind == 'averaged':
        toy.write_text(f"{TOY}custom_hooks = [dict(type='EMAHook')]\n")
    assert test_tool.main([str(toy), 'k.pth', '--cfg-options', f'experiment_name={kind}']) == 0


def test_weights_cannot_be_resumed(train_tool, toy, capsys):
    torch.save({'state_dict': {}}, 'weights.pth')
    line = complaint(train_tool, capsys, toy, '--resume', 'weights.pth')
    assert "'meta'" in line


def test_last_checkpoint_has_gone(train_tool, toy, capsys):
    work_dir = toy.parent / 'w'
    work_dir.mkdir()
    (work_dir / 'last_checkpoint').write_text('/gone/epoch_3.pth')
    line = complaint(train_tool, capsys, toy, '--work-dir', work_dir, '--resume')
    assert '/gone/epoch_3.pth' in line and '--resume PATH' in line


@pytest.mark.parametrize(
    ('flags', 'words'),
    [
        (['--out-item', 'metrics'], ['--out']),
        (['--out', 'o.json'], ['o.json', '.pkl']),
        (['--out', 'o.txt', '--out-item', 'metrics'], ['o.txt', '.json']),
        (['--show-dir', 's', '--tta'], ['--tta']),
        (['--out', 'folder.pkl'], ['folder.pkl is a folder']),
        (['--show'], ['display', '--show-dir']),
    ],
)
def test_wrong_flags_for_testing(test_tool, toy, capsys, flags, words, monkeypatch):
    monkeypatch.setattr(test_tool.plt, 'get_backend', lambda: 'Agg')
    (toy.parent / 'folder.pkl').mkdir()
    line = complaint(test_tool, capsys, toy, 'k.pth', *flags)
    assert all(word in line for word in words), line


def test_results_that_could_not_be_written_in_the_end(test_tool, toy, capsys, monkeypatch):
    torch.save({}, 'k.pth')
    monkeypatch.setattr(test_tool.os, 'access', lambda place, mode: False)
    assert '--out o.pkl cannot be written' in complaint(test_tool, capsys, toy, 'k.pth', '--out', 'o.pkl')


def test_windows_open_where_there_is_a_display(test_tool, toy, monkeypatch):
    monkeypatch.setattr(test_tool.plt, 'get_backend', lambda: 'TkAgg')
    assert merged(test_tool, toy, '--show', checkpoint='k.pth')[0].default_hooks.visualization.show


def test_nothing_to_draw_with(test_tool, toy, capsys):
    toy.write_text(TOY.replace("visualization=dict(type='VisualizationHook')", ''))
    assert 'VisualizationHook' in complaint(test_tool, capsys, toy, 'k.pth', '--show-dir', 's')


def test_bug_keeps_its_traceback(train_tool, toy, monkeypatch):
    def broken(*args, **kwargs):
        return [][1]

    monkeypatch.setattr('mmpretrain.models.ImageClassifier.loss', broken)
    with pytest.raises(IndexError):
        train_tool.main([str(toy), '--no-validate'])
    monkeypatch.setattr('mmpretrain.models.ImageClassifier.__init__', broken)
    with pytest.raises(IndexError):
        train_tool.main([str(toy), '--no-validate'])


def test_value_refused_by_this_package_during_a_run(train_tool, toy, capsys, monkeypatch):
    space = {'__name__': 'tcl_plugin.somewhere'}
    exec("def refuse(*args, **kwargs):\n    raise ValueError('class 3 has\\nno samples')\n", space)
    monkeypatch.setattr('mmpretrain.models.ImageClassifier.loss', space['refuse'])
    assert complaint(train_tool, capsys, toy) == 'error: class 3 has no samples'


@pytest.mark.parametrize(
    ('variable', 'argv'),
    [('RANK', []), ('SLURM_PROCID', ['--launcher', 'slurm']), ('OMPI_COMM_WORLD_RANK', ['--launcher=mpi'])],
)
def test_other_processes_let_the_first_one_speak(variable, argv, capsys, monkeypatch):
    """Before mmengine has set RANK, too."""

    def tool(argv):
        raise errors.UserError('no such thing')

    waits = []
    monkeypatch.setattr(errors.time, 'sleep', waits.append)
    monkeypatch.setenv(variable, '1')
    assert errors.run_tool(tool, argv) == 2
    assert waits == [errors.GRACE_SECONDS]
    assert capsys.readouterr().err == 'error: rank 1: no such thing\n'


@pytest.mark.parametrize('tool', ['train', 'sweep', 'results'])
def test_interrupted_tools_say_how_to_go_on(tool, train_tool, capsys, monkeypatch):
    module = train_tool if tool == 'train' else load_file(ROOT / 'tools' / f'{tool}.py')

    def interrupted(argv):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, tool, interrupted)
    assert module.main([]) == 130
    line = capsys.readouterr().err
    remedy = {'train': ': go on with --resume', 'sweep': ': the same command goes on'}
    assert line == f'interrupted{remedy.get(tool, "")}\n'
    monkeypatch.setenv('TCL_TRACEBACK', '1')
    with pytest.raises(KeyboardInterrupt):
        module.main([])


@pytest.mark.skipif(os.name != 'posix', reason='a shell and its signals')
def test_an_interrupt_ends_the_loop_around_a_tool(tmp_path):
    """bash goes on where a program has caught it, and has only an exit code."""
    program = tmp_path / 'tool.py'
    program.write_text(
        'import os, signal, sys\n'
        'from tcl_plugin.errors import run_tool\n'
        'def tool(argv):\n'
        '    print("begin", flush=True)\n'
        '    os.killpg(0, signal.SIGINT)\n'
        'sys.exit(run_tool(tool))\n'
    )
    loop = f'for i in 1 2; do {sys.executable} {program}; done; echo end'
    done = subprocess.run(
        ['bash', '-c', loop],
        cwd=ROOT,
        env=os.environ | dict(PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=120,
        # Where the tests themselves run in the background, a shell has left interrupts ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert (done.stdout, done.stderr) == ('begin\n', 'interrupted\n')
    assert done.returncode == -signal.SIGINT


def lost_stdout(monkeypatch, where):
    """Let stdout lead to a pipe that nobody reads any more, or to a full disk."""
    if where == 'pipe':
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open('/dev/full', os.O_WRONLY)
    stream = os.fdopen(writer, 'w')
    monkeypatch.setattr(sys, 'stdout', stream)
    return stream


@pytest.mark.parametrize('length', [1, 100_000])
@pytest.mark.parametrize('way', ['log', 'print'])
@pytest.mark.parametrize(('where', 'code'), [('pipe', 141), ('disk', 2)])
def test_output_that_goes_nowhere(where, code, way, length, capsys, monkeypatch):
    stream = lost_stdout(monkeypatch, where)
    steps, handler = [], logging.StreamHandler(stream)
    logger = logging.Logger('lost')
    logger.addHandler(handler)

    def tool(argv):
        for step in range(3):
            steps.append(step)
            logger.error('x' * length) if way == 'log' else print('x' * length)

    assert errors.run_tool(tool, []) == code
    # A log is flushed line by line, and what is printed in the end.
    assert len(steps) == (1 if way == 'log' or length > 1 else 3)
    told = {'pipe': '', 'disk': 'error: what is printed cannot be written: No space left on device\n'}
    assert capsys.readouterr().err == told[where]
    stream.close()  # what is left in it is no more bother


def test_other_broken_pipes_are_bugs(capsys):
    def tool(argv):
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        errors.run_tool(tool, [])


def test_deliberate_tells_raise_from_bug():
    def own():
        raise ValueError('refused')

    for function, expected in ((own, True), (lambda: int('x'), False)):
        with pytest.raises(ValueError) as caught:
            function()
        assert errors.deliberate(caught.value, __name__) is expected


def test_one_line_is_short():
    assert errors.one_line(KeyError('a\n  b')) == 'a b'
    assert len(errors.one_line('x' * 10_000)) < errors.MAX_LENGTH + 60


# As a person runs them


@pytest.mark.parametrize('tool', ['train', 'test'])
def test_error_from_anywhere(tool, tmp_path, clean_env):
    command = [sys.executable, str(ROOT / 'tools' / f'{tool}.py'), 'gone.py', *(['k.pth'] if tool == 'test' else [])]
    result = subprocess.run(command, cwd=tmp_path, env=clean_env, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    # Libraries may have something to say while they are imported.
    assert result.stderr.endswith('error: config gone.py does not exist\n')
    assert 'Traceback' not in result.stderr + result.stdout


def test_traceback_on_demand(train_tool, workplace, monkeypatch):
    monkeypatch.setenv('TCL_TRACEBACK', '1')
    with pytest.raises(errors.UserError, match=r'gone\.py'):
        train_tool.main(['gone.py'])


def test_metrics_of_any_kind_are_written(test_tool):
    """Such as the matrix of ConfusionMatrix."""
    metrics = {'a': torch.tensor([[1, 2]]), 'b': {'c': (np.float32(0.5), np.arange(2), 'text', None)}}
    assert json.loads(json.dumps(test_tool.plain(metrics))) == {'a': [[1, 2]], 'b': {'c': [0.5, [0, 1], 'text', None]}}


def test_trains_resumes_and_tests(train_tool, test_tool, toy):
    def run(tool, *argv):
        # mmengine tells the runs of one process apart by name and second.
        names.append(f'experiment_name=run{len(names)}')
        return tool.main([str(toy), *argv, '--cfg-options', 'train_cfg.max_epochs=2', names[-1]])

    names = []
    assert run(train_tool, '--work-dir', 'w') == 0
    os.remove('w/epoch_2.pth')
    assert run(train_tool, '--work-dir', 'w', '--resume', 'w/epoch_1.pth') == 0
    assert run(test_tool, 'w/epoch_2.pth', '--out', 'o.json', '--out-item', 'metrics') == 0
    assert run(test_tool, 'w/epoch_2.pth', '--out', 'o.pkl', '--tta') == 0
    assert run(test_tool, 'w/epoch_2.pth', '--show-dir', 's', '--interval', '16') == 0
    assert 'accuracy/top1' in load('o.json')
    assert (toy.parent / 'o.pkl').stat().st_size > 0
    assert len(list((toy.parent / 's').rglob('*.png'))) == 2
