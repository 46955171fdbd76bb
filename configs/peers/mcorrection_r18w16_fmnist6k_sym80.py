_base_ = '../ce_r18w16_fmnist6k_sym80.py'

# Published: mixup alone for 105 of 300 epochs; in proportion 21 of 60.
model = dict(type='MCorrection', mixup_alpha=32.0, head=dict(type='MCorrectionHead', warmup_epochs=21))
custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='BetaMixtureDetector'))]
