"""What Linux says of the processor."""

import pathlib

_CPU_INFO = pathlib.Path("/proc/cpuinfo")


def processor_fact(name: str) -> str:
    """What is known of the first core under a name such as "model name"; "" if it is not told."""
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return ""
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def processor_features() -> list[str]:
    """The processor's sets of instructions, by Linux's names; none if they are not told."""
    # x86 calls them flags, Arm features.
    return (processor_fact("flags") or processor_fact("Features")).split()
