import random

from pipeline.learning.families import families

WORDS = [f"词{at}" for at in range(60)]


def documents(tools: int, each: int, seed: int) -> list[dict[str, str]]:
    rng = random.Random(seed)
    lists = [{word: f"{word}{rng.randint(0, 3)}" for word in WORDS} for _ in range(tools)]
    return [
        {word: lists[tool][word] for word in rng.sample(WORDS, 20)}
        for _ in range(each)
        for tool in range(tools)
    ]


def test_documents_of_one_tool_are_one_family():
    found = families(documents(3, 30, seed=1))
    assert [len(one.documents) for one in found] == [30, 30, 30]
    assert all(len({at % 3 for at in one.documents}) == 1 for one in found)


def test_a_document_with_choices_of_its_own_is_in_none():
    rng = random.Random(2)
    odd = {word: f"{word}别{rng.random()}" for word in WORDS[:20]}
    found = families([*documents(1, 12, seed=2), odd])
    assert [one.documents for one in found] == [list(range(12))]


def test_few_documents_are_no_family():
    assert families([]) == []
    assert families(documents(1, 3, seed=3)) == []


def test_the_order_of_the_documents_does_not_decide():
    own = documents(2, 20, seed=4)
    turned = families(own[::-1])
    assert sorted(len(one.documents) for one in turned) == [20, 20]
