from pipeline.learning.copies import RICH, Seen, facts


def seen(*pairs, doc_id="a"):
    return [Seen(original, surface, doc_id) for original, surface in pairs]


MANY = [("提高", "进步"), ("认识", "意识"), ("正常", "畸形"), ("责任", "义务")] * (RICH // 4)


def test_a_document_with_many_substitutions_is_believed():
    found = facts(seen(*MANY))
    assert found["提高", "进步"].times == RICH // 4
    assert found["提高", "进步"].documents == 1


def test_one_with_few_is_an_editors_unless_another_document_agrees():
    assert facts(seen(("提高", "进步"))) == {}
    found = facts([*seen(("提高", "进步")), *seen(("提高", "进步"), doc_id="b")])
    assert found["提高", "进步"] == (2, 2)


def test_numbers_letters_and_long_stretches_are_no_pairs():
    odd = [("3月", "5月"), ("A股", "B股"), ("提高了工作水平", "进步"), ("，", "。")]
    assert facts(seen(*odd, *MANY)).keys() == set(MANY)


def test_what_is_rare_beside_another_surface_is_a_slip():
    found = facts(seen(*[("提高", "进步")] * 40, ("提高", "提升"), *MANY))
    assert ("提高", "提升") not in found


def test_what_always_stands_beside_half_a_word_belongs_to_it():
    company = [one._replace(doc_id=f"{at}") for at in range(4) for one in seen(*MANY)]
    half = [Seen("仅", "只", f"{at}", "不", behind) for at, behind in enumerate("能会是要")]
    assert ("不仅", "不只") in facts([*half, *company])
    free = [Seen("大", "年夜", f"{at}", before, before) for at, before in enumerate("很最更")]
    assert ("大", "年夜") in facts([*free, *company])


def test_what_is_no_word_is_believed_if_it_comes_often():
    pair = ("大", "年夜")
    marks = [Seen(*pair, f"{at}", before, before) for at, before in enumerate("很最更")]
    company = [one._replace(doc_id=f"{at}") for at in range(3) for one in seen(*MANY)]
    assert pair in facts([*marks, *company])
    assert pair not in facts([*marks[:2], *company])


def test_a_document_in_which_names_were_changed_is_no_tools():
    names = [("王芳", "李强敏"), ("赵六七", "孙八九"), ("甲乙丙", "丁戊己")] * 4
    assert facts([*seen(*names), *seen(*MANY[:4])]) == {}


def test_documents_of_a_tool_that_changes_single_characters_are_a_tools():
    marks = [("点", "面"), ("大", "年夜"), ("近", "远"), ("平", "仄")] * RICH
    pages = [one for at in range(3) for one in seen(*marks, *MANY, doc_id=f"{at}")]
    assert facts(pages).keys() == {*marks, *MANY}


def test_what_single_characters_explain_is_no_pair_of_words():
    marks = [("点", "面"), ("大", "年夜"), ("近", "远"), ("平", "仄")]
    words = [("一点", "一面"), ("大家", "年夜家"), ("习近平", "习远仄")]
    pages = [one for at in range(3) for one in seen(*marks, *words, *MANY, doc_id=f"{at}")]
    found = facts(pages)
    assert found.keys() == {*marks, *MANY}
    assert found["点", "面"].times == found["近", "远"].times == 6
