_base_ = '../ce_digits_sym80.py'

model = dict(type='MixupClassifier', mixup_alpha=1.0)
