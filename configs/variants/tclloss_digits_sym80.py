_base_ = '../tcl_digits_sym80.py'

custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='SmallLossDetector'))]
