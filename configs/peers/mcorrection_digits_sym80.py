_base_ = '../ce_digits_sym80.py'

# Published: mixup alone for 105 of 300 epochs; in proportion 8 of 24.
model = dict(type='MCorrection', mixup_alpha=32.0, head=dict(type='MCorrectionHead', warmup_epochs=8))
custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='BetaMixtureDetector'))]
