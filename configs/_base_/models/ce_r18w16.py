# Cross-entropy with a quarter of the paper's width, for small images on a CPU.
_base_ = 'ce_r18.py'

model = dict(
    bfloat16=False,  # so that figures of CPUs with and without it compare
    backbone=dict(base_channels=16),
    head=dict(in_channels=128),
)
