_base_ = '../tcl_r18w16_fmnist6k_sym80.py'

custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='OODDetector', sigma='estimated'))]
