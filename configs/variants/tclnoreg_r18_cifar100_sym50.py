_base_ = '../tcl_r18_cifar100_sym50.py'

model = dict(head=dict(entropy_weight=0.0))
