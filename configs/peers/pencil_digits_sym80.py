_base_ = '../ce_digits_sym80.py'

# Published, of 320 epochs: 70 of warm-up, 130 of correction; in proportion 5 and 10 of 24. Labels go as far:
# label_lr = 600 / 128 * 320 / 24.
model = dict(head=dict(type='PENCILHead', warmup_epochs=5, correction_epochs=10, label_lr=62.5))
custom_hooks = [dict(type='LabelNoiseHook'), dict(type='SampleStateHook')]
