# The published schedule: lr 0.03 for each 256 images of the global batch, that is 0.12 on 4 GPUs of 256. It scales
# with the batch by itself (and with --auto-scale-lr), so that 1 GPU trains with 0.03.
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.12, momentum=0.9, weight_decay=1e-3, fused=True))
auto_scale_lr = dict(base_batch_size=1024, enable=True)

# Epoch e, counted from 1: lr e/20 of the peak up to the 20th, then a cosine whose period is all 200 epochs, not the
# 180 that are left. It therefore ends at 0.0041 rather than at its minimum, 0.0012.
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=True, begin=0, end=20),
    dict(type='CosineAnnealingLR', T_max=200, eta_min_ratio=0.01, by_epoch=True, begin=19, end=200),
]

train_cfg = dict(by_epoch=True, max_epochs=200, val_interval=1)
val_cfg = dict()
test_cfg = dict()

# Batch statistics over all GPUs, as published.
sync_bn = 'torch'
