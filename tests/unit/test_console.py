import subprocess
import sys

import pytest

from iqadistill.console import progress


def run(tmp_path, body):
    """The finished process that ran `body` inside `job_log`, and the text of the log."""
    imports = "import os\nfrom iqadistill.console import job_log\nfrom iqadistill.errors import InputError\n"
    code = f"{imports}with job_log('job.log'):\n    {body}\n"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    return done, (tmp_path / "job.log").read_text()


@pytest.mark.slow
def test_job_log_captures_output_of_native_code(tmp_path):
    done, log = run(tmp_path, "os.write(1, b'native'); print('python')")
    assert done.returncode == 0 and "native" in log and "python" in log and not done.stdout


@pytest.mark.slow
def test_input_error_is_logged_without_traceback(tmp_path):
    done, log = run(tmp_path, "raise InputError('images.csv: row 3 has no score; give one.')")
    assert done.returncode == 1
    assert log == "error: images.csv: row 3 has no score; give one.\n"


@pytest.mark.slow
def test_other_errors_keep_their_traceback(tmp_path):
    done, log = run(tmp_path, "raise KeyError('x')")
    assert done.returncode == 1 and "Traceback" in log + done.stderr


@pytest.mark.parametrize("count", [1, 7, 1000])
def test_progress_yields_all_items_and_prints_few_lines(capsys, count):
    assert list(progress(range(count), "embedding")) == list(range(count))
    lines = capsys.readouterr().err.splitlines()
    assert 1 <= len(lines) <= 11 and lines[-1].startswith(f"embedding: {count}/{count}") and "\r" not in "".join(lines)
