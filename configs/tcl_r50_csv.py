# Your own table of paths and labels: python tools/train.py configs/tcl_r50_csv.py --cfg-options data_root=PATH
# reads train.csv in that folder, and val.csv and test.csv where they are there; auto_setup.train=FILE names another.
# All else is as in tcl_r50_folder.py.
_base_ = 'tcl_r50_folder.py'

auto_setup = dict(type='TableSetup')
