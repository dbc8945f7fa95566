"""The engine on JAX: one compiled program that runs many steps, with data on the device."""
