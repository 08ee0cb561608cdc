"""The command `iqadistill choose`."""

import argparse
import csv
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_results import write_image

from iqadistill.choosing import CHOOSERS
from iqadistill.cli import choose, main
from iqadistill.embedding_blocks import EmbeddingFile, HeldEmbeddings
from iqadistill.encoders.backends.timm import TimmSettings
from iqadistill.encoders.encoder import Encoder
from iqadistill.errors import InputError
from iqadistill.images.decoding import read_image
from iqadistill.tables import embeddings_table, write_table

TINY = TimmSettings(model="test_resnet", weights="none", pooling="stages", size=64)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Working folder with a folder of six images, embedded by a tiny network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(choose, "encoder_settings", lambda name: TINY)
    for number in range(3):
        write_image(tmp_path / f"photos/{number}.png", seed=number)
        image = Image.fromarray(read_image(tmp_path / f"photos/{number}.png"))
        (tmp_path / "photos/blurred").mkdir(exist_ok=True)
        image.resize((20, 15)).resize((160, 120)).save(tmp_path / f"photos/blurred/{number}.png")
    return tmp_path


NAMES = {f"{where}{number}.png" for where in ("", "blurred/") for number in range(3)}


def run(*arguments):
    """Exit status, and images in the order of the written CSV file."""
    status = main(["choose", "photos", *map(str, arguments), "--device", "cpu"])
    with open("chosen.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["image", "rank"]
    assert [int(row["rank"]) for row in rows] == list(range(1, len(rows) + 1))
    return status, [row["image"] for row in rows]


def parsed(*arguments):
    """Arguments of the command as its function takes them."""
    parser = argparse.ArgumentParser()
    choose.add_parser(parser.add_subparsers())
    return parser.parse_args(["choose", "photos", *arguments, "--device", "cpu"])


def error_line(capsys, *arguments):
    """The single line of the error message when nothing is chosen."""
    assert main(["choose", *map(str, arguments), "--device", "cpu"]) == 2
    assert not [file for file in ("chosen.csv",) if (choose.Path(file)).is_file()]
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    return lines[-1]


@pytest.mark.parametrize("method", ["facility", "v_optimal", "lcmd"])
def test_sharp_and_blurred_images_are_both_chosen(capsys, method):
    status, images = run("--count", 2, "--method", method)
    assert status == 0 and len({image.startswith("blurred/") for image in images}) == 2
    assert "chosen.csv: 2 of 6 images" in capsys.readouterr().out


def test_rated_images_are_not_chosen_and_count_as_covered(folder):
    (folder / "rated.csv").write_text("image,mos\nblurred\\1.png,20\n")
    _, images = run("--count", 1, "--rated", "rated.csv")
    assert not images[0].startswith("blurred/")
    _, images = run("--count", 5, "--rated", "rated.csv")
    assert set(images) == NAMES - {"blurred/1.png"}


def test_images_with_odd_names_are_known_as_rated(folder):
    for number, name in enumerate([" 0.png", "1\\.png", "\n2.png"]):
        (folder / f"photos/{number}.png").rename(folder / "photos" / name)
    run("--count", 6)
    (folder / "chosen.csv").rename(folder / "rated.csv")
    write_image(folder / "photos/new.png", seed=9)
    assert run("--count", 1, "--rated", "rated.csv") == (0, ["new.png"])


def test_contents_are_taken_out_of_the_embeddings(folder, monkeypatch):
    seen = {}
    monkeypatch.setattr("iqadistill.choosing.choose.choose_images", lambda *_, **given: seen.update(given) or [0])
    (folder / "contents.csv").write_text(
        "image,content\n0.png,a\nblurred/0.png,A.png\n1.png,b\nblurred/1.png,b\n2.png,\n"
    )
    run("--count", 1, "--contents", "contents.csv")
    assert list(seen["contents"]) == [0, 1, -1, 0, 1, -1]


def test_choice_depends_on_seed_and_is_written_where_asked(folder):
    first = run("--count", 6, "--method", "random")[1]
    second = run("--count", 6, "--method", "random", "--seed", 1)[1]
    assert first != second and set(first) == set(second) == NAMES
    main(["choose", "photos", "--count", "2", "--out", "out/some.csv", "--device", "cpu"])
    assert (folder / "out/some.csv").read_text().startswith('"image","rank"\n')


def test_unreadable_images_are_named_and_others_chosen(capsys, folder):
    (folder / "photos/broken.png").write_bytes(b"not an image")
    (folder / "photos/cut.png").write_bytes((folder / "photos/0.png").read_bytes()[:2000])
    status, images = run("--count", 6)
    assert status == 1 and set(images) == NAMES
    failures = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert [name in line for name, line in zip(("broken.png", "cut.png"), failures, strict=True)] == [True, True]
    assert "holds 6 readable images" in _too_many(capsys)


def _too_many(capsys):
    choose.Path("chosen.csv").unlink()
    return error_line(capsys, "photos", "--count", 7)


def test_embeddings_are_kept_and_only_new_images_are_embedded(folder, monkeypatch):
    embedded = []
    embed = Encoder.embed
    monkeypatch.setattr(Encoder, "embed", lambda self, batch: embedded.append(len(batch)) or embed(self, batch))

    def choose_again(*arguments):
        embedded.clear()
        images = run("--count", 6, "--embeddings", "kept", *arguments)[1]
        return images, len(embedded) - 1  # one call measures the width

    first, count = choose_again()
    assert count == 6 and first == run("--count", 6)[1]
    assert choose_again() == (first, 0)
    assert choose_again("--seed", 1)[1] == 0
    write_image(folder / "photos/1.png", seed=9)
    assert choose_again()[1] == 1


def test_what_was_embedded_before_an_interruption_is_kept(monkeypatch):
    embed, calls = Encoder.embed, []

    def interrupted(self, batch):
        calls.append(batch)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return embed(self, batch)

    monkeypatch.setattr(Encoder, "embed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        choose.run(parsed("--count", "6", "--embeddings", "kept"))
    calls[:] = [None] * 5
    run("--count", 6, "--embeddings", "kept")
    assert len(calls) - 6 == 6 - 3


def test_invalid_arguments_are_refused(capsys, folder):
    assert "nowhere: not a folder" in error_line(capsys, "nowhere", "--count", 2)
    assert "holds no image" in error_line(capsys, (folder / "empty").mkdir() or "empty", "--count", 2)
    assert "--count 0: expected 1 or more" in error_line(capsys, "photos", "--count", 0)
    assert "--seed -1: expected 0 or more" in error_line(capsys, "photos", "--count", 2, "--seed", -1)
    assert "--count 7: photos holds 6" in error_line(capsys, "photos", "--count", 7)
    assert "--embeddings photos/0.png: is a file" in error_line(
        capsys, "photos", "--count", 2, "--embeddings", "photos/0.png"
    )
    assert "--out empty: is a folder" in error_line(capsys, "photos", "--count", 2, "--out", "empty")
    (folder / "r.csv").touch()
    assert "r.csv: is a file that is read" in error_line(
        capsys, "photos", "--count", 2, "--rated", "r.csv", "--out", "r.csv"
    )


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("--rated", "image\n0.png\n9.png\n", "file.csv row 3: image '9.png' is not in the folder"),
        ("--rated", "name\n0.png\n", "file.csv: has no column 'image' but ['name']"),
        ("--rated", "image\n", "file.csv: lists no image"),
        ("--contents", "image\n0.png\n", "file.csv: has no column 'content' but ['image']"),
        ("--contents", "image,content\n0.jpg,a\n", "file.csv row 2: image '0.jpg' is not in the folder"),
        ("--contents", "image,content\n0.png,a\n0.png,b\n", "file.csv row 3: image '0.png' has two contents"),
    ],
)
def test_invalid_tables_are_refused(capsys, folder, option, text, message):
    (folder / "file.csv").write_text(text)
    assert message in error_line(capsys, "photos", "--count", 2, option, "file.csv")


