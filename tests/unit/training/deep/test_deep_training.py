import pyarrow.compute as pc
import pytest
import torch
from tiny_networks import TinyNetwork, TinyStudy

from iqadistill.errors import InputError
from iqadistill.patches import reading
from iqadistill.table_schemas import SCHEMAS
from iqadistill.tables import as_table, read_table, write_table
from iqadistill.training.deep import optimisation
from iqadistill.training.deep.prediction import predict_network


@pytest.fixture
def study(tmp_path):
    return TinyStudy(tmp_path)


def equal_weights(first, second):
    """Whether two networks have exactly equal weights."""
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def images_with_role(study, role, split=0):
    roles = study.splits.to_pandas()
    return set(roles.image_id[(roles.split == split) & (roles.role == role)])


@pytest.fixture
def decoded(monkeypatch):
    """Paths of the images decoded so far."""
    paths, real = [], reading.read_image
    monkeypatch.setattr(reading, "read_image", lambda path, *scale: paths.append(path) or real(path, *scale))
    return paths


def test_weights_do_not_depend_on_run_workers_and_memory(study):
    first, _ = study.train(workers=1)
    assert equal_weights(first, study.train(workers=1)[0])
    assert equal_weights(first, study.train(workers=3, training={"memory_gb": 0})[0])


def test_weights_depend_on_seed_and_split(study):
    first, _ = study.train()
    assert not equal_weights(first, study.train(seed=6)[0])
    assert not equal_weights(first, study.train(split=1)[0])


def test_weights_do_not_depend_on_row_order(study):
    first, _ = study.train(keep=0.6)
    for name in ("images", "splits", "selection"):
        table = getattr(study, name)
        setattr(study, name, table.take(list(range(len(table)))[::-1]))
    assert equal_weights(first, study.train(keep=0.6)[0])


def test_training_keeps_the_global_random_state(study):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    study.train()
    assert torch.equal(expected, torch.rand(3))


def test_weights_do_not_depend_on_test_images_and_qualities(study):
    first, _ = study.train(training={"patience": 2, "epochs": 3})
    frame = study.images.to_pandas()
    tested = frame.image_id.isin(images_with_role(study, "test"))
    assert tested.sum() == 3
    frame.loc[tested, "quality"] = 1 - frame.quality[tested]
    frame.loc[tested, "path"] = "nowhere.png"
    study.images = as_table(frame, "images")
    assert equal_weights(first, study.train(training={"patience": 2, "epochs": 3})[0])


def test_validation_qualities_only_choose_the_epoch(study):
    settings = {"patience": 3, "epochs": 3, "schedule": "constant"}
    _, history = study.train(training=settings)
    final, _ = study.train(training=settings | {"patience": None})
    frame = study.images.to_pandas()
    held_out = frame.image_id.isin(images_with_role(study, "val"))
    frame.loc[held_out, "quality"] = 1 - frame.quality[held_out]
    study.images = as_table(frame, "images")
    _, reversed_history = study.train(training=settings)
    assert equal_weights(final, study.train(training=settings | {"patience": None})[0])
    assert history["loss"].equals(reversed_history["loss"])
    assert (history["val_srcc"].to_numpy() == -reversed_history["val_srcc"].to_numpy()).all()


def test_early_stopping_keeps_the_best_epoch(study):
    settings = {"patience": 2, "epochs": 30, "schedule": "constant", "lr": 0.05}
    network, history = study.train(training=settings)
    srcc = history["val_srcc"].to_numpy()
    best = int(srcc.argmax())
    assert len(srcc) == best + 3 < 30
    # with a constant learning rate, a shorter training takes the same steps
    expected, _ = study.train(training=settings | {"epochs": best + 1, "patience": None})
    assert equal_weights(network, expected)


def test_weights_do_not_depend_on_discarded_patches(study):
    first, _ = study.train(keep=0.4, split=1)
    ranks = study.selection.to_pandas().set_index("patch_id")["rank"]
    frame = study.patches.to_pandas()
    dropped = (ranks[frame.patch_id] >= 2).to_numpy() & frame.image_id.isin(images_with_role(study, "train", 1))
    assert dropped.sum() == 6 * 3
    frame.loc[dropped, ["x", "y"]] = 0
    study.patches = as_table(frame, "patches")
    assert equal_weights(first, study.train(keep=0.4, split=1)[0])
    assert not equal_weights(first, study.train(keep=0.6, split=1)[0])


def test_training_lowers_loss_and_learns_the_ranking(study):
    network, history = study.train(training={"epochs": 25, "warm_up": 1.0})
    losses = history["loss"].to_numpy()
    assert losses[-1] < 0.5 * losses[0]
    predictions = predict_network(network, study.images, study.patches, {}).to_pandas()
    assert predictions.score.corr(predictions.prediction, method="spearman") > 0.9


