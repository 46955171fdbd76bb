_base_ = 'elr_r18w16_fmnist6k_sym80.py'

# beta and lam are the published ones for CIFAR-10 under asymmetric noise.
model = dict(head=dict(beta=0.9, lam=1.0))
train_dataloader = dict(
    dataset=dict(noise=dict(_delete_=True, type='AsymmetricNoise', rate=0.4, seed=0, mapping='fashion_mnist'))
)
