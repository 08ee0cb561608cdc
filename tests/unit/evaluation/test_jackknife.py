import numpy as np
import pytest

from iqadistill.evaluation.jackknife import SplitScores, contents_errors, contents_estimate, srcc_differences

IMAGES, SPLITS = 60, 5


def pair(generator, persistent=0.0, per_content=1, repeats=1, images=IMAGES):
    """Test sets of two students; a share of their noise is the same in every training."""
    scores, of_image = generator.normal(size=images), generator.normal(size=(2, images))
    content = np.arange(images) // per_content
    tests = []
    for _ in range(repeats):
        order = generator.permutation(images // per_content)
        for split in range(SPLITS):
            rows = np.isin(content, order[split::SPLITS])
            noise = np.sqrt(persistent) * of_image + np.sqrt(1 - persistent) * generator.normal(size=(2, images))
            tests.append(SplitScores((scores + 0.5 * noise)[:, rows], scores[rows], content[rows]))
    return tests


def test_error_over_contents_is_the_jackknife_within_splits():
    tests = pair(np.random.default_rng(5))
    variance = 0.0
    for test in tests:  # each content is tested once, so that splits add up
        n = len(test.content)
        without = np.array([srcc_differences(test, 1, test.content != left)[0] for left in test.content])
        variance += (n - 1) / n * ((without - without.mean()) ** 2).sum() / SPLITS**2
    (error,), groups = contents_errors(tests)
    assert groups == IMAGES
    assert error == pytest.approx(np.sqrt(variance))


def test_images_of_a_content_are_left_out_together():
    (error,), groups = contents_errors(pair(np.random.default_rng(6), per_content=6))
    assert groups == IMAGES // 6 and error > 0


def test_what_is_the_same_in_every_training_does_not_average_out_over_repeats():
    tests = [pair(np.random.default_rng(7), persistent, repeats=4, images=400) for persistent in (1.0, 0.0)]
    same, new = (contents_errors(of_students)[0][0] for of_students in tests)
    assert same > 1.5 * new


@pytest.mark.parametrize("persistent", [0.0, 1.0])
def test_students_that_are_equally_good_are_rarely_told_apart(persistent):
    generator = np.random.default_rng(8)
    p = np.array([contents_estimate(pair(generator, persistent, repeats=2)).p for _ in range(120)])
    assert np.mean(p <= 0.05) <= 0.08
    assert np.mean(p <= 0.5) >= 0.3  # and not because every p is large


def test_swapped_students_have_the_opposite_difference():
    tests = pair(np.random.default_rng(9))
    swapped = [SplitScores(test.predictions[::-1], test.scores, test.content) for test in tests]
    first, second = contents_estimate(tests), contents_estimate(swapped)
    assert first.difference == -second.difference and first.error == pytest.approx(second.error)


def test_constant_scores_are_undefined_and_say_where():
    tests = pair(np.random.default_rng(10))
    tests[2].predictions[1] = 0.5
    assert not contents_estimate(tests).defined and "split 2 of 5" in contents_estimate(tests).reason
    assert "split 12 of 5" in contents_estimate(tests, [10, 11, 12, 13, 14]).reason


def test_a_single_split_has_the_error_over_its_contents():
    tests = pair(np.random.default_rng(14))[:1]
    estimate = contents_estimate(tests)
    assert estimate.error == contents_errors(tests)[0][0] > 0


def test_students_that_agree_on_every_image_are_undefined():
    tests = [
        SplitScores(test.predictions[[0, 0]], test.scores, test.content) for test in pair(np.random.default_rng(11))
    ]
    estimate = contents_estimate(tests)
    assert estimate.difference == 0 and not estimate.defined and estimate.reason


def test_students_compared_together_are_compared_as_alone():
    generator = np.random.default_rng(12)
    both = [
        SplitScores(
            np.vstack([test.predictions, generator.normal(size=(3, len(test.scores)))]), test.scores, test.content
        )
        for test in pair(generator, repeats=2)
    ]
    together, _ = contents_errors(both, 2)
    for place in range(2):
        alone = [SplitScores(test.predictions[[place, 2, 3, 4]], test.scores, test.content) for test in both]
        assert contents_errors(alone)[0][0] == pytest.approx(together[place])


def test_images_of_a_single_content_have_no_error():
    tests = [SplitScores(test.predictions, test.scores, 0 * test.content) for test in pair(np.random.default_rng(13))]
    assert np.isnan(contents_errors(tests)[0]).all()
