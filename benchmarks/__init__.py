"""Speed against peers, measured in turn on one machine: see README.md."""
