_base_ = '../tcl_r18w16_fmnist6k_sym80.py'

# No noise handling: the given labels are the targets to the end, beside the contrast. The paper does not say what its
# baseline is; this is our choice.
model = dict(head=dict(warmup_epochs=60, entropy_weight=0.0, align_cls_weight=0.0, align_proto_weight=0.0))
