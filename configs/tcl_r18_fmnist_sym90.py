_base_ = [
    '_base_/models/tcl_r18.py',
    '_base_/datasets/tcl_fmnist.py',
    '_base_/schedules/tcl_200e.py',
    '_base_/default_runtime.py',
]

train_dataloader = dict(dataset=dict(noise=dict(type='SymmetricNoise', rate=0.9, seed=0)))
