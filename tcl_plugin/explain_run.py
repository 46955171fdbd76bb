# SPDX-License-Identifier: Apache-2.0
"""Explainers of what goes wrong in the middle of a run, see ``explain.py``."""

import re

import torch

from .errors import SEVERAL_VIEWS, frames, local_values, one_line, raised_in


def explain_image(error: Exception) -> str | None:
    """Explain an image file that cannot be read, in this process or in one that reads for it.

    Args:
        error (Exception): The exception.

    Returns:
        str | None: The line, or None.
    """
    lines = [line.strip() for line in str(error).strip().splitlines()] or ['']
    in_worker = lines[0].startswith('Caught ') and ' in DataLoader worker process' in lines[0]
    if in_worker:
        # Its traceback, as a text, ends in the message.
        lines = [line.partition(': ')[2] for line in lines]
    elif not isinstance(error, (AssertionError, ValueError, FileNotFoundError)):
        return None
    for line in lines:
        if line.startswith('failed to load image: '):  # mmcv's words
            return f'image {line.removeprefix("failed to load image: ")} cannot be read: no image, damaged, or empty'
        if line.startswith('image ') and ' cannot be read: ' in line:  # those of NoisyLabelDataset
            return line
        if line.startswith('[Errno 2] No such file or directory: ') and (in_worker or _reading_samples(error)):
            return f'image {line.rpartition(": ")[2].strip(chr(39))} does not exist'
    return None


def _reading_samples(error: Exception) -> bool:
    return any(entry.tb_frame.f_code.co_name == '__getitem__' for entry in frames(error))


def explain_collection(error: Exception) -> str | None:
    """Explain results of a validation that one process writes where another does not look.

    Args:
        error (Exception): The exception.

    Returns:
        str | None: The line, or None.
    """
    collecting = any(entry.tb_frame.f_code.co_name == 'collect_results_cpu' for entry in frames(error))
    if not isinstance(error, FileNotFoundError) or not collecting:
        return None
    folder = local_values(error, 'tmpdir')[0]
    return (
        f'the processes do not share the folder {folder}, by which they hand over results of an evaluation: start '
        'them all in the same folder, on storage that all machines share'
    )


def explain_views(error: Exception) -> str | None:
    """Explain views that reach a network which trains on one image each, and samples that nobody has packed.

    Args:
        error (Exception): The exception.

    Returns:
        str | None: The line, or None.
    """
    if isinstance(error, KeyError) and error.args == ('inputs',) and local_values(error, 'training'):
        return "the samples have no inputs: the pipeline must end with dict(type='PackInputs')"
    if not isinstance(error, (RuntimeError, TypeError)) or not raised_in(error, 'torch.nn'):
        return None
    entries = [entry.tb_frame for entry in frames(error) if 'inputs' in entry.tb_frame.f_locals]
    inner = [entry for entry in entries if entry.f_code.co_name == 'extract_feat']
    # Of a model without that method any will do, but not of TCL, which hands on each view by itself.
    inner = inner or [entry for entry in entries if not hasattr(entry.f_locals.get('self'), '_three_views')]
    for inputs in (entry.f_locals['inputs'] for entry in inner):
        views = len(inputs) if isinstance(inputs, (list, tuple)) or getattr(inputs, 'ndim', 0) == 5 else 0
        if views:
            owners = [type(owner).__name__ for owner in local_values(error, 'self') if hasattr(owner, 'extract_feat')]
            return SEVERAL_VIEWS.format(model=owners[-1] if owners else 'the model', views=views)
    return None


def explain_parts(error: Exception) -> str | None:
    """Explain a head that does not suit its model, or not the features or labels that it gets.

    Args:
        error (Exception): The exception.

    Returns:
        str | None: The line, or None.
    """
    text = str(error)
    if isinstance(error, TypeError) and "'mixing'" in text:
        return f'TCL and TCLHead go together, and neither with another head or model: {one_line(error)}'
    shapes = re.search(r'mat1 and mat2 shapes cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)', text)
    if isinstance(error, RuntimeError) and shapes:
        backbones = (getattr(owner, 'backbone', None) for owner in local_values(error, 'self'))
        timm = any(type(backbone).__name__ == 'TIMMBackbone' for backbone in backbones)
        hint = (
            " (one that gives (B, H, W, C), as timm's Swin, needs neck=dict(type='TokenPooling', channels_last=True))"
            if timm
            else ''
        )
        return (
            f'a layer expects {shapes[2]} features, and gets {shapes[1]}: '
            f'is model.head.in_channels what the backbone gives?{hint}'
        )
    if isinstance(error, ValueError) and text.startswith('Expected more than 1 value per channel when training'):
        return (
            'a batch has one image alone, and batch normalisation needs two or more values: set '
            'train_dataloader.drop_last=True, or another batch_size'
        )
    if isinstance(error, ValueError) and re.fullmatch(
        r'Input dimension should be at least \d', text
    ):  # torch's pooling
        return (
            'the neck pools feature maps, and gets vectors, as vision transformers of mmpretrain give them: set '
            'model.neck=None'
        )
    target = re.fullmatch(r'Target (-?\d+) is out of bounds.', text)
    if isinstance(error, IndexError) and target:
        return f'label {target[1]} is none of the classes of the head: set model.head.num_classes to those of the data'
    return None


def explain_memory(error: Exception) -> str | None:
    """Explain that the memory of the GPU is not enough.

    Args:
        error (Exception): The exception.

    Returns:
        str | None: The line, or None.
    """
    if not isinstance(error, torch.cuda.OutOfMemoryError):
        return None
    sentence = one_line(error).split('. ')[0]
    return f'{sentence}: choose a smaller train_dataloader.batch_size (or that of val_dataloader), or smaller images'
