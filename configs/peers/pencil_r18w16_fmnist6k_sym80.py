_base_ = '../ce_r18w16_fmnist6k_sym80.py'

# Published, of 320 epochs: 70 of warm-up, 130 of correction; in proportion 13 and 24 of 60. Our choice: alpha = 1
# / K, so that labels can change, and label_lr = 600 / 128; see docs/methods.md.
model = dict(
    head=dict(type='PENCILHead', warmup_epochs=13, correction_epochs=24, alpha=0.1, label_lr=4.6875),
)
custom_hooks = [dict(type='LabelNoiseHook', interval=5), dict(type='SampleStateHook')]
