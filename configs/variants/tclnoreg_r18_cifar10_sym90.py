_base_ = '../tcl_r18_cifar10_sym90.py'

model = dict(head=dict(entropy_weight=0.0))
