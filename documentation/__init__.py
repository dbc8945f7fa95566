"""Programs that make the drawings, tables and site of docs/ from the code."""

from training.engine.interruption import end_program_on_ctrl_c

end_program_on_ctrl_c()  # which needs no TensorFlow
