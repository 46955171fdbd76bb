_base_ = '../ce_r18_cifar10_sym50.py'

# Published: mixup alone for 105 of 300 epochs; in proportion 70 of 200.
model = dict(type='MCorrection', mixup_alpha=32.0, head=dict(type='MCorrectionHead', warmup_epochs=70))
custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='BetaMixtureDetector'))]
