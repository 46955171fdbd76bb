_base_ = '../ce_digits_sym80.py'

# Published, of 320 epochs: 70 of warm-up, 130 of correction; in proportion 5 and 10 of 24. Our choice: alpha = 1
# / K, so that labels can change, and label_lr = 2 * 600 / 128, because 10 epochs are few; see docs/methods.md.
model = dict(
    head=dict(type='PENCILHead', warmup_epochs=5, correction_epochs=10, alpha=0.1, label_lr=9.375),
)
custom_hooks = [dict(type='LabelNoiseHook'), dict(type='SampleStateHook')]
