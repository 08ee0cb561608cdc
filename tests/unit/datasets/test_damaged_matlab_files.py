"""A MATLAB file on which SciPy's compiled reader crashes ends no job: it is refused in one sentence."""

import errno
import os
import signal

import numpy as np
import pytest
from scipy.io import savemat

from iqadistill.datasets.labels import label_files
from iqadistill.errors import InputError


def crash(file, name):
    os.kill(os.getpid(), signal.SIGSEGV)


def test_crash_of_the_reader_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(label_files, "load_variable", crash)
    savemat(tmp_path / "labels.mat", {"mos": np.arange(3.0)})
    with pytest.raises(InputError, match=r"labels\.mat: is damaged, reading it crashed; get it again\."):
        label_files.read_variable(tmp_path / "labels.mat", "mos")


def test_variable_comes_from_the_reader_as_the_file_has_it(tmp_path):
    names = np.array(["a.png", "I01.BMP"], dtype=object)
    savemat(tmp_path / "labels.mat", {"mos": np.array([[1.5], [2.0]]), "names": names})
    assert label_files.read_variable(tmp_path / "labels.mat", "mos").tolist() == [1.5, 2.0]
    assert label_files.read_variable(tmp_path / "labels.mat", "names").tolist() == ["a.png", "I01.BMP"]
    with pytest.raises(InputError, match=r"has no variable dmos but \['mos', 'names'\]"):
        label_files.read_variable(tmp_path / "labels.mat", "dmos")


def test_variable_too_large_for_labels_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("iqadistill.datasets.labels.matlab_variable.MOST_VALUES", 5)
    savemat(tmp_path / "labels.mat", {"mos": np.arange(6.0)})
    with pytest.raises(InputError, match="a variable has the shape"):
        label_files.read_variable(tmp_path / "labels.mat", "mos")


def test_file_too_large_for_labels_is_named_once(tmp_path, monkeypatch):
    savemat(tmp_path / "labels.mat", {"mos": np.arange(6.0)})
    monkeypatch.setattr(label_files, "LARGEST", 10)
    with pytest.raises(InputError) as caught:
        label_files.read_variable(tmp_path / "labels.mat", "mos")
    assert str(caught.value).count("labels.mat") == 1 and "too many for a label file" in str(caught.value)


def test_machine_without_shared_locks_is_not_called_a_damaged_file(tmp_path, monkeypatch):
    def refuse(*arguments, **settings):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    savemat(tmp_path / "labels.mat", {"mos": np.arange(3.0)})
    monkeypatch.setattr("multiprocessing.synchronize.SemLock.__init__", refuse)
    with pytest.raises(InputError, match=r"labels\.mat: cannot be read, .* make /dev/shm writable, and run again\.$"):
        label_files.read_variable(tmp_path / "labels.mat", "mos")
