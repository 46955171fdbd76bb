# SPDX-License-Identifier: Apache-2.0
"""Folders that a config for folders cannot be completed for, and lists of a person's own beside them."""

from collections.abc import Sequence

from folder_config import QUICK, read_folder_config
from tree_builders import write_image

from tcl_plugin.auto_setup import decide

from .desk import Desk, case

LIST = 'train_dataloader.dataset.dataset.ann_file'
CATS, DOGS = ([f'{name}/{i}.png' for i in range(10)] for name in ('cat', 'dog'))


def set_up(desk: Desk, images: Sequence[str], validates: bool = True, **options: object) -> str:
    """Write images of these names, and be refused a training on them."""
    for i, name in enumerate(images):
        write_image(f'data/{name}', i % 2, 2, i)
    cfg = read_folder_config('data', 'run', **QUICK, **options)
    if not validates:
        cfg.val_dataloader = None
    return desk.building(lambda: decide(cfg)).replace(f'{desk.folder}/', '')


def own_list(desk: Desk, name: str, images: Sequence[str]) -> str:
    """Write a list of a person's own."""
    rows = [f'{image},{image.split("/")[0]}' for image in images]
    return str(desk.write(name, ''.join(f'{row}\n' for row in ('img_path,gt_label', *rows))))


@case('setup-part-without-train')
def part_without_train(desk: Desk) -> str:
    return set_up(desk, [*CATS, *DOGS, 'test/cat/1.png', 'test/dog/1.png'])


@case('setup-parts-without-train')
def parts_without_train(desk: Desk) -> str:
    return set_up(desk, [*CATS, *DOGS, 'test/1.png', 'val/1.png'])


@case('setup-list-takes-a-class')
def list_takes_a_class(desk: Desk) -> str:
    return set_up(
        desk, CATS + DOGS, **{'val_dataloader.dataset.ann_file': own_list(desk, 'mine.csv', [*CATS, DOGS[0]])}
    )


@case('setup-list-of-no-image')
def list_of_no_image(desk: Desk) -> str:
    mine = desk.write('mine.csv', 'img_path,gt_label\n1.png,cat\n2.png,dog\n')
    return set_up(desk, CATS + DOGS, **{LIST: str(mine)})


@case('setup-list-of-all')
def list_of_all(desk: Desk) -> str:
    return set_up(desk, CATS + DOGS, **{LIST: own_list(desk, 'mine.csv', CATS + DOGS)})


@case('setup-list-of-both-parts')
def list_of_both_parts(desk: Desk) -> str:
    mine, val = own_list(desk, 'mine.csv', CATS + DOGS), own_list(desk, 'val.csv', [CATS[0], DOGS[0]])
    return set_up(desk, CATS + DOGS, **{LIST: mine, 'val_dataloader.dataset.ann_file': val})
