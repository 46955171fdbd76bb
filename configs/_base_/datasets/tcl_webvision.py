# mini-WebVision in three views.
_base_ = 'webvision.py'

train_dataloader = dict(dataset=dict(dataset=dict(pipeline=_base_.three_views)))
