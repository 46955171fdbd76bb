# CIFAR-100N: labels by people for the 20 superclasses. Recipe: that for CIFAR-100; the paper has none for these.
_base_ = 'tcl_r18_cifar100n_noisy.py'

model = dict(head=dict(num_classes=20))
data_preprocessor = dict(num_classes=20)
train_dataloader = dict(dataset=dict(label_key='noisy_coarse_label', dataset=dict(type='CIFAR100Coarse')))
val_dataloader = dict(dataset=dict(type='CIFAR100Coarse'))
test_dataloader = val_dataloader
