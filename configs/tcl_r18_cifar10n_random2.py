# CIFAR-10N: labels by people, another set.
_base_ = 'tcl_r18_cifar10n_random1.py'

train_dataloader = dict(dataset=dict(label_key='random_label2'))