def test_training_and_prediction_on_viewports(tmp_path):
    study = TinyStudy(tmp_path, sphere=True)
    network, history = study.train()
    assert len(history) == 2
    assert len(predict_network(network, study.images, study.patches, {})) == 12


def test_each_image_is_decoded_once_if_memory_allows(study, decoded):
    paths = dict(zip(study.images["image_id"].to_pylist(), study.images["path"].to_pylist(), strict=True))
    used = sorted(paths[name] for name in images_with_role(study, "train") | images_with_role(study, "val"))
    study.train(training={"epochs": 3, "patches_per_epoch": 2})
    assert sorted(decoded) == used
    decoded.clear()
    study.train(training={"epochs": 3, "patches_per_epoch": 2, "memory_gb": 0})
    assert sorted(decoded) == sorted(used * 3)


def test_patches_are_resized_to_the_given_size(study):
    seen = []

    class Recording(TinyNetwork):
        def losses(self, patches, quality):
            seen.append((tuple(patches.shape[1:]), float(patches.min()), float(patches.max())))
            return super().losses(patches, quality)

    study.train(Recording(), size=12)
    assert {shape for shape, _, _ in seen} == {(3, 12, 12)}
    assert min(low for _, low, _ in seen) >= 0 and 0.5 < max(high for _, _, high in seen) <= 1


def test_history_has_all_loss_terms(study, tmp_path):
    _, history = study.train(
        keep=0.6, training={"epochs": 3, "schedule": "step", "step_epochs": 1, "patches_per_epoch": 2}
    )
    write_table(history, tmp_path / "history.parquet", "history")
    table = read_table(tmp_path / "history.parquet", "history")
    assert table.schema.equals(SCHEMAS["history"])
    frame = table.to_pandas()
    parts = frame.parts.map(dict)
    assert [sorted(part) for part in parts] == [["mirrored", "quality"]] * 3
    assert frame.loss.tolist() == pytest.approx([sum(part.values()) for part in parts])
    assert frame.lr.tolist() == pytest.approx([1e-2, 1e-3, 1e-4])
    assert frame.num_patches.tolist() == [12] * 3 and frame.step.tolist() == [3, 6, 9]
    assert frame.student.eq("tiny").all() and frame.keep.eq(0.6).all() and frame.split.eq(0).all()
    assert frame.peak_memory.gt(10).all() and frame.val_srcc.between(-1, 1).all()


def test_result_is_the_moving_average(study):
    # with one batch per epoch and a constant learning rate, the weights after each step are those of a shorter training
    settings = {"batch_size": 30, "schedule": "constant", "ema": None}
    after = [study.train(training=settings | {"epochs": epochs})[0].head[1].weight for epochs in (1, 2, 3)]
    averaged, _ = study.train(training=settings | {"epochs": 3, "ema": 0.8})
    expected = 0.8 * (0.8 * after[0] + 0.2 * after[1]) + 0.2 * after[2]
    torch.testing.assert_close(averaged.head[1].weight, expected)


def test_frozen_batchnorm_does_not_change(study):
    names = [f"backbone.1.{name}" for name in ("weight", "bias", "running_mean", "running_var")]
    start = TinyNetwork().state_dict()
    frozen, moving = (study.train(training={"freeze_batchnorm": frozen})[0].state_dict() for frozen in (True, False))
    assert all(torch.equal(start[name], frozen[name]) for name in names)
    assert not any(torch.equal(start[name], moving[name]) for name in names)


def test_backbone_has_its_own_learning_rate(study):
    start, trained = TinyNetwork(), study.train(training={"backbone_lr": 0.0, "freeze_batchnorm": True})[0]
    assert equal_weights(start.backbone, trained.backbone)
    assert not equal_weights(start.head, trained.head)


class WithoutDropout(TinyNetwork):
    """Has no dropout, so that gradients of micro-batches add up to those of the batch."""

    def __init__(self):
        super().__init__()
        self.head[0].p = 0.0


def test_gradient_accumulation_equals_the_whole_batch(study):
    settings = {"freeze_batchnorm": True, "batch_size": 5, "clip": 0.1, "epochs": 1}
    complete, _ = study.train(WithoutDropout(), training=settings)
    accumulated, _ = study.train(WithoutDropout(), training=settings | {"accumulation": 2})
    torch.testing.assert_close(complete.state_dict(), accumulated.state_dict(), rtol=1e-4, atol=1e-5)


class OutOfMemory(TinyNetwork):
    """Runs out of memory with more than `most` patches."""

    def __init__(self, most):
        super().__init__()
        self.most = most

    def losses(self, patches, quality):
        """Losses of the tiny network."""
        if len(patches) > self.most:
            raise torch.OutOfMemoryError("too many")
        return super().losses(patches, quality)


