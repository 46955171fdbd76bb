_base_ = '../tcl_digits_sym80.py'

model = dict(head=dict(entropy_weight=0.0))
