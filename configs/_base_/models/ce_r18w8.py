# Plain cross-entropy with the network of tcl_r18w8.py.
_base_ = 'ce_r18.py'

model = dict(
    bfloat16=False,  # so that figures of CPUs with and without it compare
    backbone=dict(base_channels=8),
    head=dict(in_channels=64),
)
