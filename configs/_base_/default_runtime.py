default_scope = 'mmpretrain'
custom_imports = dict(imports=['tcl_plugin'], allow_failed_imports=False)

default_hooks = dict(
    # Reads losses off the device only when a line of the log is due.
    runtime_info=dict(type='DeferredRuntimeInfoHook'),
    # Stops a run whose numbers have gone bad, before a checkpoint holds them.
    bad_numbers=dict(type='BadNumbersHook'),
    # Validates on noisy images too, where train_dataloader.dataset.held_out keeps some back.
    held_out=dict(type='HeldOutHook'),
    # Keeps small data sets on the device.
    resident_data=dict(type='ResidentDataHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=100),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='AtomicCheckpointHook', interval=1, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    # A stopped run goes on as if it had not stopped; see docs/dependable.md.
    epoch_seed=dict(type='EpochSeedHook'),
    resume_validation=dict(type='ResumeValidationHook'),
    # Without SyncBN each process has batch statistics of its own: average them before anything is evaluated or saved.
    sync_buffers=dict(type='SyncBuffersHook', priority='ABOVE_NORMAL'),
    # How the run was made, for tools/results.py.
    run_info=dict(type='RunInfoHook'),
    visualization=dict(type='VisualizationHook', enable=False),
)

env_cfg = dict(
    cudnn_benchmark=True,  # all batches have one shape
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)

vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='UniversalVisualizer', vis_backends=vis_backends)

log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=0)
