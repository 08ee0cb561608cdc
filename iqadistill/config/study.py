"""The settings of a study. Entries of each axis are defined beside what they set, in the registries of their rooms."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from iqadistill.choosing.registry import CHOOSERS
from iqadistill.encoders.registry import ENCODERS
from iqadistill.figures.registry import FIGURES
from iqadistill.models.registry import STUDENTS, TEACHERS
from iqadistill.models.settings import DeepStudentSettings
from iqadistill.paths import UserPath, UserUrl
from iqadistill.sampling.registry import SAMPLERS
from iqadistill.selection.registry import SELECTORS
from iqadistill.settings import Fraction, Name, Rate, Settings

if TYPE_CHECKING:  # type checkers cannot read the registries and see what all entries have in common
    from iqadistill.encoders.settings import EncoderSettings as Encoder
    from iqadistill.models.settings import StudentSettings as Student
    from iqadistill.models.settings import TeacherSettings as Teacher
    from iqadistill.sampling.settings import SamplerSettings as Sampler
    from iqadistill.selection.settings import SelectorSettings as Selector

    ChooserName = str
    FigureName = str
else:
    Encoder, Student, Teacher = ENCODERS.union, STUDENTS.union, TEACHERS.union
    Sampler, Selector = SAMPLERS.union, SELECTORS.union
    ChooserName = Literal[CHOOSERS.names]
    FigureName = Literal[FIGURES.names]


class DatasetSettings(Settings):
    """Where a dataset comes from."""

    source: str = Field(
        "",
        description="Registry name (`iqadistill datasets` lists them) or one of your datasets.yaml; default: the"
        " entry's name.",
    )
    root: UserPath | None = Field(
        None,
        description="Folder of the images; default: data/NAME, NAME the entry's name. Galleries and noise360 need"
        " none.",
    )
    url: UserUrl | None = Field(
        None,
        description="Mirror instead of the official addresses: a folder with the official files, or one archive of the"
        " dataset.",
    )
    kind: Literal["flat", "sphere"] | None = Field(
        None, description="For source images: flat photographs or equirectangular panoramas; default: flat."
    )
    score_range: tuple[float, float] | None = Field(
        None,
        description="Lowest and highest possible score; a score outside stops the run. Default: the observed range.",
    )
    sampler: str | None = Field(
        None,
        description="Sampler entry that takes this dataset's patches in every experiment, also where students of other"
        " datasets are tested on it; default: those of the experiment that fit.",
    )
    splits: tuple[Literal["random", "official"], ...] = Field(
        ("random",),
        min_length=1,
        description="Kinds of splits: random (drawn by content, see evaluation.protocol), official (the authors' own,"
        " numbered after the random ones).",
    )
    shards: int = Field(
        1,
        ge=1,
        le=1000,
        exclude=True,  # no dump that decides an identity or a param holds it, for results are the same
        description="Number of jobs that share the embedding of each table of patches, for a large dataset on several"
        " nodes or cards; results are the same.",
    )
    on_error: Literal["stop", "quarantine"] = Field(
        "stop",
        description="What an image does that is missing, unreadable, without a score, too small for a crop or not a"
        " panorama where one is expected: stop the run, or be left out with its reason.",
    )


class EvaluationSettings(Settings):
    """Splits, pooling and statistics."""

    protocol: Literal["repeated_kfold", "random_80_20"] = Field(
        "repeated_kfold",
        description="How random splits are drawn: repeated k-fold, in which every content is tested once a repeat and"
        " folds have equally many images, or independent splits that test the same number of contents, as most papers"
        " do.",
    )
    splits: int = Field(
        10,
        ge=1,
        description="Number of content-disjoint random splits; the last repeat of repeated k-fold may be partial.",
    )
    test_fraction: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="Fraction held out for test: of the images with repeated k-fold, whose folds are 1/2, 1/3, 1/4, ..."
        " of them, else of the contents.",
    )
    val_fraction: Fraction = Field(0.0, description="Fraction held out for validation, as test_fraction.")
    pooling: Literal["mean", "median", "weighted"] = Field(
        "mean",
        description="How patch scores become an image score; weighted: the mean by the weights of the patches, which"
        " differ where a sampler places them (placed_crops, placed_viewports).",
    )
    test_patches: Literal["all", "kept"] = Field(
        "all",
        description="Patches that score a test image: all sampled ones, or those the selector keeps; a student's own"
        " test_patches comes first.",
    )
    max_test_patches: int | None = Field(
        None,
        ge=1,
        description="Largest number of patches that score an image, drawn from all sampled ones and the same for all"
        " students; a student's own max_test_patches comes first. Default: no limit.",
    )
    flip: bool = Field(
        False,
        description="Whether deep students also score horizontally flipped patches; the report then shows how stable"
        " their scores are. Doubles the time of prediction; a student's own flip comes first.",
    )
    logistic: Literal[4, 5] = Field(
        4,
        description="Parameters of the logistic that is fitted on training images before PLCC and RMSE: 4 give a"
        " monotone curve, 5 one that is not monotone in general.",
    )
    bootstrap: int = Field(
        1000,
        ge=100,
        description="Bootstrap draws over the contents of images that all trainings of a variant are tested on: those"
        " of other datasets and of official splits.",
    )
    margin: float = Field(
        0.01,
        gt=0,
        lt=1,
        description="Largest difference in SRCC or PLCC that does not matter: within it, two are equivalent.",
    )


class AgainstSettings(Settings):
    """What the second variant of a primary comparison has instead; exactly one of these."""

    selector: str | None = Field(
        None,
        description="Selector entry at the same keep rate; random: the mean over random rankings; all: all patches.",
    )
    student: str | None = Field(None, description="Student entry.")
    encoder: str | None = Field(None, description="Encoder entry.")
    sampler: str | None = Field(None, description="Sampler entry.")

    @model_validator(mode="after")
    def _one_axis(self) -> Self:
        if len(self.model_fields_set) != 1 or all(value is None for value in vars(self).values()):
            raise ValueError("give exactly one of selector, student, encoder, sampler")
        return self


class PrimarySettings(Settings):
    """A comparison that the study was made for; what it decides stands first in the report."""

    dataset: str = Field(description="Dataset entry.")
    sampler: str | None = Field(
        None, description="Sampler entry; default: the dataset's own, or the only one that fits."
    )
    encoder: str | None = Field(None, description="Encoder entry; default: the only one.")
    student: str = Field(description="Student entry.")
    selector: str = Field("all", description="Selector entry; all: all patches.")
    keep: Rate | None = Field(None, description="Keep rate; needed with a selector.")
    against: AgainstSettings = Field(description="What the second variant has instead.")
    draws: int | None = Field(
        None,
        ge=9,
        description="Number of random rankings that students are trained on, for a comparison against random; default:"
        " 99, and 9 for a deep student, which is trained once for each of them and each split.",
    )


class ExperimentSettings(Settings):
    """A grid over the study's names and the figure and table it feeds; what is left out means all that fit."""

    name: Name = Field(description="File name of the figure and table; default: the name of the figure.")
    figure: FigureName = Field(description="What is drawn.")
    datasets: tuple[str, ...] | None = Field(None, description="Dataset entries; default: all with scores.")
    samplers: tuple[str, ...] | None = Field(None, description="Sampler entries; default: all that fit the datasets.")
    encoders: tuple[str, ...] | None = Field(None, description="Encoder entries; default: all.")
    selectors: tuple[str, ...] | None = Field(
        None, description="Selector entries; the name of a grid stands for all its members. Default: all but grids."
    )
    keep: tuple[Rate, ...] | None = Field(None, description="Keep rates; default: those of the study.")
    students: tuple[str, ...] | None = Field(
        None,
        description="Student entries; default: those on frozen embeddings, for deep ones take hours and the others have"
        " no patches.",
    )
    tested_on: tuple[str, ...] | None = Field(
        None,
        description="Figure cross_dataset only: datasets that deep students are tested on, every image of them;"
        " default: the experiment's datasets.",
    )
    budgets: tuple[Annotated[int, Field(ge=2)], ...] | None = Field(
        None,
        min_length=1,
        description="Figure label_efficiency only: numbers of rated training images that students learn from; default:"
        " 10, 20, 40, 80.",
    )
    choosers: tuple[ChooserName, ...] | None = Field(
        None,
        min_length=1,
        description="Figure label_efficiency only: how training images are chosen, each compared with random draws;"
        " default: facility, v_optimal.",
    )
    headline: bool = Field(
        False, description="Whether it is the main table of the study: the target `headline` makes these alone."
    )


