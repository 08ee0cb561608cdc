import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from verdict_rows import verdict

from iqadistill.errors import InputError
from iqadistill.evaluation.published import published_cross_for, published_for
from iqadistill.figures.drawing.saving import save_figure
from iqadistill.figures.rate_sweep import plot_rate_sweep
from iqadistill.report.page import DatasetFacts, Report, ReportFigure, dataset_facts, render_report
from iqadistill.report.summary import write_summary
from iqadistill.table_schemas import SCHEMAS
from iqadistill.tables import as_table

VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """Collects links, images and text, and checks that every element is closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.targets, self.ids, self.images, self.text = [], [], set(), [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag not in VOID:
            self.open.append(tag)
        self.targets += [values[name] for name in ("src", "href") if name in values]
        self.ids |= {values["id"]} if "id" in values else set()
        self.images += [values] if tag == "img" else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


def history(loss):
    """Row of table "history"; the epoch is 10 times the loss."""
    variant = {"train_dataset": "gallery360", "sampler": "erp", "encoder": "lite0_stages", "selector": "all"}
    variant |= {"keep": 1.0, "teacher": "", "student": "mlp", "split": 0}
    return {**variant, "epoch": round(10 * loss), "loss": loss, "parts": None, "val_srcc": np.nan}


@pytest.fixture
def report(tables, tmp_path):
    save_figure(
        *plot_rate_sweep(tables.summary, tables.comparisons),
        tmp_path / "figures" / "sweep",
        tmp_path / "tables" / "sweep",
    )
    images = as_table(
        pd.DataFrame(
            {"dataset": "gallery360", "image_id": ["a", "b", "c", "d"], "score": [1.0, 2.0, None, 3.0]}
            | {"reference_id": ["r", "r", "r", "s"], "status": ["ok", "ok", "ok", "quarantined"]}
        ),
        "images",
    ).replace_schema_metadata({"scores": "simulated: KADID-10k means & spread", "noise_ceiling": "0.931"})
    names = '{"dataset": "gallery360", "sampler": "erp", "encoder": "lite0_stages", "selector": "residual"}'
    costs = pd.DataFrame(
        {
            "rule": ["embed_patches", "embed_patches", "select_patches"],
            "wildcards": ["x", "y", names],
            "seconds": [1.0, 2.5, 6.0],
            "cpu_seconds": [1.0, 2.0, 6.0],
        }
        | {"max_rss": [100.0, 900.0, 90.0], "max_vram": np.nan, "flops": np.nan}
    )
    figure = ReportFigure(
        "sweep",
        "rate_sweep",
        tmp_path / "figures" / "sweep",
        tmp_path / "tables" / "sweep",
        ("gallery360",),
        {"keep_rate": 0.4},
    )
    return Report(
        title="Demo <study>",
        study={
            "name": "demo",
            "seed": 3,
            "evaluation": {"splits": 11, "margin": 0.01, "test_patches": "all", "max_test_patches": None},
            "students": {"mlp": {"model": "mlp", "test_patches": None}},
            "selectors": {"residual": {"method": "residual", "metric": "manhattan", "n_components": 5}},
        },
        datasets=(dataset_facts(images),),
        figures=(figure,),
        summary=tables.summary,
        comparisons=tables.comparisons,
        verdicts=pd.DataFrame([verdict()], columns=SCHEMAS["verdicts"].names),
        costs=costs,
        histories=pd.DataFrame([history(0.5), history(0.6)]),
        official=pd.DataFrame(columns=SCHEMAS["official"].names),
        stability=pd.DataFrame(columns=SCHEMAS["stability"].names),
        published_cross=published_cross_for({}),
        published=published_for(["cviq"]),
        sources={"gallery360": "gallery360", "cviq": "cviq"},
        provenance={"git commit": "abc123", "torch": "2.9"},
        warnings=("A student has no SRCC.",),
        notes=("Selection stagnated.",),
    )


@pytest.fixture
def rendered(report, tmp_path):
    output = tmp_path / "report" / "index.html"
    render_report(report, output)
    return output


def test_page_opens_offline(rendered):
    page = Page(rendered.read_text())
    external = [target for target in page.targets if target.startswith(("http:", "https:", "//", "/", "file:"))]
    assert external == []
    assert "@import" not in rendered.read_text()
    for target in page.targets:
        if target.startswith("#"):
            assert target[1:] in page.ids
        elif not target.startswith("data:"):
            assert (rendered.parent / target).is_file()


def test_answers_stand_before_all_else(rendered):
    words = Page(rendered.read_text()).words
    assert words.index("Answers") < words.index("Exploratory findings")
    sentence = "residual at keep 0.2 against random selection (the mean over 99 random rankings) is undecided"
    assert words.index("Answers") < words.index(sentence) < words.index("Exploratory findings", words.index(sentence))


def test_study_without_a_primary_comparison_decides_nothing(report, tmp_path):
    render_report(replace(report, verdicts=report.verdicts[:0]), tmp_path / "report" / "index.html")
    assert "no primary comparison" in Page((tmp_path / "report" / "index.html").read_text()).words


def test_summary_holds_the_verdicts(report, tmp_path):
    write_summary(report, tmp_path / "summary.json")
    summary = json.loads((tmp_path / "summary.json").read_text())
    (one,) = summary["verdicts"]
    assert one["verdict"] == "undecided" and one["p_normal"] is None
    assert {"margin", "smallest_detectable", "difference", "low", "high", "sentence"} <= set(one)
    assert summary["datasets"][0]["noise_ceiling"] == 0.931
    assert "A student has no SRCC." in summary["caveats"] and "Selection stagnated." not in summary["caveats"]
    assert summary["answers"][-1].startswith("Embedding") and summary["ratings"] == []


def test_caveats_stand_above_the_findings_and_notes_below_the_figures(rendered):
    words = Page(rendered.read_text()).words
    places = [words.index(one) for one in ("A student has no SRCC.", "Datasets and scores", "Selection stagnated.")]
    assert words.index("Caveats") < places[0] < words.index("Not declared beforehand")
    assert words.index("Paired comparisons", places[1]) < places[2]


def test_images_are_embedded_and_described(rendered):
    (image,) = Page(rendered.read_text()).images
    assert image["src"].startswith("data:image/png;base64,")
    assert "SRCC" in image["alt"]


def test_page_has_scores_findings_results_and_provenance(rendered):
    words = Page(rendered.read_text()).words
    for text in (
        "The scores of gallery360 are simulated",
        "SRCC to about 0.93",
        "mean over 10 content-disjoint splits",
        "Selection stagnated.",
        "gallery360, mlp: the training loss did not fall from the first epoch to the last in 1 of 1 trainings.",
        "seed 3, 10 content-disjoint splits.",
        "residual residual manhattan 5 – gallery360 erp lite0_stages 6.0 2,000",
        "gallery360 erp lite0_stages mlp 0.870 ± 0.010 0.880 ± 0.010 – – – 10",
        "at keep 0.4 residual minus random = +0.002",
        "undecided in 44",
        "distortion label alone",
        "one split, best epoch on test",
        "cviq Assessor360 0.9801 0.9836 –",
        "git commit abc123",
        "seed: 3",
        "Demo <study>",
    ):
        assert text in words, text


def test_equal_inputs_give_equal_pages(report, rendered, tmp_path):
    render_report(report, tmp_path / "second" / "index.html")
    assert (tmp_path / "second" / "index.html").read_bytes() == rendered.read_bytes()
    assert str(tmp_path) not in rendered.read_text()


def test_dataset_facts_count_images(report):
    (facts,) = report.datasets
    assert (facts.images, facts.contents, facts.unscored, facts.quarantined) == (2, 1, 1, 1)


def test_quarantined_images_are_a_caveat(report):
    (facts,) = report.datasets
    assert report.caveats[0].startswith("gallery360: 1 of 4 images ") and "quarantined" in report.caveats[0]
    whole = Report(**{**vars(report), "datasets": (replace(facts, quarantined=0),)})
    assert "quarantined" not in " ".join(whole.caveats)


def test_human_scores_are_not_called_simulated(report, tmp_path):
    facts = DatasetFacts("gallery360", images=2, contents=1, unscored=0, quarantined=0)
    render_report(Report(**{**vars(report), "datasets": (facts,)}), tmp_path / "index.html")
    assert "simulated" not in Page((tmp_path / "index.html").read_text()).words


def test_missing_figure_is_named(report, tmp_path):
    Path(report.figures[0].figure_stem.with_name("sweep.png")).unlink()
    with pytest.raises(InputError, match=r"sweep\.png: "):
        render_report(report, tmp_path / "report" / "index.html")
    assert not (tmp_path / "report").exists()


def test_published_results_are_compared_with_ours_on_the_same_dataset(report, tmp_path):
    ours = report.summary.replace({"dataset": {"gallery360": "cviq"}, "train_dataset": {"gallery360": "cviq"}})
    render_report(Report(**{**vars(report), "summary": ours}), tmp_path / "index.html")
    words = Page((tmp_path / "index.html").read_text()).words
    assert "cviq Assessor360 0.9801 0.9836 –" in words
    assert "cviq mlp 0.870 [0.850, 0.890] – 0.865 – 10 this study" in words


def test_differences_on_other_datasets_have_intervals_and_no_p(report, tmp_path):
    panel = {"sampler": "erp", "encoder": "lite0_stages", "selector": "all", "keep": 1.0, "teacher": ""}
    pair = {"dataset": "lab", "train_dataset": "gallery360", **panel, "student": "adtrs", "other_student": "vit"}
    pair |= {f"other_{name}": value for name, value in {"train_dataset": "gallery360", **panel}.items()}
    pair |= {"family": "students", "metric": "srcc", "delta": 0.02, "low": -0.01, "high": 0.05, "test": "contents"}
    comparisons = pd.concat([report.comparisons, pd.DataFrame([{**pair, "p": np.nan, "p_holm": np.nan}])])
    render_report(Report(**{**vars(report), "comparisons": comparisons}), tmp_path / "index.html")
    words = Page((tmp_path / "index.html").read_text()).words
    assert "students, on other datasets 1 pairs on datasets that neither variant was trained on" in words
    assert "lab gallery360 erp lite0_stages adtrs minus vit = +0.020 [-0.010, 0.050] SRCC " in words
    assert "too few splits" not in words


def test_intervals_over_few_splits_are_not_printed(report, tmp_path):
    rows = {"summary": report.summary.assign(splits=4)}
    render_report(Report(**{**vars(report), **rows}), tmp_path / "index.html")
    page = (tmp_path / "index.html").read_text()
    assert "0.870 [" not in page and "<td>0.870</td>" in page and "there is none below 5 splits" in page


def test_official_split_has_a_table_of_its_own(report, rendered, tmp_path):
    assert "Official split" not in Page(rendered.read_text()).words
    variant = {"dataset": "gallery360", "train_dataset": "gallery360", "sampler": "erp", "encoder": "lite0_stages"}
    variant |= {"selector": "all", "keep": 1.0, "teacher": "", "student": "mlp"}
    values = {"srcc": 0.8, "plcc": 0.81, "plcc_raw": 0.79, "krcc": 0.6, "rmse": 0.1}
    rows = [{**variant, "metric": m, "value": v, "low": v - 0.05, "high": v + 0.05, "n": 40} for m, v in values.items()]
    render_report(Report(**{**vars(report), "official": pd.DataFrame(rows)}), tmp_path / "index.html")
    words = Page((tmp_path / "index.html").read_text()).words
    cells = "mlp all patches 1 40 0.800 [0.750, 0.850] 0.810 [0.760, 0.860] 0.790 [0.740, 0.840]"
    assert "Official split" in words and f"gallery360 erp lite0_stages {cells}" in words


def test_students_on_whole_images_are_marked_where_they_may_have_seen_them(report, tmp_path):
    variant = {"dataset": "gallery360", "train_dataset": "gallery360", "sampler": "", "encoder": "", "selector": ""}
    variant |= {"keep": 1.0, "teacher": "", "student": "musiq"}
    summary = pd.DataFrame(
        [{**variant, "metric": "srcc", "mean": 0.7, "median": 0.68, "low": 0.6, "high": 0.8, "splits": 10}]
    )
    official = pd.DataFrame([{**variant, "metric": "srcc", "value": 0.9, "low": 0.8, "high": 0.95, "n": 40}])
    rows = {"summary": pd.concat([report.summary, summary]), "official": official}
    shown = Report(**{**vars(report), **rows, "may_have_seen": frozenset({("gallery360", "musiq")})})
    render_report(shown, tmp_path / "index.html")
    words = Page((tmp_path / "index.html").read_text()).words
    for text in (
        "gallery360: musiq is one model for all splits, which may have seen the test images",
        "musiq (may have seen these images) whole images – ",
        "gallery360 musiq (may have seen these images) whole images 1 40 0.900 [0.800, 0.950] – –",
        "gallery360 musiq (may have seen these images) 0.700",
    ):
        assert text in words, text


def test_stability_under_the_flip_is_listed_where_it_was_measured(report, rendered, tmp_path):
    assert "flipped" not in Page(rendered.read_text()).words
    variant = {"dataset": "gallery360", "train_dataset": "gallery360", "sampler": "erp", "encoder": "lite0_stages"}
    variant |= {"selector": "all", "keep": 1.0, "teacher": "", "student": "adtrs"}
    rows = pd.DataFrame([{**variant, "difference": 0.0123, "std": 0.002, "splits": 5}])
    render_report(Report(**{**vars(report), "stability": rows}), tmp_path / "index.html")
    words = Page((tmp_path / "index.html").read_text()).words
    assert "gallery360 gallery360 erp adtrs all patches 1 0.0123 0.0020 5" in words


def test_datasets_are_synthetic_where_images_share_contents():
    assert DatasetFacts("live", images=779, contents=29, unscored=0, quarantined=0).kind == "synthetic"
    assert DatasetFacts("livec", images=1162, contents=1162, unscored=0, quarantined=0).kind == "authentic"
