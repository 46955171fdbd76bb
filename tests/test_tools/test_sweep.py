# SPDX-License-Identifier: Apache-2.0
"""A sweep trains what is missing, in order, goes on where it was stopped, and its results come as a table."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mmengine.config import Config
from toolbox import DIGITS, ROOT, TINY, load_file
from written_runs import write_run

from tcl_plugin.errors import UserError
from tcl_plugin.sweeps import Job, Pool, check_record, keep_record, pool, record, run_all

CE, PLUS = (ROOT / 'configs' / name for name in ('ce_digits_sym80.py', 'variants/tclplus_digits_sym80.py'))
TRAIN = ROOT / 'tools' / 'train.py'
# One epoch; the schedule of the config would end before it begins.
SHORT = [*(option for option in TINY if 'max_epochs' not in option), 'train_cfg.max_epochs=1', 'param_scheduler=[]']


@pytest.fixture(scope='module')
def tool():
    return load_file(ROOT / 'tools' / 'sweep.py')


def plan(tool, *argv):
    return tool.plan(tool.parse_args([str(arg) for arg in argv]))


def test_every_config_under_every_noise_and_seed(tool, workplace):
    jobs = plan(tool, DIGITS, CE, '--noises', 'sym20', 'sym50', '--seeds', '0', '1', '--work-dir', 'w')
    names = [f'w/{method}_digits_{noise}/seed{seed}'
             for seed in (0, 1) for noise in ('sym20', 'sym50') for method in ('tcl', 'ce')]  # fmt: skip
    assert [str(job.folder) for job in jobs] == names
    assert jobs[-1].options == ['randomness.seed=1', 'train_dataloader.dataset.noise.seed=1']


def noise_of(job):
    dataset = Config.fromfile(job.config).train_dataloader.dataset
    return {key: value for key, value in dataset.noise.items() if key != 'seed'}


@pytest.mark.parametrize(
    ('config', 'noise', 'expected'),
    [
        # There is none for digits under this noise: one is written.
        ('tcl_digits_sym80', 'sym30', dict(type='SymmetricNoise', rate=0.3)),
        ('tcl_r18_cifar10_sym50', 'asym30', dict(type='AsymmetricNoise', rate=0.3, mapping='cifar10')),
        ('tcl_r18_cifar10_asym40', 'sym30', dict(type='SymmetricNoise', rate=0.3)),
        (
            'tcl_r18w16_fmnist6k_sym80',
            'asym30',
            dict(type='AsymmetricNoise', rate=0.3, mapping='fashion_mnist'),
        ),
        (
            'tcl_r18_cifar100_sym50',
            'asym30',
            dict(type='AsymmetricNoise', rate=0.3, mapping='cifar100_superclass'),
        ),
    ],
)
def test_noise_is_replaced_by_a_config_that_is_written(tool, config, noise, expected, workplace):
    (job,) = plan(tool, ROOT / 'configs' / f'{config}.py', '--noises', noise, '--work-dir', 'w')
    assert job.config.parent == Path('w/configs') and noise_of(job) == expected
    assert job.config.stem == job.folder.parent.name == config.rsplit('_', 1)[0] + f'_{noise}'


def test_a_config_that_is_written_already_stays(tool, workplace):
    """Another sweep in the same folder may be reading it."""
    (job,) = plan(tool, ROOT / 'configs' / 'tcl_digits_sym80.py', '--noises', 'sym30', '--work-dir', 'w')
    before = job.config.stat()
    plan(tool, ROOT / 'configs' / 'tcl_digits_sym80.py', '--noises', 'sym30', '--work-dir', 'w')
    assert job.config.stat().st_ino == before.st_ino
    job.config.write_text('# of an earlier release')
    plan(tool, ROOT / 'configs' / 'tcl_digits_sym80.py', '--noises', 'sym30', '--work-dir', 'w')
    assert noise_of(job) == dict(type='SymmetricNoise', rate=0.3)


def test_configs_of_one_name_under_another_noise(tool, workplace):
    """They may differ in that noise alone: one of them is trained."""
    text = '_base_ = {!r}\ntrain_dataloader = dict(dataset=dict(noise=dict(rate=0.{})))\n'
    names = {}
    for noise, epochs in (('sym20', 5), ('sym40', 5), ('sym60', 7)):
        names[noise] = workplace / f'mine_digits_{noise}.py'
        names[noise].write_text(f'{text.format(str(DIGITS), noise[3:])}train_cfg = dict(max_epochs={epochs})\n')
    assert len(plan(tool, names['sym20'], names['sym40'], '--noises', 'sym30', '--work-dir', 'w')) == 1
    with pytest.raises(UserError, match=r'mine_digits_sym20.py and .*mine_digits_sym60.py would share'):
        plan(tool, names['sym20'], names['sym60'], '--noises', 'sym30', '--work-dir', 'w')


def test_options_add_up(tool):
    args = tool.parse_args([str(DIGITS), '--cfg-options', 'a=1', '--cfg-options', 'b=2', 'c=3'])
    assert args.cfg_options == ['a=1', 'b=2', 'c=3']


def test_a_second_stage_is_told_of_a_path_with_a_comma(tool, workplace):
    *_, job = plan(tool, PLUS, '--work-dir', 'runs,a')
    train_tool = load_file(ROOT / 'tools' / 'train.py')
    told = train_tool.parse_args(['c.py', '--cfg-options', *job.options]).cfg_options['load_from']
    assert told == str(job.needs.last_epoch) and 'runs,a' in told


@pytest.mark.parametrize('place', ['runs', 'big/disk/runs'])
def test_a_work_directory_may_be_a_link(tool, workplace, place):
    (workplace / place).mkdir(parents=True)
    (workplace / 'w').symlink_to(workplace / place)
    (job,) = plan(tool, ROOT / 'configs' / 'tcl_digits_sym80.py', '--noises', 'sym30', '--work-dir', 'w')
    assert noise_of(job) == dict(type='SymmetricNoise', rate=0.3)


def test_a_config_of_that_name_is_preferred(tool):
    """ELR has other arguments under asymmetric noise."""
    (job,) = plan(tool, ROOT / 'configs/peers/elr_r18_cifar10_sym50.py', '--noises', 'asym40')
    assert job.config == ROOT / 'configs/peers/elr_r18_cifar10_asym40.py'


def test_seeds_reach_all_that_is_drawn(tool):
    (job,) = plan(tool, ROOT / 'configs' / 'tcl_r18_cifar10_sym30_open30.py', '--seeds', '7')
    dataset = 'train_dataloader.dataset'
    assert job.options == ['randomness.seed=7', f'{dataset}.noise.seed=7', f'{dataset}.open_set.seed=7']


def test_a_seed_draws_what_is_held_out(tool):
    dataset = 'train_dataloader.dataset'
    (job,) = plan(tool, DIGITS, '--seeds', '7', '--cfg-options', f'{dataset}.held_out=0.1')
    assert job.options[-2:] == [f'{dataset}.held_out_seed=7', f'{dataset}.held_out=0.1']
    # A person's own choice comes last, and so counts.
    (job,) = plan(tool, DIGITS, '--cfg-options', f'{dataset}.held_out=0.1', f'{dataset}.held_out_seed=3')
    assert job.options[-1] == f'{dataset}.held_out_seed=3'


def test_a_seed_draws_noise_that_options_name(tool, workplace):
    wrapper = "dict(_delete_=True, type='NoisyLabelDataset', dataset=dict(type='SklearnDigits', split='train'))"
    Path('clean_digits.py').write_text(f'_base_ = {str(CE)!r}\ntrain_dataloader = dict(dataset={wrapper})\n')
    dataset = 'train_dataloader.dataset'
    noise = [f'{dataset}.noise.type=SymmetricNoise', f'{dataset}.noise.rate=0.5']
    (job,) = plan(tool, 'clean_digits.py', '--seeds', '7', '--cfg-options', *noise)
    assert job.options == ['randomness.seed=7', f'{dataset}.noise.seed=7', *noise]
    (job,) = plan(tool, 'clean_digits.py', '--seeds', '7')
    assert job.options == ['randomness.seed=7']
    with pytest.raises(UserError, match=r'--cfg-options does not fit config clean_digits\.py'):
        plan(tool, 'clean_digits.py', '--cfg-options', 'train_cfg.max_epochs.x=1')


GENERATOR = """
from mmpretrain.registry import TASK_UTILS

