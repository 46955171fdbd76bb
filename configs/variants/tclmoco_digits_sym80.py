_base_ = '../tcl_digits_sym80.py'

# Few iterations: a faster momentum encoder and a shorter queue than MoCo's. Our choice.
model = dict(type='TCLMoCo', momentum=0.99, queue_size=1024)
