# Mini-ImageNet with 40 % blue noise: images of other classes.
_base_ = 'tcl_r18_miniimagenet_red40.py'

train_dataloader = dict(dataset=dict(dataset=dict(colour='blue')))
