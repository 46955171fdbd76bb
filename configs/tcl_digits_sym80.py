_base_ = [
    '_base_/models/tcl_r18w8.py',
    '_base_/datasets/tcl_digits.py',
    '_base_/schedules/small_24e.py',
    '_base_/default_runtime.py',
]

model = dict(head=dict(warmup_epochs=6))
train_dataloader = dict(dataset=dict(noise=dict(type='SymmetricNoise', rate=0.8, seed=0)))
