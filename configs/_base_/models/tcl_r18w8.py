# TCL with an eighth of the paper's width, for tiny images on a CPU.
_base_ = 'tcl_r18.py'

model = dict(
    bfloat16=False,  # so that figures of CPUs with and without it compare
    backbone=dict(base_channels=8),
    head=dict(in_channels=64),
)
