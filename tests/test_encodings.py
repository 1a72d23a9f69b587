"""Decoding: right about every encoding we name, strict, and clear about what it refuses."""

import codecs
import random

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pipeline.encodings import (
    BYTE_ORDER_MARKS,
    CANDIDATES,
    MOST_DAMAGED,
    SIGNATURES,
    WINDOW_BYTES,
    Decoded,
    UndecodableError,
    decode,
    detect,
)
from pipeline.schema import REASONS

SIMPLIFIED = (
    "昨天下午，市里开了一个会，说的是老城区的供水问题。有人问：“今年冬天还会停水吗？”负责的同志"
    "回答说，管道已经检查过两次，只要气温不低于零下十度，就不会出事。大家听了以后比较放心，但是也"
    "提出了几点意见：第一，热线电话要有人接；第二，停水之前应当通知到每一户；第三，修好以后路面要"
    "恢复原样。会议开了三个小时，2019年的工作就这样定了下来。"
)
TRADITIONAL = (
    "昨天下午，市裡開了一個會，說的是老城區的供水問題。有人問：「今年冬天還會停水嗎？」負責的同志"
    "回答說，管道已經檢查過兩次，只要氣溫不低於零下十度，就不會出事。大家聽了以後比較放心，但是也"
    "提出了幾點意見：第一，熱線電話要有人接；第二，停水之前應當通知到每一戶；第三，修好以後路面要"
    "恢復原樣。會議開了三個小時，2019年的工作就這樣定了下來。"
)
BY_ENCODING = {
    "utf-8": SIMPLIFIED + TRADITIONAL,
    "gb18030": SIMPLIFIED,
    "big5hkscs": TRADITIONAL,
    "utf-16-le": SIMPLIFIED + TRADITIONAL,
    "utf-16-be": SIMPLIFIED + TRADITIONAL,
}
FRAGMENT_BYTES = 60

# Text without NULs, as `decode` calls those binary; it takes off a mark, so none at the start.
plain_text = st.text(st.characters(codec="utf-8", exclude_characters="\0")).filter(
    lambda text: not text.startswith("\ufeff")
)


def is_binary_looking(data: bytes) -> bool:
    return any(data.startswith(signature) for signature, _ in SIGNATURES)


