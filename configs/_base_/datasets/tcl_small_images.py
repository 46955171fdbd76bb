# Small image files of one size, in three views that are cut on the device; see docs/performance.md. Images are BGR, as
# mmpretrain loads them, until the data preprocessor turns them into RGB, before it cuts views.
strong_colours = [
    dict(type='BatchColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, prob=0.8),
    dict(type='BatchRandomGrayscale', prob=0.2),
    dict(type='BatchRandomSolarize', threshold=128, prob=0.5),
]
# ImageNet's mean and deviation.
data_preprocessor = dict(
    type='BatchViewDataPreprocessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
    channels_last=True,
)
val_evaluator = dict(type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
