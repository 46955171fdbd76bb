# tcl_r18_webvision.py, tested on the same classes of ImageNet's validation set:
# python tools/test.py configs/tcl_r18_webvision_ilsvrc12.py work_dirs/tcl_r18_webvision/epoch_N.pth
_base_ = 'tcl_r18_webvision.py'

test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ILSVRC12',
        data_root='data/imagenet',
        synsets='data/webvision/info/synsets.txt',
        pipeline=_base_.test_pipeline,
    )
)