class Study(Settings):
    """One study; `rule all` makes the figures, tables and report of its experiments."""

    name: Name = Field(description="Folder under results/studies.")
    title: str = Field("", description="Headline of the report.")
    seed: int = Field(0, ge=0, description="Seed of all random draws.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto uses a GPU where there is one.")
    datasets: dict[Name, DatasetSettings] = Field(description="Datasets by name.")
    samplers: dict[Name, Sampler] = Field(description="Samplers by name.")
    encoders: dict[Name, Encoder] = Field(description="Encoders by name.")
    selectors: dict[Name, Selector] = Field(description="Selectors by name.")
    keep: tuple[Rate, ...] = Field(description="Keep rates, fractions of an image's patches.", min_length=1)
    teachers: dict[Name, Teacher] = Field({}, description="Teachers by name.")
    students: dict[Name, Student] = Field(description="Students by name.")
    evaluation: EvaluationSettings = Field(EvaluationSettings(), description="Splits, pooling and statistics.")
    experiments: tuple[ExperimentSettings, ...] = Field(min_length=1, description="Grids and the figures they feed.")
    primary: tuple[PrimarySettings, ...] = Field(
        (),
        max_length=3,
        description="Comparisons that the study was made for, named before its results are known; all others are"
        " exploratory.",
    )

    # names of parameter grids (of selectors and students) and their members; filled by the loader
    _grids: dict[str, tuple[str, ...]] = PrivateAttr(default_factory=dict)

    @property
    def grids(self) -> dict[str, tuple[str, ...]]:
        """Names of parameter grids of selectors and students, each with the names of its members."""
        return self._grids

    @property
    def deep_students(self) -> dict[str, DeepStudentSettings]:
        """Students that learn from pixels, by name."""
        return {name: entry for name, entry in self.students.items() if isinstance(entry, DeepStudentSettings)}


def study_schema() -> dict[str, Any]:
    """JSON Schema of a study file as the models define it."""
    return Study.model_json_schema()
