_base_ = 'tcl_r18w16_fmnist6k_sym80.py'

train_dataloader = dict(
    dataset=dict(noise=dict(_delete_=True, type='AsymmetricNoise', rate=0.4, seed=0, mapping='fashion_mnist'))
)