@pytest.mark.parametrize("option", ["--rated", "--contents"])
def test_missing_tables_are_refused(capsys, option):
    assert "none.csv: no such file" in error_line(capsys, "photos", "--count", 2, option, "none.csv")


def test_default_encoder_needs_no_download(monkeypatch):
    monkeypatch.undo()
    settings = choose.encoder_settings(choose.PACKAGED)
    assert settings.weights == "packaged" and settings.pooling == "stages"
    assert choose.encoder_settings("resnet50.tv_in1k").weights == "hub"


def test_packaged_encoder_separates_blur(monkeypatch, folder):
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    _, images = run("--count", 2)
    assert len({image.startswith("blurred/") for image in images}) == 2


def test_unknown_encoder_is_refused(capsys, monkeypatch, folder):
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert "'resnet5O'" in error_line(capsys, "photos", "--count", 2, "--encoder", "resnet5O")


@pytest.mark.slow
def test_help_does_not_import_torch():
    code = "import sys, iqadistill.cli as cli\ntry: cli.main(['choose', '--help'])\nexcept SystemExit: pass\n"
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def write_embeddings(path, count=8):
    names = [f"many/{number}.png" for number in range(count)]
    vectors = np.repeat(np.eye(4), count // 4, axis=0).astype(np.float16)
    write_table(embeddings_table(np.arange(count), names, vectors), path, "embeddings")


def test_images_of_a_parquet_file_are_chosen_without_an_encoder(folder, monkeypatch):
    monkeypatch.setattr(choose, "encoder_settings", None)
    write_embeddings(folder / "pool.parquet")
    (folder / "rated.csv").write_text("image\nmany/3.png\n")
    assert main(["choose", "pool.parquet", "--count", "3", "--rated", "rated.csv", "--method", "lcmd"]) == 0
    with open("chosen.csv", newline="") as file:
        numbers = [int(row["image"][5]) for row in csv.DictReader(file)]
    assert sorted(number // 2 for number in numbers) == [0, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize("method", CHOOSERS.names)
def test_a_choice_from_a_parquet_file_does_not_import_torch(folder, method):
    write_embeddings(folder / "pool.parquet", 40)
    code = "import sys, iqadistill.cli as cli\nfrom iqadistill.selection import landmarks\nlandmarks.EXACT = 20\n"
    code += f"status = cli.main(['choose', 'pool.parquet', '--count', '2', '--method', '{method}'])\n"
    code += "sys.exit(status or 'torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_invalid_arguments_with_a_parquet_file_are_refused(capsys, folder):
    write_embeddings(folder / "pool.parquet")
    (folder / "rated.csv").write_text("image\n9.png\n")
    assert "image '9.png' is not in pool.parquet; give its name in image_id" in error_line(
        capsys, "pool.parquet", "--count", 2, "--rated", "rated.csv"
    )
    assert "--embeddings: pool.parquet holds embeddings" in error_line(
        capsys, "pool.parquet", "--count", 2, "--embeddings", "kept"
    )
    assert "--count 9: pool.parquet holds 8" in error_line(capsys, "pool.parquet", "--count", 9)
    assert "neither a folder nor a Parquet file" in error_line(capsys, "photos/0.png", "--count", 2)
    assert "pool.parquet: is a file that is read" in error_line(
        capsys, "pool.parquet", "--count", 2, "--out", "pool.parquet"
    )


def given_for(method, count=1):
    return parsed("--count", str(count), "--method", method)


def test_choices_that_would_take_too_long_or_too_much_memory_are_refused_with_their_cost(monkeypatch):
    monkeypatch.setattr(choose, "usable_memory", lambda: 16e9)
    assert choose._check_resources(given_for("v_optimal", 1000), 1_000_000) == 16e9 - 2.4e9
    assert choose._check_resources(given_for("lcmd"), 1_000_000, 2 * 10**9) == 16e9 - 2.3e9
    with pytest.raises(InputError, match=r"--count 500000: v_optimal passes over all 1,000,000 images .* 42 hours"):
        choose._check_resources(given_for("v_optimal", 500_000), 1_000_000)
    with pytest.raises(InputError, match=r"v_optimal: 10,000,000 images take about 24.0 GB.* by lcmd, which takes 3.0"):
        choose._check_resources(given_for("v_optimal"), 10_000_000)
    with pytest.raises(InputError, match=r"lcmd: 100,000,000 images take about 30.0 GB.* among fewer images\.$"):
        choose._check_resources(given_for("lcmd"), 100_000_000)


@pytest.mark.parametrize(("method", "gigabytes"), [("facility", "0.5"), ("v_optimal", "0.6"), ("residual", "1.5")])
def test_memory_of_all_pairs_is_counted(monkeypatch, method, gigabytes):
    monkeypatch.setattr(choose, "usable_memory", lambda: 0.4e9)
    with pytest.raises(InputError, match=rf"{method}: 5,000 images take about {gigabytes} GB.* by lcmd"):
        choose._check_resources(given_for(method), 5000)
    for smaller, n in ((method, 2000), (method, 5001), ("lcmd", 5000)):
        assert choose._check_resources(given_for(smaller), n) < 0.4e9


def test_embeddings_of_a_folder_count_as_memory(capsys, monkeypatch):
    width = TINY.create(torch.device("cpu")).width
    monkeypatch.setattr(choose, "usable_memory", lambda: CHOOSERS["facility"].memory(6) + 6 * 8 * width - 1)
    assert "--method facility: 6 images take about 0.0 GB" in error_line(capsys, "photos", "--count", 2)


def test_embeddings_of_a_file_are_held_only_where_they_fit_beside_the_choice(folder, monkeypatch):
    write_embeddings(folder / "pool.parquet")
    held = []
    monkeypatch.setattr("iqadistill.choosing.choose.choose_images", lambda blocks, *_, **__: held.append(blocks) or [0])
    needed = CHOOSERS["facility"].memory(8) + 8 * 4 * 2
    for memory in (needed, needed - 1):
        monkeypatch.setattr(choose, "usable_memory", lambda memory=memory: memory)
        assert main(["choose", "pool.parquet", "--count", "1"]) == 0
    assert [type(blocks) for blocks in held] == [HeldEmbeddings, EmbeddingFile]