def fragments(encoding: str) -> list[bytes]:
    """Pieces of at most `FRAGMENT_BYTES`, from every tenth character on."""
    text = BY_ENCODING[encoding]
    pieces = []
    for start in range(0, len(text) - FRAGMENT_BYTES // 2, 10):
        end = start
        while len(text[start : end + 1].encode(encoding)) <= FRAGMENT_BYTES:
            end += 1
        pieces.append(text[start:end].encode(encoding))
    return pieces


@pytest.mark.parametrize("encoding", BY_ENCODING)
def test_sixty_bytes_are_enough(encoding: str) -> None:
    found = [decode(fragment).encoding for fragment in fragments(encoding)]
    assert found == [encoding] * len(found)
    assert len(found) > 10


@pytest.mark.parametrize("encoding", [name for name in BY_ENCODING if name != "utf-8"])
@settings(derandomize=True, deadline=None)
@given(data=st.data())
def test_shuffled_common_characters_round_trip(encoding: str, data: st.DataObject) -> None:
    han = sorted({character for character in BY_ENCODING[encoding] if character > "\x7f"})
    text = "".join(data.draw(st.lists(st.sampled_from(han), min_size=30, unique=True)))
    assert decode(text.encode(encoding)) == (text, encoding, 0)


@settings(deadline=None)
@given(plain_text)
@example("ASCII only\r\n")
@example("")
def test_any_text_survives_utf_8(text: str) -> None:
    data = text.encode()
    assume(not is_binary_looking(data))
    assert decode(data) == (text, "utf-8", 0)


@pytest.mark.parametrize(("mark", "encoding"), BYTE_ORDER_MARKS)
@settings(deadline=None)
@given(text=plain_text)
def test_any_text_survives_with_a_mark(mark: bytes, encoding: str, text: str) -> None:
    codec = {
        codecs.BOM_UTF16_LE: "utf-16-le",
        codecs.BOM_UTF16_BE: "utf-16-be",
        codecs.BOM_UTF32_LE: "utf-32-le",
        codecs.BOM_UTF32_BE: "utf-32-be",
    }.get(mark)
    codec = codec or encoding.removesuffix("-sig")
    assert decode(mark + text.encode(codec)) == (text, encoding, 0)


def outcome(data: bytes) -> Decoded | UndecodableError:
    try:
        return decode(data)
    except UndecodableError as error:
        return error


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_are_decoded_in_full_or_refused(data: bytes) -> None:
    found = outcome(data)
    if isinstance(found, UndecodableError):
        assert found.reason in REASONS
        assert 0 < len(found.detail) <= 200
        assert found.detail.isprintable()
    elif found.damaged:
        assert "\ufffd" in found.text
        assert found.damaged <= max(3, len(data) * MOST_DAMAGED + 3)
    else:
        assert data.decode(found.encoding).removeprefix("\ufeff") == found.text


@settings(deadline=None)
@given(st.binary(max_size=2000))
def test_detect_never_raises(head: bytes) -> None:
    "".encode(detect(head))


@pytest.mark.parametrize("encoding", BY_ENCODING)
def test_detect_forgives_what_decode_refuses(encoding: str) -> None:
    data = bytearray(BY_ENCODING[encoding].encode(encoding))
    assert detect(bytes(data[:-1])) == encoding
    data[101] = 0xFF
    assert detect(bytes(data)) == encoding


@pytest.mark.parametrize("encoding", BY_ENCODING)
def test_a_file_cut_in_mid_character_keeps_the_rest(encoding: str) -> None:
    text = BY_ENCODING[encoding]
    data = text.encode(encoding) + "中".encode(encoding)[:-1]
    assert decode(data) == (text + "\ufffd", encoding, len(data) - len(text.encode(encoding)))


def test_one_wrong_byte_does_not_change_the_encoding() -> None:
    data = bytearray(SIMPLIFIED.encode("gb18030") * 50)
    assert data[6000] >= 0x80
    data[6000] = 0xFF
    text, encoding, damaged = decode(bytes(data))
    assert (encoding, damaged, text.count("\ufffd")) == ("gb18030", 2, 1)  # and its other half
    assert len(text) >= len(SIMPLIFIED) * 50 - 1


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "big5hkscs"])
def test_too_many_wrong_bytes_are_no_text(encoding: str) -> None:
    data = bytearray(BY_ENCODING[encoding].encode(encoding))
    draw = random.Random(1)
    for at in draw.sample(range(len(data)), len(data) // 4):
        data[at] = 0xFF
    with pytest.raises(UndecodableError) as caught:
        decode(bytes(data))
    assert caught.value.reason in {"undecodable", "binary_file"}


def test_a_few_nuls_are_damage_and_many_are_no_text() -> None:
    data = SIMPLIFIED.encode("gb18030")
    assert decode(data[:30] + b"\0\0" + data[30:])[1:] == ("gb18030", 2)
    with pytest.raises(UndecodableError, match="NUL at character") as caught:
        decode(b"\0".join([data[at : at + 6] for at in range(0, len(data), 6)]))
    assert caught.value.reason == "binary_file"


@pytest.mark.parametrize("encoding", ["gb18030", "big5hkscs", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("ascii_bytes", [0, 1, 255, 3 * WINDOW_BYTES, 40 * WINDOW_BYTES + 1])
def test_ascii_in_front_does_not_hide_the_evidence(encoding: str, ascii_bytes: int) -> None:
    text = "<p> </p>\n" * (ascii_bytes // 9) + "x" * (ascii_bytes % 9) + BY_ENCODING[encoding]
    assert decode(text.encode(encoding)) == (text, encoding, 0)


def test_evidence_is_taken_from_the_whole_file() -> None:
    # At the head two characters that Big5 makes likelier; the rest is in GB18030.
    head = "\N{HIRAGANA LETTER A}ｱ\n" * 3
    text = head + "x" * WINDOW_BYTES + "\n" + (SIMPLIFIED + "\n") * 100
    assert decode(text.encode("gb18030")) == (text, "gb18030", 0)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("latin-1", "Über die Straße gehen schöne Mädchen, und Größe zählt für Käufer. "),
        ("cp1252", "L’été dernier, nous avons mangé à la crêperie : ça coûtait 12 € à peine. "),
        ("cp1251", "Сегодня в Москве хорошая погода, люди гуляют по паркам и улицам. "),
        ("euc_kr", "오늘 서울의 날씨는 맑고 기온은 이십 도입니다. 많은 사람들이 산책을 합니다. "),
        ("cp874", "วันนี้อากาศดีมากผู้คนเดินเล่นในสวนสาธารณะและตามถนน"),
        ("cp1253", "Σήμερα ο καιρός είναι καλός στην Αθήνα και οι άνθρωποι περπατούν. "),
        ("shift_jis", "日本語の文章を書くときは、漢字とひらがなを混ぜて使います。"),
    ],
)
def test_other_scripts_are_refused(encoding: str, text: str) -> None:
    with pytest.raises(UndecodableError) as caught:
        decode((text * 5).encode(encoding))
    assert caught.value.reason == "undecodable"


@pytest.mark.parametrize("size", [40, 300, 5000, 100_000])
def test_noise_is_refused(size: int) -> None:
    for seed in range(20):
        with pytest.raises(UndecodableError):
            decode(random.Random(seed).randbytes(size))


def test_symbols_and_rare_characters_of_gb18030_pass() -> None:
    for odd in ("─│┌┐└┘├┤" * 5, "ⅠⅡⅢ①②③℃％" * 5, "あいうえおアイウエオ" * 5, "珅镕堃喆" * 2):
        text = SIMPLIFIED[:40] + odd
        assert decode(text.encode("gb18030")) == (text, "gb18030", 0)


@pytest.mark.parametrize(("signature", "what"), SIGNATURES)
def test_signatures_are_binary(signature: bytes, what: str) -> None:
    with pytest.raises(UndecodableError, match=what.split("(", maxsplit=1)[0]) as caught:
        decode(signature + SIMPLIFIED.encode())
    assert caught.value.reason == "binary_file"


def test_tables_are_without_shadows() -> None:
    for table in (BYTE_ORDER_MARKS, SIGNATURES):
        starts = [start for start, _ in table]
        assert not [a for at, a in enumerate(starts) for b in starts[at + 1 :] if b.startswith(a)]
    assert len(set(CANDIDATES)) == len(CANDIDATES)
    for name in CANDIDATES:
        codecs.lookup(name)
