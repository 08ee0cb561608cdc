"""Results of shared stages by the names of their entries: path segments are names with a short digest."""

from pathlib import Path

_DIGEST = "-" + "[0-9a-f]" * 8


def shared_results(folder: Path, rule: str, *names: str, suffix: str = ".parquet") -> list[Path]:
    """Files of a rule for these entries; "*" stands for any."""
    return sorted((folder / "results" / rule).glob("/".join(name + _DIGEST for name in names) + suffix))


def shared_result(folder: Path, rule: str, *names: str, suffix: str = ".parquet") -> Path:
    """The only such file."""
    (file,) = shared_results(folder, rule, *names, suffix=suffix)
    return file
