# SPDX-License-Identifier: Apache-2.0
"""Work directories as trainings leave them, without the training."""

import json

CONFIG = """
train_cfg = dict(max_epochs={epochs})
randomness = dict(seed={seed})
train_dataloader = dict(dataset=dict({labels}))
"""
SYM80 = "noise=dict(type='SymmetricNoise', rate=0.8, seed=0)"


def write_run(
    folder,
    name,
    accuracy,
    seed=0,
    labels=SYM80,
    epochs=None,
    auc=None,
    noise=None,
    info=True,
    start=1,
    noise_seed=None,
    day=None,
    held_out=None,
    knn=None,
    **told,
):
    """Write what a training leaves in its work directory.

    Args:
        folder (Path): Where work directories lie.
        name (str): Name of the config.
        accuracy (list[float]): After each epoch.
        seed (int): Seed of the training.
        labels (str): Arguments of the training set that its labels come from.
        epochs (int, optional): How many epochs it is to have. Defaults to None, as many as there are accuracies.
        auc (float, optional): AUC of the detection.
        noise (dict, optional): All that is recorded of the labels, by name, in place of what is by default.
        info (bool): Whether there is a ``run.json``.
        start (int): First epoch of the piece.
        noise_seed (int, optional): Seed of the noise. Defaults to None, for ``seed``.
        day (int, optional): When it began. Defaults to None, for ``start``.
        held_out (list[float], optional): Accuracy on labels held out, after each epoch.
        knn (list[float], optional): Accuracy by nearest neighbours, after each epoch.
        **told: What ``run.json`` has besides.

    Returns:
        Path: The work directory.
    """
    work_dir = folder / name / f'seed{seed}'
    piece = work_dir / f'2026010{day or start}_000000'
    (piece / 'vis_data').mkdir(parents=True)
    lines = []
    for epoch, value in enumerate(accuracy, start):
        lines.append({'accuracy/top1': value, 'step': epoch})
        for prefix, values in (('held_out', held_out), ('knn', knn)):
            if values:
                lines[-1][f'{prefix}/accuracy/top1'] = values[epoch - start]
        found = noise or {'noise_rate': 0.72, 'wrong_labels_fitted': 0.1} | ({'score_auc': auc} if auc else {})
        lines.append({f'label_noise/{key}': value for key, value in found.items()} | dict(step=epoch))
    (piece / 'vis_data' / 'scalars.json').write_text('\n'.join(map(json.dumps, lines)))
    labels = labels.replace('seed=0', f'seed={seed if noise_seed is None else noise_seed}')
    text = CONFIG.format(epochs=epochs or len(accuracy), seed=seed, labels=labels)
    (work_dir / f'{name}.py').write_text(text)
    (piece / 'vis_data' / 'config.py').write_text(text)
    if info:
        record = dict(
            seconds=60.0 + seed, device='a CPU', commit='abc', command=f'python {name}', config=name, first_epoch=start
        )
        (piece / 'run.json').write_text(json.dumps(record | told))
    return work_dir
