"""Speed against peers, measured in turn on one machine: see README.md."""

from training.engine.interruption import end_program_on_ctrl_c

end_program_on_ctrl_c()  # which needs no TensorFlow
