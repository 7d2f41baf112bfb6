import multiprocessing

import pytest
from pydantic import ValidationError
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from models.digits.model import Model, train
from models.digits.schema import EXAMPLE, MAX_BATCH, Input, Output


@pytest.fixture(scope="module")
def model():
    return Model()


@pytest.fixture(scope="module")
def inputs():
    images, _ = load_digits(return_X_y=True)
    return [Input(pixels=tuple(row)) for row in images[:MAX_BATCH].tolist()]


@pytest.mark.parametrize("shade", [-0.1, 16.1, float("nan"), float("inf"), True, "3", None])
def test_refuses_what_is_no_shade(shade):
    with pytest.raises(ValidationError) as refused:
        Input.model_validate({"pixels": [*EXAMPLE[:63], shade]})
    assert refused.value.errors()[0]["loc"] == ("pixels", 63)


@pytest.mark.parametrize("count", [0, 63, 65])
def test_refuses_another_number_of_pixels(count):
    with pytest.raises(ValidationError):
        Input.model_validate({"pixels": [0] * count})


def test_accepts_whole_and_broken_numbers():
    assert Input.model_validate({"pixels": [0] * 63 + [15.5]}).pixels[63] == 15.5


def test_the_example_is_a_real_row_and_recognised(model):
    images, digits = load_digits(return_X_y=True)
    assert images[2].tolist() == EXAMPLE
    assert model.predict(Input.model_validate({"pixels": EXAMPLE})).digit == digits[2] == 2


def test_answers_with_ten_probabilities_that_sum_to_one(model, inputs):
    for output in model.predict_batch(inputs):
        assert len(output.probabilities) == 10
        assert sum(output.probabilities) == pytest.approx(1)
        assert output.probabilities[output.digit] == max(output.probabilities)


def test_a_batch_gives_exactly_what_one_by_one_gives(model, inputs):
    assert model.predict_batch(inputs) == [model.predict(each) for each in inputs]


def test_two_loads_are_the_same_model(model, inputs):
    assert Model().predict_batch(inputs) == model.predict_batch(inputs)


def test_recognises_images_it_was_not_trained_on():
    images, digits = load_digits(return_X_y=True)
    seen, unseen, answers, truth = train_test_split(images, digits, test_size=0.25, stratify=digits, random_state=0)
    assert train(seen, answers).score(unseen, truth) > 0.96


# Python 3.12 and later warn of a fork beside threads, which other tests' libraries may have started.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_forked_child_predicts_the_same(model, inputs):
    here = model.predict_batch(inputs)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=lambda: theirs.send(model.predict_batch(inputs)), daemon=True)
    child.start()
    try:
        assert ours.poll(30), "the child does not answer"
        assert ours.recv() == here
    finally:
        child.kill()
        child.join()
        child.close()
        ours.close()
        theirs.close()


@pytest.mark.parametrize(
    ("digit", "probabilities"),
    [
        (10, [0.1] * 10),
        (-1, [0.1] * 10),
        (3, [0.1] * 9),
        (3, [0.2] * 10),
        (3, [1.1, -0.1] + [0.0] * 8),
        (3, [float("nan")] + [0.1] * 9),
    ],
)
def test_the_output_refuses_what_is_no_answer(digit, probabilities):
    with pytest.raises(ValidationError):
        Output.model_validate({"digit": digit, "probabilities": probabilities})
