_base_ = '../tcl_r18_cifar10_asym40.py'

model = dict(head=dict(align_cls_weight=0.0, align_proto_weight=0.0))