@TASK_UTILS.register_module()
class NextClass{name}:
    def __init__(self{arguments}): pass
    def __call__(self, labels, num_classes): return (labels + 1) % num_classes
"""


@pytest.mark.parametrize(
    ('name', 'arguments', 'seeded'), [('', '', False), ('Seeded', ', seed=0', True), ('Any', ', **kwargs', True)]
)
def test_a_generator_without_a_seed_gets_none(tool, workplace, monkeypatch, name, arguments, seeded):
    monkeypatch.syspath_prepend(workplace)
    Path(f'next_class{name}.py').write_text(GENERATOR.format(name=name, arguments=arguments))
    Path('ce_digits_next.py').write_text(
        f"_base_ = {str(CE)!r}\ncustom_imports = dict(imports=['tcl_plugin', 'next_class{name}'])\n"
        f"train_dataloader = dict(dataset=dict(noise=dict(_delete_=True, type='NextClass{name}')))\n"
    )
    (job,) = plan(tool, 'ce_digits_next.py', '--seeds', '7')
    assert job.options[1:] == ['train_dataloader.dataset.noise.seed=7'] * seeded


def test_a_generator_that_cannot_be_found_is_left_to_the_training(tool, workplace):
    """It says what is missing, and the other trainings go on."""
    Path('ce_digits_gone.py').write_text(
        f"_base_ = {str(CE)!r}\ncustom_imports = dict(imports=['no_such_module'], allow_failed_imports=False)\n"
        "train_dataloader = dict(dataset=dict(noise=dict(_delete_=True, type='NoSuchNoise')))\n"
    )
    (job,) = plan(tool, 'ce_digits_gone.py')
    assert job.options[1:] == ['train_dataloader.dataset.noise.seed=0']


def test_a_second_stage_brings_its_first(tool, workplace):
    first, second = plan(tool, PLUS, '--seeds', '3', '--noises', 'sym50', '--work-dir', 'w')
    assert (first.config.name, str(first.folder)) == ('tcl_digits_sym50.py', 'w/tcl_digits_sym50/seed3')
    assert second.needs is first and second.options[-1] == 'load_from=w/tcl_digits_sym50/seed3/epoch_24.pth'
    # It is not trained twice where it is named as well.
    assert len(plan(tool, DIGITS, PLUS)) == 2
    (_, shorter) = plan(tool, PLUS, '--cfg-options', 'train_cfg.max_epochs=3')
    assert shorter.options[-1].endswith('/epoch_3.pth')


@pytest.mark.parametrize('folder', ['', 'first'])
def test_a_first_stage_of_ones_own(tool, workplace, folder):
    """Named as well, or in the same folder; one of that name among the configs of the checkout comes last."""
    Path('first').mkdir()
    own, base = Path(folder, 'tcl_digits_sym80.py'), f'_base_ = {str(DIGITS)!r}\n'
    own.write_text(base)
    Path('mineplus_digits_sym80.py').write_text(f"{base}load_from = 'work_dirs/tcl_digits_sym80/epoch_24.pth'\n")
    named = [own] if folder else []
    first, second = plan(tool, 'mineplus_digits_sym80.py', *named)
    assert (first.config, second.needs) == (own, first)
    for job in plan(tool, 'mineplus_digits_sym80.py', *named, '--noises', 'sym50', '--work-dir', 'w'):
        assert job.config.parent == Path('w/configs')
    assert repr(str(Path('../..') / own)) in Path('w/configs/tcl_digits_sym50.py').read_text()


def test_a_stopped_second_stage_goes_on_from_its_own_checkpoint(tool, workplace):
    _, job = plan(tool, PLUS, '--work-dir', 'w')
    assert '--resume' not in job.arguments and any(arg.startswith('load_from=') for arg in job.arguments)
    job.folder.mkdir(parents=True)
    (job.folder / 'last_checkpoint').write_text('epoch_1.pth')
    assert '--resume' in job.arguments and not any(arg.startswith('load_from=') for arg in job.arguments)


def test_a_second_stage_goes_on_from_a_first_that_was_stopped_early(tool, workplace):
    first, second = plan(tool, PLUS, '--work-dir', 'w')
    first.folder.mkdir(parents=True)
    (first.folder / 'last_checkpoint').write_text('/elsewhere/epoch_3.pth')
    assert second.arguments[-1] == f'load_from={first.folder}/epoch_3.pth'
    # What is written down of it stays.
    assert plan(tool, PLUS, '--work-dir', 'w')[1].options[-1] == f'load_from={first.folder}/epoch_24.pth'
    first.last_epoch.touch()
    assert second.arguments[-1] == f'load_from={first.folder}/epoch_24.pth'


def trained_by(job):
    """Leave what a training leaves, and what is kept of its options."""
    keep_record(job)
    (job.folder / 'epoch_1.pth').touch()
    return job


def test_a_sweep_with_other_options_is_not_taken_for_this_one(tool, workplace):
    (job,) = plan(tool, DIGITS)
    check_record(trained_by(job))
    (other,) = plan(tool, DIGITS, '--cfg-options', 'model.head.warmup_epochs=3')
    message = r'holds a training with other options \(randomness.seed=0 .*choose another'
    for look in (check_record, keep_record):
        with pytest.raises(UserError, match=message):
            look(other)


def test_a_training_that_came_to_nothing_holds_up_no_other(tool, workplace):
    (job,) = plan(tool, DIGITS)
    keep_record(job)
    (other,) = plan(tool, DIGITS, '--cfg-options', 'model.head.warmup_epochs=3')
    check_record(other)
    keep_record(other)
    with pytest.raises(UserError, match='holds a training with other options'):
        trained_by(other)
        check_record(job)


def test_a_training_at_work_that_has_recorded_nothing_yet(tool, workplace, monkeypatch):
    (job,), (other,) = plan(tool, DIGITS), plan(tool, DIGITS, '--cfg-options', 'model.head.warmup_epochs=3')
    keep_record(job)
    monkeypatch.setattr(record, 'is_held', lambda folder: folder == job.folder)
    with pytest.raises(UserError, match='holds a training with other options'):
        keep_record(other)
    check_record(job)


def test_nothing_is_written_down_of_trainings_that_do_not_start(tool, workplace, monkeypatch, capsys):
    monkeypatch.setattr(tool, 'run_all', lambda jobs, pool: None)
    assert tool.main([str(DIGITS), '--seeds', '0', '1']) == 0
    assert not list(workplace.glob('**/sweep.json'))


def test_a_folder_that_another_sweep_has_taken_meanwhile(tool, workplace, capsys):
    (job,) = plan(tool, DIGITS, '--cfg-options', 'model.head.warmup_epochs=3')
    trained_by(plan(tool, DIGITS)[0])
    run_all([job], Pool(1, 0, TRAIN))
    assert job.state == 'failed'
    assert 'seed0: not trained: work_dirs/sweep/' in capsys.readouterr().out


def test_a_training_by_a_config_that_was_edited_since_is_not_taken_for_this_one(tool, workplace):
    """What changes may lie in a file that the config is based on, where its own text stays the same."""
    Path('base.py').write_text(f'_base_ = {str(DIGITS)!r}\n')
    Path('tcl_digits_sym80.py').write_text("_base_ = 'base.py'\n")
    (job,) = plan(tool, 'tcl_digits_sym80.py')
    check_record(trained_by(job))
    Path('base.py').write_text(f'_base_ = {str(DIGITS)!r}\n# A comment changes nothing.\n')
    check_record(job)
    Path('base.py').write_text(f'_base_ = {str(DIGITS)!r}\nmodel = dict(head=dict(warmup_epochs=3))\n')
    with pytest.raises(UserError, match=r'holds a training of tcl_digits_sym80.py as it was before .* was edited'):
        check_record(job)
    # What an earlier release wrote down, which knew the options alone, is believed.
    file = job.folder / record.RECORD
    file.write_text(json.dumps(dict(config='tcl_digits_sym80.py', options=job.options)))
    keep_record(job)
    assert 'content' in json.loads(file.read_text())


@pytest.mark.parametrize(
    ('argv', 'message'),
    [
        (['nowhere.py'], 'config nowhere.py does not exist'),
        ([DIGITS, '--noises', 'symmetric'], '--noises symmetric: must be sym or asym and two digits'),
        ([DIGITS, '--noises', 'asym40'], '--noises asym40: SklearnDigits has no mapping of similar classes'),
        ([DIGITS, '--jobs', '0'], '--jobs 0: must be 1 or more'),
        (['label_file.py', '--noises', 'sym50'], 'its name does not end in sym or asym'),
        ([ROOT / 'configs/tcl_r18_cifar10_idn40.py', '--noises', 'sym50'], 'its name does not end in sym or asym'),
        ([DIGITS, 'tcl_digits_sym80.py'], 'would share work_dirs/sweep/tcl_digits_sym80/seed0'),
    ],
)
def test_refusals(tool, argv, message, workplace, capsys):
    (workplace / 'tcl_digits_sym80.py').write_text(f'_base_ = {str(DIGITS)!r}')
    (workplace / 'label_file.py').write_text(
        f'_base_ = {str(DIGITS)!r}\ntrain_dataloader = dict(dataset=dict(noise=None))'
    )
    assert tool.main([str(arg) for arg in argv]) == 2
    assert message in capsys.readouterr().err


def test_each_training_sees_one_gpu(monkeypatch):
    """From its first import on; and it is no fork of a process that has asked CUDA."""
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    with pool._seeing(1):
        assert os.environ['CUDA_VISIBLE_DEVICES'] == '1'
    assert 'CUDA_VISIBLE_DEVICES' not in os.environ
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '4,7')
    with pool._seeing(1):
        assert os.environ['CUDA_VISIBLE_DEVICES'] == '7'
    with pool._seeing(None):
        assert os.environ['CUDA_VISIBLE_DEVICES'] == '4,7'
    assert os.environ['CUDA_VISIBLE_DEVICES'] == '4,7'
    monkeypatch.setenv('PYTHONPATH', os.environ.get('PYTHONPATH', ''))
    assert Pool(2, gpus=2, tool=TRAIN).context.get_start_method() == 'spawn'
    assert Pool(2, gpus=0, tool=TRAIN).context.get_start_method() == 'forkserver'
    monkeypatch.setattr('multiprocessing.get_all_start_methods', lambda: ['spawn'])  # Windows
    assert Pool(2, gpus=0, tool=TRAIN).context.get_start_method() == 'spawn'


def test_as_many_trainings_as_cores_that_may_be_used(tool, workplace, monkeypatch, capsys):
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: {3, 5, 7}, raising=False)
    monkeypatch.setattr('torch.cuda.device_count', lambda: 0)
    monkeypatch.setattr(tool, 'run_all', lambda jobs, pool: sys.exit(pool.size))
    with pytest.raises(SystemExit) as ended:
        tool.sweep([str(CE), '--seeds', *map(str, range(9))])
    assert ended.value.code == 3 and '9 of 9 trainings to do, 3 at a time' in capsys.readouterr().out


def test_a_training_without_an_accuracy_ends_nothing(workplace, capsys):
    job = Job(CE, workplace / 'run', state='done')
    pool._tell(job, '3 s', 0)
    assert 'run: trained, 3 s, but its last epoch has no accuracy/top1' in capsys.readouterr().out
    assert job.state == 'unmeasured'


def test_a_record_that_is_damaged_is_no_unfinished_training(tool, workplace, monkeypatch, capsys):
    """Neither told another reason, nor trained again, nor left out silently; other trainings go on."""
    base = ['--work-dir', '.', '--seeds', '0', '1']
    damaged, missing = tool.plan(tool.parse_args([str(CE), *base]))
    folder = write_run(workplace, CE.stem, [50.0, 40.0])
    (folder / 'last_checkpoint').write_text('epoch_2.pth')
    (scalars,) = folder.glob('*/vis_data/scalars.json')
    scalars.write_text(scalars.read_text().replace('"step": 1}', '', 1))
    pool._tell(damaged, '3 s', 0)
    assert damaged.state == 'unmeasured'
    assert f'trained, 3 s, but {scalars.relative_to(workplace)}: line 1 is no JSON' in capsys.readouterr().out

    def end(jobs, pool):
        assert [job.state for job in jobs] == ['failed', 'waiting']
        jobs[1].state = 'unmeasured'

    monkeypatch.setattr(tool, 'run_all', end)
    assert tool.main([str(CE), *base]) == 2
    out, error = capsys.readouterr()
    assert '1 of 2 trainings to do' in out and f'{damaged.folder}: not trained: ' in out and 'line 1 is no JSON' in out
    failed = f'1 of 2 trainings failed: {damaged.folder}'
    assert f'error: {failed}; 1 of 2 trainings are not in the table: {missing.folder}' in error


def test_what_is_told_of_a_training_that_was_stopped(workplace, capsys):
    for told, expected in ((dict(stopped_early=True), 'done'), ({}, 'unmeasured')):
        folder = write_run(workplace / expected, 'ce_digits_sym80', [50.0, 40.0], epochs=24, **told)
        (folder / 'last_checkpoint').write_text('epoch_2.pth')
        (scalars,) = folder.glob('*/vis_data/scalars.json')
        scalars.write_text(json.dumps(dict(loss=1.0, epoch=2, iter=9, step=9)) + '\n' + scalars.read_text())
        job = Job(CE, folder, state='done')
        pool._tell(job, '3 s', 0)
        assert job.state == expected
    early, stopped = capsys.readouterr().out.splitlines()
    assert early.endswith('last 40.0 %, best 50.0 %, 3 s, stopped early after 2 of 24 epochs')
    assert stopped.endswith('trained, 3 s, but stopped after 2 of 24 epochs')


@pytest.mark.parametrize(('code', 'reason'), [(-9, 'ended by SIGKILL'), (-200, 'ended by signal 200'), (2, 'the l')])
def test_why_a_training_failed(workplace, capsys, code, reason):
    """Killed, it has not said it in its last line."""
    folder = workplace / 'run'
    folder.mkdir()
    (folder / 'train.out').write_text('first\nthe last line\n')
    pool._tell(Job(CE, folder, state='failed'), '3 s', code)
    assert f'run: failed after 3 s: {reason}' in capsys.readouterr().out


def test_why_a_training_failed_whose_output_is_not_utf_8(workplace, monkeypatch):
    """As that of a library may be; nor need the sweep's be."""
    (workplace / 'run').mkdir()
    (workplace / 'run' / 'train.out').write_bytes('Grün → '.encode() + b'\xfc\n')
    monkeypatch.setattr(sys, 'stdout', io.TextIOWrapper(io.BytesIO(), encoding='latin-1'))
    pool._tell(Job(CE, workplace / 'run', state='failed'), '3 s', 2)
    assert r'Grün \u2192 \xfc; see' in sys.stdout.buffer.getvalue().decode('latin-1')


