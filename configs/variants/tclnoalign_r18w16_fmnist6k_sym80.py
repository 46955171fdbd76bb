_base_ = '../tcl_r18w16_fmnist6k_sym80.py'

model = dict(head=dict(align_cls_weight=0.0, align_proto_weight=0.0))
