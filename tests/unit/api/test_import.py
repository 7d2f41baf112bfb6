"""What importing the API costs, in a process of its own."""

import subprocess
import sys

import pytest

HEAVY = {"numpy", "sklearn", "onnxruntime", "PIL", "cv2", "torch", "rapidocr_onnxruntime"}


@pytest.mark.parametrize(
    "code",
    [
        "import api.__main__",
        "import api.__main__ as main; main.read_schemas(main.load_settings().models)",
    ],
    ids=["api", "api with the shipped models' schemas"],
)
def test_no_model_library_is_imported(code: str) -> None:
    asked = f"{code}; import sys; print(*sorted(set(sys.modules) & {HEAVY!r}))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
