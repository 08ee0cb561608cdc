"""Every dataset read from its official files: counts, references, direction of scores, splits.

The tests run on miniature label files, and on the real ones if they are next to the working copy.
"""

import pytest
from official_archives import LABELS, MINIATURE_COUNTS, OFFICIAL_COUNTS, write_archive

from iqadistill.datasets import index as indexing
from iqadistill.datasets import split_dataset
from iqadistill.datasets.registry import dataset_record

AUTHENTIC = {"livec", "koniq10k", "livefb", "spaq"}
SCORED = [name for name in OFFICIAL_COUNTS if name != "div2k"]
COUNTS = {"miniature": MINIATURE_COUNTS, "shared": OFFICIAL_COUNTS}
SOURCES = [
    "miniature",
    pytest.param(
        "shared",
        marks=pytest.mark.skipif(not LABELS.is_dir(), reason="the datasets' label files are not next to the project"),
    ),
]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """A function (name, source) -> images table, which indexes each dataset once."""
    tables = {}

    def index(name, source):
        if (name, source) not in tables:
            folder = write_archive(tmp_path_factory.mktemp(name), name, source)
            record = dataset_record(name)
            if source == "miniature":
                references, distorted = MINIATURE_COUNTS[name]
                record = record.model_copy(update={"references": references or None, "distorted": distorted or None})
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(indexing, "dataset_record", lambda _: record)
                tables[name, source] = indexing.index_dataset(name, folder, source=name, workers=2)[0]
        return tables[name, source]

    return index


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", OFFICIAL_COUNTS)
def test_image_counts_match_the_dataset(tables, name, source):
    images = tables(name, source).to_pandas()
    references, distorted = COUNTS[source][name]
    assert images.is_reference.sum() == references
    assert (~images.is_reference).sum() == distorted
    assert images.image_id.is_unique and (images.status == "ok").all()


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", SCORED)
def test_contents_are_references_or_single_images(tables, name, source):
    images = tables(name, source).to_pandas()
    rated = images[~images.is_reference]
    if name in AUTHENTIC:
        assert (rated.reference_id == rated.image_id).all()
    else:
        assert set(rated.reference_id) == set(images.image_id[images.is_reference])


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", SCORED)
def test_quality_is_within_zero_to_one_and_falls_with_level(tables, name, source):
    images = tables(name, source).to_pandas()
    rated = images[~images.is_reference]
    assert rated.quality.between(0, 1).all() and rated.quality.std() > 0.01
    if rated.level.notna().any():
        by_level = rated.groupby("level").quality.mean()
        assert by_level.iloc[0] > by_level.iloc[-1] + 0.1
        assert rated.level.notna().all() and rated.distortion.notna().all()


@pytest.mark.filterwarnings("ignore:test sets hold")
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", SCORED)
def test_splits_are_disjoint_in_content(tables, name, source):
    images = tables(name, source)
    official = dataset_record(name).splits == ("random", "official")
    kinds = ["random", "official"] if official else ["random"]
    references = images.to_pandas().query("not is_reference").reference_id.nunique()
    few = references < 6  # too few for three roles and ten different splits
    count = references if few else 10
    fractions = {"test_fraction": 0.3, "val_fraction": 0} if few else {"test_fraction": 0.2, "val_fraction": 0.1}
    protocol = "random_80_20" if few else "repeated_kfold"
    splits = split_dataset(images, splits=count, seed=0, kinds=kinds, protocol=protocol, **fractions).to_pandas()
    content = images.select(["image_id", "reference_id"]).to_pandas()
    roles = splits.merge(content, on="image_id").groupby(["split", "reference_id"]).role.nunique()
    assert (roles == 1).all()
    assert splits.split.nunique() == count + official
    expected = {"train", "test"} | ({"val"} if fractions["val_fraction"] else set())
    assert (splits[splits.split < count].groupby("split").role.agg(set) == expected).all()


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("koniq10k", {"shared": (7058, 1000, 2015), "miniature": (20, 4, 6)}),
        ("livefb", {"shared": (34833, 0, 4977), "miniature": (21, 0, 3)}),
    ],
)
def test_official_split_has_the_roles_of_the_authors(tables, name, source, sizes):
    splits = split_dataset(
        tables(name, source), splits=10, test_fraction=0.2, val_fraction=0, seed=0, kinds=["official"]
    ).to_pandas()
    assert set(splits.split) == {10}
    assert tuple(int((splits.role == role).sum()) for role in ("train", "val", "test")) == sizes[source]
