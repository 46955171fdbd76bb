_base_ = '../../configs/tcl_digits_sym80.py'

train_dataloader = dict(dataset=dict(noise={'_delete_': True, 'type': 'SymmetricNoise', 'rate': 0.2, 'seed': 0}))
