# SPDX-License-Identifier: Apache-2.0
"""From the tokens of a transformer to one vector for each image."""

from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class TokenPooling(BaseModule):
    """Take the class token, or the mean of the patches.

    For backbones that give all tokens, such as the vision transformers of timm through ``TIMMBackbone``.
    Those of mmpretrain choose by themselves (``out_type``) and need no neck.

    Args:
        num_prefix_tokens (int): Number of tokens before those of the patches, class token and registers.
            Defaults to 1.
        pool (str): ``'cls'`` for the first token, or ``'mean'`` for the mean of the patches'. Defaults
            to ``'cls'``.
        channels_last (bool): Whether the tokens lie in a plane, shape (B, H, W, C), as those of timm's Swin
            transformers. All of them are patches, and their mean is taken, whatever the other arguments say.
            Defaults to False.
        init_cfg (dict, optional): See mmengine's ``BaseModule``. Defaults to None.

    Raises:
        ValueError: If ``pool`` is neither of the two, there is no class token to take, or the number of
            tokens before the patches is negative.

    Examples:
        >>> TokenPooling()((torch.zeros(2, 197, 192),))[0].shape
        torch.Size([2, 192])
    """

    def __init__(
        self,
        num_prefix_tokens: int = 1,
        pool: str = 'cls',
        channels_last: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        if pool not in ('cls', 'mean'):
            raise ValueError(f"pool must be 'cls' or 'mean', got {pool!r}")
        if num_prefix_tokens < (1 if pool == 'cls' else 0):
            raise ValueError(f'num_prefix_tokens={num_prefix_tokens} is too few for pool={pool!r}')
        super().__init__(init_cfg)
        self.num_prefix_tokens = num_prefix_tokens
        self.pool = pool
        self.channels_last = channels_last

    def forward(self, feats: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Pool tokens.

        Args:
            feats (tuple[Tensor, ...]): Tokens of the stages, shape (B, T, C) each, or
                (B, H, W, C) with ``channels_last``.

        Returns:
            tuple[Tensor, ...]: Shape (B, C) each.

        Raises:
            ValueError: If features have another shape, or there are no patches.
        """
        return tuple(map(self._pool, feats))

    def _pool(self, tokens: Tensor) -> Tensor:
        if self.channels_last:
            if tokens.ndim != 4:
                raise ValueError(
                    f'TokenPooling(channels_last=True) needs features of shape (B, H, W, C), got {tuple(tokens.shape)}'
                )
            return tokens.mean(dim=(1, 2))
        if tokens.ndim != 3 or tokens.shape[1] <= self.num_prefix_tokens:
            raise ValueError(
                f'TokenPooling needs features of shape (B, T, C) with more than {self.num_prefix_tokens} tokens, got '
                f'{tuple(tokens.shape)}'
            )
        return tokens[:, 0] if self.pool == 'cls' else tokens[:, self.num_prefix_tokens :].mean(dim=1)
