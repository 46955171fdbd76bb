_base_ = '../ce_r18_cifar100_sym50.py'

model = dict(type='MixupClassifier', mixup_alpha=1.0)
