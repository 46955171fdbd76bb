_base_ = '../tcl_r18_cifar10_sym50.py'

# Momentum and queue are our choice. Keys are not gathered as SimCLR's projections are, so that the contrast has its
# full weight.
model = dict(type='TCLMoCo', momentum=0.999, queue_size=4096, head=dict(contrast_weight=1.0))
