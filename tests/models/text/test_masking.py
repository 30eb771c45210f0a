"""Personal data is masked in every spelling; prices, years, models and quantities stay."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.text.masking import mask

PERSONAL = {
    "write to jane.doe+shop@mail.example.co.uk please": "write to [EMAIL] please",
    "邮箱foo_1@qq.com，谢谢": "邮箱[EMAIL]，谢谢",
    "...jane@example.com.": "...[EMAIL].",
    "foo@qq.com13800138000": "[EMAIL]",
    "a@b.com,c@d.org": "[EMAIL],[EMAIL]",
    "[a@example.com]": "[[EMAIL]]",
    "13800138000": "[PHONE]",
    "电话13800138000微信同号": "电话[PHONE]微信同号",
    "138 0013 8000": "[PHONE]",
    "138-0013-8000": "[PHONE]",
    "13800138000,13900139000": "[PHONE],[PHONE]",
    "+86 138 0013 8000": "[PHONE]",
    "(+86)13800138000": "[PHONE]",
    "0086 13800138000": "[PHONE]",
    "86-13800138000": "[PHONE]",
    "010-88888888": "[PHONE]",
    "(010) 8888 8888": "[PHONE]",
    "0755-26771234": "[PHONE]",
    "400-820-8820": "[PHONE]",
    "+44 20 7946 0958 today": "[PHONE] today",
    "+1 415 555 2671": "[PHONE]",
    "+1(415)555-2671": "[PHONE]",
    "(415) 555-2671": "[PHONE]",
    "call 555-123-4567.": "call [PHONE].",
    "415.555.2671": "[PHONE]",
    "1-800-234-5678": "[PHONE]",
    "4155552671": "[PHONE]",
    "tel:13800138000vx": "tel:[PHONE]vx",
    "4111111111111111": "[CARD]",
    "4111 1111 1111 1111": "[CARD]",
    "4111-1111-1111-1111": "[CARD]",
    "4111 1111 1111 1111 2 pieces": "[CARD] 2 pieces",
    "4000 4111 1111 1111 1111": "4000 [CARD]",
    "3782 822463 10005": "[CARD]",
    "30569309025904": "[CARD]",
    "6222 0212 3456 7890 128": "[CARD]",
    "11010519491231002X": "[ID]",
    "11010519491231002x": "[ID]",
    "身份证110105 19491231 002X，谢谢": "身份证[ID]，谢谢",
    "110105-19491231-002X": "[ID]",
    "SSN 536-90-4399": "SSN [ID]",
    "4111111111111111 13800138000 a@b.com 536-90-4399": "[CARD] [PHONE] [EMAIL] [ID]",
}

IMPERSONAL = [
    "$1,299.00",
    "¥5999",
    "1,000,000.00",
    "iPhone 15",
    "RTX 4090",
    "2023-11-29 12:30:45",
    "2023年11月29日",
    "1000 pcs, 3 boxes",
    "10 20 30 40 50 60 70 80",
    "order 112-7563829-1192837",
    "order 20231129123456",
    "订单号 2023112912345678",
    "4111111111111112",
    "110105194912310021",
    "000-12-3456",
    "ISBN 9787111128069",
    "ISBN 978-0-306-40615-7",
    "1920x1080 144Hz",
    "192.168.100.200",
    "B07XYZ1234567",
    "12345678",
    "1234567890123",
    "15400138000",
    "@home 100%",
    "a @ b.com",
]


@pytest.mark.parametrize(("text", "masked"), PERSONAL.items())
def test_personal_data_is_replaced_by_its_kind(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize("text", IMPERSONAL)
def test_other_numbers_stay(text: str) -> None:
    assert mask(text) == text


def test_a_card_is_not_taken_for_a_telephone_number() -> None:
    assert mask("6222138001380002") == mask("6222 1380 0138 0002") == "[CARD]"


NUMBERS = "13800138000 11010519491231002X 536-90-4399 (415) 555-2671 a@b.com +86 00 86 010 4000 1 23 456 7890"
PIECES = st.sampled_from([*NUMBERS.split(), *" -.()+@xX[好,", "4111 1111 1111 1111"])


@given(st.lists(PIECES, max_size=12).map("".join))
@example("4111 1111 1111 1112 13800138000")
@example("a@b.com7890a@b.com")
@example("a@b.com..@c.de")
@example("13800138000(415)555-2671")
@example("11010519491231002X13800138000")
@example("13800138000+4420 7946 0958")
def test_masking_again_changes_nothing(text: str) -> None:
    assert mask(mask(text)) == mask(text)


@given(st.text())
def test_a_text_with_too_few_digits_and_no_at_sign_is_untouched(text: str) -> None:
    harmless = "".join(character for character in text if character != "@" and not "0" <= character <= "9")
    assert mask(harmless) == harmless
