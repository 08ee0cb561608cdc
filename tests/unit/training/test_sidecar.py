import json
import subprocess
import sys

import pytest

from iqadistill.errors import InputError
from iqadistill.training.sidecar import Cost, Sidecar

FACTS = {
    "kind": "student",
    "variant": {"train_dataset": "toy", "student": "tiny", "keep": 1.0, "split": 0},
    "settings": {"model": "adtrs", "flips": ["horizontal"]},
    "size": 64,
    "sampler": {"method": "random_crops", "count": 4},
    "teachers": {"nar": "teacher"},
    "seed": 3,
    "scale": {"column": "mos", "worst": 1.0, "best": 5.0, "source": ""},
    "cost": Cost(parameters=7, flops=9),
}


@pytest.fixture
def sidecar_and_file(tmp_path):
    """A sidecar and its file."""
    (tmp_path / "table.parquet").write_bytes(b"table")
    sidecar = Sidecar.record([tmp_path / "table.parquet"], **FACTS)
    sidecar.write(tmp_path / "0.json")
    return sidecar, tmp_path / "0.json"


def test_written_sidecar_is_read_back(sidecar_and_file):
    sidecar, file = sidecar_and_file
    read = Sidecar.read(file)
    assert read == sidecar
    assert isinstance(read.variant["keep"], float) and isinstance(read.variant["split"], int)
    assert list(map(len, read.inputs.values())) == [64] and read.versions["torch"] and read.cost.max_vram is None


def test_damaged_sidecar_is_refused(sidecar_and_file):
    _, file = sidecar_and_file
    facts = json.loads(file.read_text())

    def error_message(text):
        file.write_text(text)
        with pytest.raises(InputError) as error:
            Sidecar.read(file)
        return str(error.value)

    assert "0.json: " in error_message('{"variant": ')
    for version in (1, None, 3):
        assert f"0.json: sidecar version {version}" in error_message(json.dumps({**facts, "version": version}))
    assert "0.json: " in error_message("{}") and "0.json: " in error_message("[]")
    assert "0.json: seed" in error_message(json.dumps({key: facts[key] for key in facts if key != "seed"}))
    file.unlink()
    with pytest.raises(InputError, match=r"0\.json: "):
        Sidecar.read(file)


@pytest.mark.slow
def test_sidecar_does_not_import_torch():
    loaded = "import sys, iqadistill.training.sidecar; print({'torch', 'timm', 'scipy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True).stdout == "set()\n"
