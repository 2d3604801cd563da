"""Articles become a generation: read, clean, cut, encode, commit."""

import sys

# OpenVINO would write to the home folder whenever it is imported, and report its use to its makers over the
# network. What it tells instead is nothing, where this package is not to be had.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