def test_out_of_memory_halves_micro_batches_and_keeps_batch_size(study, capfd):
    settings = {"batch_size": 8}
    halved, history = study.train(OutOfMemory(2), training=settings)
    assert equal_weights(halved, study.train(training=settings | {"accumulation": 4})[0])
    assert history["step"].to_pylist() == [4, 8]
    assert "4 pieces" in capfd.readouterr().err


def test_memory_too_small_for_one_patch_is_refused(study):
    with pytest.raises(InputError, match="memory"):
        study.train(OutOfMemory(0))


def test_mixed_precision_and_channels_last_are_close_to_plain_training(study):
    plain, history = study.train()
    mixed, mixed_history = study.train(training={"precision": "bf16", "channels_last": True})
    assert not equal_weights(plain, mixed)
    assert mixed_history["loss"].to_pylist() == pytest.approx(history["loss"].to_pylist(), rel=0.1)


class Diverging(TinyNetwork):
    """Its loss is NaN."""

    def losses(self, patches, quality):
        """A loss of NaN."""
        return {"quality": super().losses(patches, quality)["quality"] * float("nan")}


class Headless(torch.nn.Module):
    """Has no backbone."""

    def __init__(self):
        super().__init__()
        self.score = torch.nn.Linear(3, 1)


def damage(study, kind):
    """Damage one table of the study."""
    if kind == "quality":
        study.images = as_table(study.images.to_pandas().assign(quality=float("nan")), "images")
    elif kind == "patches":
        study.patches = study.patches.filter(
            pc.not_equal(study.patches["image_id"], max(images_with_role(study, "train")))
        )
    elif kind == "selection":
        study.selection = study.selection.slice(0, 3)
    elif kind == "train":
        study.splits = as_table(study.splits.to_pandas().assign(role="test"), "splits")
    elif kind == "size":
        frame = study.patches.to_pandas()
        frame.loc[frame.image_id == max(images_with_role(study, "train")), "size"] = 8
        study.patches = as_table(frame, "patches")
    elif kind == "val":
        roles = study.splits.to_pandas()
        study.splits = as_table(roles.assign(role=roles.role.replace("val", "test")), "splits")


@pytest.mark.parametrize(
    ("kind", "settings", "match"),
    [
        ("quality", {}, "quality"),
        ("patches", {}, r"patches: .*'set/image\d\d'"),
        ("selection", {"keep": 0.5}, r"selection: patch \d+ .*'set/image\d\d'"),
        ("train", {}, "split 0 .*train"),
        ("size", {}, "8 to 16"),
        ("val", {"training": {"patience": 1}}, "split 0 .*val"),
        ("", {"training": {"precision": "fp16"}}, "precision: .*fp16"),
        ("", {"training": {"backbone_lr": 0.1}, "network": Headless()}, "backbone_lr: "),
        ("", {"network": Diverging()}, "epoch 0 .*finite"),
    ],
)
def test_invalid_tables_and_settings_are_refused(study, kind, settings, match):
    damage(study, kind)
    with pytest.raises(InputError, match=match):
        study.train(**settings)


@pytest.mark.parametrize("worst, best", [(112.0, -3.0), (1.0, 5.0)])
def test_network_is_told_the_span_of_the_scores(study, worst, best):
    class Measuring(TinyNetwork):
        def set_score_span(self, span):
            self.span = span

    frame = study.images.to_pandas()
    study.images = as_table(frame.assign(score=worst + frame.quality * (best - worst)), "images")
    network, _ = study.train(Measuring(), training={"epochs": 1})
    assert network.span == pytest.approx(abs(best - worst))


def test_compiled_network_learns_the_same(study, monkeypatch):
    compiled_modules, original = [], torch.nn.Module.compile

    def without_compiler(module, *, dynamic, options):
        """Everything but the generation of code, which takes most of a minute."""
        assert options == {"fallback_random": True}
        compiled_modules.append(module)
        original(module, backend="aot_eager", dynamic=dynamic)

    network, history = study.train()
    monkeypatch.setattr(torch.nn.Module, "compile", without_compiler)
    monkeypatch.setattr(optimisation, "check_compiler", lambda: None)
    compiled, compiled_history = study.train(training={"compile": True})
    assert len(compiled_modules) == 1
    assert compiled.state_dict().keys() == network.state_dict().keys()
    assert compiled_history["loss"].to_pylist() == pytest.approx(history["loss"].to_pylist(), rel=1e-4)


def test_missing_compiler_is_named(study, monkeypatch):
    monkeypatch.setenv("CXX", "no_such_compiler")
    with pytest.raises(InputError, match="there is no C"):
        study.train(training={"compile": True})
