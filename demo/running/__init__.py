"""What `make run` is made of; `demo/run.py` puts it together.

relocate    configuration texts → the same with this copy's addresses     pure
entitled    configuration and people → who may assume what                pure
aws_side    configuration → the accounts that the AWS double plays        pure
local_people a user of the broker's own, made as an operator makes one
folder      the state folder: one run at a time, the copy, the secrets
children    the processes: start, wait until ready, notice a death, stop
"""
