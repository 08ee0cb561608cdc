import pytest

from iqadistill.errors import InputError
from iqadistill.yaml_file import read_yaml

REFUSED = {
    "a: 1\nb: 2\na: 3\n": "line 3: the key a is given twice (first in line 1)",
    "a:\n  b:\n    c: 1\n    c: 2\n": "line 4: the key c is given twice (first in line 3)",
    "a: [{b: 1, b: 2}]\n": "line 1: the key b",
    "x: &x {a: 1}\ny:\n  <<: *x\n  <<: *x\n": "line 4: the key << is given twice",
    '{"a": 1, "a": 2}': "the key a is given twice",
    "datasets:\n  no: {}\n": "line 2: YAML does not read the key no as text",
    "2024-01-01: {}\n": "does not read the key 2024-01-01",
    "? [a, b]\n: 1\n": "does not read a key as text",
    "seed: 010\n": "line 1: YAML reads 010 as another number",
    "seed: 1:30\n": "line 1: YAML reads 1:30 as another number",
    "a: 1\n---\nb: 2\n": "not a valid YAML file",
    "a:\n\tb: 1\n": "not a valid YAML file",
    "a: !!python/object/apply:os.system [true]\n": "not a valid YAML file",
    "a: 2024-02-31\n": "not a valid YAML file",
    "a: &a [*a]\n": "go too deep, or an alias holds itself",
    "__use_yte__: true\na: ?1\n": "the key __use_yte__ makes Snakemake run code in the file",
    "{__use_yte__: false}": "the key __use_yte__ makes Snakemake run code in the file",
    "[" * 20000: "go too deep",
    "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))]): "aliases",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:20])
def test_refused_with_line(tmp_path, text):
    file = tmp_path / "study.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as refused:
        read_yaml(file)
    assert REFUSED[text] in str(refused.value) and str(file) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_other_encodings(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 1e-4\r\n")
    assert read_yaml(file) == {"a": 1, "b": "1e-4"}
    file.write_text("a: 1", encoding="utf-16")
    with pytest.raises(InputError, match="not text in UTF-8"):
        read_yaml(file)
    with pytest.raises(InputError, match="cannot be read"):
        read_yaml(tmp_path)


def test_merge_may_be_overridden(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text("x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  a: 3\n")
    assert read_yaml(file)["y"] == {"a": 3, "b": 2}