def test_what_trainings_print_is_utf_8(workplace):
    """Whatever the locale."""
    Path('train.py').write_text("def main(argv):\n    print('→ Müller')\n    return 3\n", encoding='utf-8')
    code = (
        'from pathlib import Path; from tcl_plugin.sweeps import pool; pool._end_with_the_sweep = lambda: None; '
        "pool.train(Path('train.py').resolve(), [], 'run', 1)"
    )
    env = os.environ | dict(PYTHONPATH=str(ROOT), PYTHONIOENCODING='latin-1')
    assert subprocess.run([sys.executable, '-c', code], env=env).returncode == 3
    assert Path('run/train.out').read_text(encoding='utf-8').splitlines()[-1] == '→ Müller'


@pytest.fixture(scope='module')
def swept(tmp_path_factory):
    """A sweep of four trainings, one of which cannot start, with its first stage."""
    folder = tmp_path_factory.mktemp('sweep')
    bad = folder / 'bad_digits_sym80.py'
    bad.write_text(f"_base_ = {str(CE)!r}\nmodel = dict(head=dict(type='NoSuchHead'))\n")
    command = [sys.executable, str(ROOT / 'tools' / 'sweep.py'), str(PLUS), str(CE), str(bad), '--work-dir', 'runs']
    command += ['--jobs', '2', '--cfg-options', *SHORT]
    return folder, command, subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_a_failure_is_told_and_holds_up_nothing_else(swept):
    folder, _, done = swept
    assert done.returncode == 2, done.stdout + done.stderr
    assert 'error: 1 of 4 trainings failed: runs/bad_digits_sym80/seed0' in done.stderr
    assert '4 of 4 trainings to do, 2 at a time' in done.stdout
    assert 'runs/bad_digits_sym80/seed0: failed after' in done.stdout and 'NoSuchHead' in done.stdout
    for name in ('tcl', 'ce', 'tclplus'):
        assert f'runs/{name}_digits_sym80/seed0: last ' in done.stdout
        assert f'| {name} | digits | sym80 | 0 | 1 |' in done.stdout
    assert 'NoSuchHead' in (folder / 'runs/bad_digits_sym80/seed0/train.out').read_text()


