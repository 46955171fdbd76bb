_base_ = '../tcl_r18_cifar100_sym50.py'

model = dict(head=dict(align_cls_weight=0.0, align_proto_weight=0.0))
