# SPDX-License-Identifier: Apache-2.0
"""Counts how often the host would wait for the device, without a device."""

import weakref

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# What needs values of its inputs on the host: item(), truth values, and shapes that depend on values.
ASKING = ('_local_scalar_dense', 'nonzero', 'masked_select', 'equal', 'is_nonzero', 'unique', '_unique2', 'bincount')


class HostWaits(TorchDispatchMode):
    """Follows tensors through all operations, and notes those that ask for values on the way.

    Whatever is computed from a given tensor counts as being on the device too. What a host draws, computes and moves
    there may be asked as one likes.

    Args:
        *tensors (torch.Tensor): Those that are on the device to begin with.
    """

    def __init__(self, *tensors: torch.Tensor) -> None:
        super().__init__()
        self.found: list[str] = []
        self._on_device: dict[int, weakref.ref] = {}
        for tensor in tensors:
            self._mark(tensor)

    def _mark(self, tensor: torch.Tensor) -> None:
        self._on_device[id(tensor)] = weakref.ref(tensor)

    def _is_marked(self, tensor: torch.Tensor) -> bool:
        known = self._on_device.get(id(tensor))
        return known is not None and known() is tensor

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        inputs = [leaf for leaf in tree_leaves((args, kwargs or {})) if isinstance(leaf, torch.Tensor)]
        marked = [self._is_marked(tensor) for tensor in inputs]
        name = func.overloadpacket.__name__
        # Choosing by a mask makes a shape that depends on values.
        by_mask = name in ('index', 'index_put', 'index_put_') and any(
            mark and tensor.dtype == torch.bool for mark, tensor in list(zip(marked, inputs, strict=True))[1:]
        )
        if any(marked) and (name in ASKING or by_mask):
            self.found.append(name)
        out = func(*args, **(kwargs or {}))
        if any(marked):
            for leaf in tree_leaves(out):
                if isinstance(leaf, torch.Tensor):
                    self._mark(leaf)
        return out
