from iqadistill.config import sources
from iqadistill.datasets import dataset_record, list_datasets


def test_sources_of_a_study_are_those_of_the_registry():
    assert set(sources.KINDS) == set(list_datasets())
    for name, kind in sources.KINDS.items():
        record = dataset_record(name)
        assert record.kind == kind, name
        assert (record.origin == "rendered") == (name in sources.RENDERED), name
        assert (record.score is None) == (name in sources.UNSCORED), name
