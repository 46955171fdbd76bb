_base_ = '../ce_r18_cifar10_sym50.py'

# Published, of 320 epochs: 70 of warm-up, 130 of correction; in proportion 44 and 81 of 200. Labels go as far:
# label_lr = 600 / 128 * 320 / 200.
model = dict(head=dict(type='PENCILHead', warmup_epochs=44, correction_epochs=81, label_lr=7.5))
custom_hooks = [dict(type='LabelNoiseHook'), dict(type='SampleStateHook')]
