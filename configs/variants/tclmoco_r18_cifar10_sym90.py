_base_ = '../tcl_r18_cifar10_sym90.py'

model = dict(type='TCLMoCo', momentum=0.999, queue_size=4096)  # our choice
