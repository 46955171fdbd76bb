# Clothing1M in three views.
_base_ = 'clothing1m.py'

train_dataloader = dict(dataset=dict(dataset=dict(pipeline=_base_.three_views)))
