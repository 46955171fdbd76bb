_base_ = '../../configs/variants/tclplus_digits_sym80.py'

train_dataloader = dict(dataset=dict(noise={'_delete_': True, 'type': 'SymmetricNoise', 'rate': 0.5, 'seed': 0}))
