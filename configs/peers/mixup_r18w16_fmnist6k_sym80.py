_base_ = '../ce_r18w16_fmnist6k_sym80.py'

model = dict(type='MixupClassifier', mixup_alpha=1.0)
