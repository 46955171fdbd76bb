_base_ = '../tcl_r18w16_fmnist6k_sym80.py'

# Few iterations: a faster momentum encoder and a shorter queue than MoCo's. Our choice.
model = dict(type='TCLMoCo', momentum=0.995, queue_size=2048)