def test_what_has_been_trained_is_not_trained_again(swept, tool, monkeypatch, capsys):
    folder, command, _ = swept
    monkeypatch.chdir(folder)
    checkpoint = folder / 'runs/ce_digits_sym80/seed0/epoch_1.pth'
    before = checkpoint.stat().st_mtime_ns
    assert tool.main([arg for arg in command[2:] if 'bad' not in arg]) == 0
    out = capsys.readouterr().out
    assert '0 of 3 trainings to do' in out and '| tclplus | digits | sym80 | 0 | 1 |' in out
    assert checkpoint.stat().st_mtime_ns == before


def test_trainings_end_with_the_sweep(workplace):
    """However it ends: not only by Ctrl-C, which reaches all of them."""
    command = [sys.executable, str(ROOT / 'tools' / 'sweep.py'), str(CE), '--work-dir', 'w', '--cfg-options', *TINY]
    # All that it starts is of one process group.
    process = subprocess.Popen([*command, 'train_cfg.max_epochs=100000'], start_new_session=True)
    try:
        wait_until(lambda: list(workplace.glob('w/ce_digits_sym80/seed0/epoch_*.pth')))
        process.kill()
        process.wait()
        wait_until(lambda: not is_alive(process.pid))
    finally:
        if is_alive(process.pid):
            os.killpg(process.pid, signal.SIGKILL)


