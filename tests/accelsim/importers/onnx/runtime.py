"""onnxruntime as an oracle."""

from collections.abc import Mapping

import onnxruntime


def session(
    model: str | bytes, options: Mapping[str, str] | None = None
) -> onnxruntime.InferenceSession:
    """A session of a file or of its bytes, in one thread and without a word."""
    chosen = onnxruntime.SessionOptions()
    chosen.intra_op_num_threads = 1
    chosen.log_severity_level = 4
    for key, value in (options or {}).items():
        chosen.add_session_config_entry(key, value)
    return onnxruntime.InferenceSession(model, chosen)
