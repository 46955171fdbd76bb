_base_ = '../tcl_r18w16_fmnist6k_sym80.py'

model = dict(head=dict(entropy_weight=0.0))