def is_alive(group):
    """Whether a process group has a process other than those that have ended and are waited for by nobody."""
    for path in Path('/proc').glob('[0-9]*/stat'):
        try:
            state, _, found = path.read_text().rpartition(')')[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):  # ended meanwhile
            continue
        if int(found) == group and state != 'Z':
            return True
    return False


def wait_until(condition, seconds=120):
    """Wait for something that happens in another process."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'it has not come about'
        time.sleep(0.2)


def test_results_of_the_sweep(swept):
    folder, *_ = swept
    command = [sys.executable, str(ROOT / 'tools' / 'results.py'), 'runs', '--format', 'csv']
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = {row['method']: row for row in csv.DictReader(io.StringIO(done.stdout))}
    assert set(rows) == {'tcl', 'ce', 'tclplus'}
    for name, row in rows.items():
        assert (row['data'], row['noise'], row['seeds'], row['epochs']) == ('digits', 'sym80', '0', '1')
        assert float(row['last (%)']) <= float(row['best (%)']) <= 100 and float(row['time (s)']) >= 0
        assert row['command'].startswith('python') and f'--work-dir runs/{name}_digits_sym80/seed0' in row['command']
        assert 'thread' in row['device']


def test_no_results(workplace, capsys):
    results = load_file(ROOT / 'tools' / 'results.py')
    (workplace / 'empty').mkdir()
    assert results.main(['empty']) == 2
    assert 'empty is no work directory of a training' in capsys.readouterr().err


@pytest.mark.parametrize(('cores', 'jobs', 'threads'), [(8, 2, 4), (1, 1, 1), (2, 4, 1)])
def test_jobs_share_the_threads_that_there_are(monkeypatch, cores, jobs, threads):
    """Of several sweeps, each with OMP_NUM_THREADS=1, none takes all cores."""
    monkeypatch.setattr('torch.get_num_threads', lambda: cores)
    monkeypatch.setenv('PYTHONPATH', '')
    assert Pool(jobs, 0, TRAIN).threads == threads
