"""What the programs share that train many models side by side."""
