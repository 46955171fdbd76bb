_base_ = '../ce_r18_cifar100_sym50.py'

# Published, of 320 epochs: 70 of warm-up, 130 of correction; in proportion 44 and 81 of 200. Our choice: alpha =
# 1 / K, so that labels can change, and label_lr = 600 / 128 * 10; see docs/methods.md.
model = dict(
    head=dict(type='PENCILHead', warmup_epochs=44, correction_epochs=81, alpha=0.01, label_lr=46.875),
)
custom_hooks = [dict(type='LabelNoiseHook'), dict(type='SampleStateHook')]
