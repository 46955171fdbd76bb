_base_ = [
    '_base_/models/ce_r18_narrow.py',
    '_base_/datasets/digits.py',
    '_base_/schedules/small_40e.py',
    '_base_/default_runtime.py',
]

train_dataloader = dict(dataset=dict(noise=dict(type='SymmetricNoise', rate=0.5, seed=0)))
