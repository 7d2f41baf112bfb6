"""What holds for every model that comes with Penstock."""

import subprocess
import sys
from pathlib import Path

import pytest

import models
from shared.model import read_schema, read_schemas

FOLDER = Path(models.__file__).parent
NAMES = ["wait", "digits", "ocr"]
HEAVY = {"numpy", "PIL", "cv2", "onnxruntime", "rapidocr_onnxruntime", "sklearn", "scipy", "joblib"}


def test_their_limits():
    schemas = read_schemas(FOLDER / name for name in NAMES)
    limits = {name: (schema.max_batch, schema.load_in) for name, schema in schemas.items()}
    assert limits == {"wait": (1, "parent"), "digits": (256, "parent"), "ocr": (1, "child")}


@pytest.mark.parametrize("name", NAMES)
def test_the_example_is_a_valid_input_and_the_description_one_line(name):
    schema = read_schema(FOLDER / name)
    assert schema.input.model_validate(schema.example())
    assert schema.description
    assert "\n" not in schema.description


@pytest.mark.parametrize("name", NAMES)
def test_inputs_and_outputs_are_closed_and_frozen(name):
    schema = read_schema(FOLDER / name)
    for data_class in (schema.input, schema.output):
        config = data_class.model_config
        assert (config.get("extra"), config.get("allow_inf_nan"), config.get("frozen")) == ("forbid", False, True)
    for field, description in schema.input.model_json_schema()["properties"].items():
        assert description.get("description"), field


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_imports_nothing_heavy(name):
    code = f"import models.{name}.schema, sys; print(*{{n.partition('.')[0] for n in sys.modules}})"
    done = subprocess.run(  # noqa: PLW1510 (the assertion below shows what it wrote)
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=FOLDER.parent, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert not HEAVY & set(done.stdout.split())
