# SPDX-License-Identifier: Apache-2.0
"""The hook that never leaves a run without a checkpoint that loads."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.dist import all_reduce_params, is_distributed, is_main_process
from mmengine.fileio import LocalBackend, get_file_backend, register_backend
from mmengine.hooks import CheckpointHook, EMAHook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from ..atomic import replacing, write_text
from ..checkpoints import RECORD

BACKEND = 'atomic_local'


class AtomicLocalBackend(LocalBackend):
    """Local files that are written beside their place, see :func:`tcl_plugin.atomic.beside`."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes.

        Args:
            obj (bytes): The content.
            filepath (str | Path): The file; its folder is made where missing.
        """
        Path(filepath).parent.mkdir(parents=True, exist_ok=True)
        with replacing(filepath, 'wb') as file:
            file.write(obj)


register_backend(BACKEND, AtomicLocalBackend, force=True)


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """Save checkpoints so that, whenever the process is killed, there is one that loads.

    mmengine's ``CheckpointHook`` (whose arguments it takes) deletes an outdated checkpoint before it
    writes the next one, and writes into the file itself. With ``max_keep_ckpts=1``, or where the
    best checkpoint is renewed, nothing whole is left for as long as that takes. Here the new file is
    written beside its place, flushed to the disk and renamed; then ``last_checkpoint`` is replaced in
    the same way; and then outdated checkpoints go.

    With several processes, the batch statistics that ``EMAHook`` has are made those of all at the end of an epoch,
    before they are saved: ``SyncBuffersHook`` averages those of the model alone. Checkpoints by iterations have those
    of one process, of model and average alike.

    Checkpoints on other storage than local files are written as mmengine's backend writes them.
    """

    backend_args: dict | None
    file_backend: Any

    def before_train(self, runner: Runner) -> None:
        """Choose how files are written."""
        folder = self.out_dir or runner.work_dir
        plain = self.backend_args is None and self.file_client_args is None
        if plain and type(get_file_backend(folder)) is LocalBackend:
            self.backend_args = dict(backend=BACKEND)
        super().before_train(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Save a checkpoint, if it is time."""
        if is_distributed():
            for hook in runner.hooks:
                if isinstance(hook, EMAHook):
                    _share_buffers(hook)
        super().after_train_epoch(runner)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        outdated = self._turn_over(runner, step)
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            write_text(os.path.join(runner.work_dir, RECORD), self.last_ckpt)
            self._remove(outdated)

    def _turn_over(self, runner: Runner, step: int) -> list[str]:
        """Note that a checkpoint is kept, and return those that no longer are."""
        if self.max_keep_ckpts <= 0:
            return []
        kept = [number for number in self.keep_ckpt_ids if number != step] + [step]
        self.keep_ckpt_ids.clear()
        self.keep_ckpt_ids.extend(kept[-self.max_keep_ckpts :])
        runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        gone = kept[: -self.max_keep_ckpts]
        return [self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(number)) for number in gone]

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        # A validation alone has not told the hook where it writes.
        if self.save_best is not None:
            with self._removing_afterwards():
                super()._save_best_checkpoint(runner, metrics)

    @contextlib.contextmanager
    def _removing_afterwards(self) -> Iterator[None]:
        """Let everything be written inside the block before anything is removed."""
        backend = self.file_backend
        self.file_backend = _Hesitant(backend)
        try:
            yield
            unwanted = self.file_backend.unwanted
        finally:
            self.file_backend = backend
        # A best checkpoint may have the name of the former one.
        new = {getattr(self, 'best_ckpt_path', None), *getattr(self, 'best_ckpt_path_dict', {}).values()}
        # A run that branched off another one knows that one's best by its path.
        own = os.path.abspath(self.out_dir)
        self._remove([p for p in unwanted if p not in new and os.path.dirname(os.path.abspath(p)) == own])

    def _remove(self, paths: list[str]) -> None:
        for path in paths:
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)
            elif self.file_backend.isdir(path):
                # DeepSpeed saves folders.
                self.file_backend.rmtree(path)


def _share_buffers(hook: EMAHook) -> None:
    """Give the averaged model the same buffers in all processes."""
    average = hook.ema_model
    if average.update_buffers:
        all_reduce_params(average.module.buffers(), op='mean')
        return
    # As EMAHook does in each step; those of the model have been averaged over the processes since.
    for buffer, source in zip(average.module.buffers(), hook.src_model.buffers(), strict=True):
        buffer.copy_(source)


class _Hesitant:
    """A storage backend that notes what it should remove.

    Args:
        backend (BaseStorageBackend): The backend.
    """

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.unwanted: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        """Note a file."""
        self.unwanted.append(path)

    rmtree = remove
