import pandas as pd

from iqadistill.evaluation.published import CROSS_TABLE, TABLE, published_cross_for, published_for


def test_published_results_have_source_and_protocol():
    for file, key in ((TABLE, ["dataset"]), (CROSS_TABLE, ["train_dataset", "dataset"])):
        rows = pd.read_csv(file)
        assert rows.notna().all().all()
        assert set(rows.metric) <= {"srcc", "plcc"}
        assert rows.value.between(0, 1).all()
        assert not rows.duplicated([*key, "method", "metric"]).any()


def test_only_results_on_the_datasets_of_the_study_are_listed():
    assert published_for(["gallery360", "gallery2d", "noise360"]).empty
    assert set(published_for(["gallery360", "cviq"]).dataset) == {"cviq"}
    cviq = published_for(["cviq"]).set_index("metric").value
    assert (cviq["srcc"], cviq["plcc"]) == (0.9801, 0.9836)


def test_cross_dataset_results_are_matched_by_the_sources_of_both_entries():
    rows = published_cross_for({"wild": "livec", "koniq10k": "koniq10k", "lab": "live"})
    assert set(zip(rows.train_dataset, rows.dataset, strict=True)) == {("wild", "koniq10k"), ("koniq10k", "wild")}
    deiqt = rows[(rows.method == "DEIQT") & (rows.train_dataset == "koniq10k")]
    assert list(deiqt.value) == [0.794]
    assert published_cross_for({"koniq10k": "koniq10k"}).empty
