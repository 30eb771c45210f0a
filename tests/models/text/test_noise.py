"""Advertising and gibberish are told from what shoppers write, in English and in Chinese."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.patience import PATIENCE_S

from models.text import cleaning, lexicon, noise
from models.text.noise import fingerprint, is_noisy, reason

GENUINE = [
    "",
    "ok",
    "好",
    "Good!!!",
    "很好很好",
    "哈哈哈哈",
    "soooo good",
    "lol",
    "👍👍👍",
    ":)",
    "666666",
    "五星好评",
    "不错不错不错",
    "hmmmm",
    "grrrrr",
    "yyds",
    "no no no no no!",
    "Brrrr too cold",
    "pfft",
    "zzz",
    "rtx 4090 ti",
    "xps 13 9310",
    "usb-c hub 7-in-1",
    "b07xyz123",
    "qwerty keyboard",
    "hdmi cctv dslr",
    "ddr5 32gb 6000mhz",
    "m.2 nvme ssd 2tb",
    "iphone 15 pro max 256gb",
    "xbox",
    "lvmh",
    "wd-40",
    "3M vhb tape",
    "c++ primer",
    "R&B vinyl",
    "nvidia gtx",
    "samsung qled 55",
    "ps5 dualsense",
    "airpods",
    "6901234567892",
    "1234567890123",
    "tws bt5.3",
    "hjkl vim keyboard",
    "szczecin guide",
    "strengths finder",
    "catchphrase game",
    "watchstrap 22mm",
    "free shipping",
    "100% cotton",
    "bpa free bottle",
    "100% free of BPA",
    "wechat stickers book",
    "whatsapp for business guide",
    "telegram for dummies",
    "qq音乐会员",
    "微信公众号运营 书",
    "兼职笔记本电脑",
    "wireless earbuds under $50",
    "羽绒服 男 加厚",
    "T恤",
    "华为mate60",
    "加湿器",
    "加热垫",
    "v领毛衣",
    "加绒v领",
    "tkl mechanical keyboard pbt keycaps",
    "hp 14-dq0002dx",
    "lg 27gp850-b",
    "ptfe tube 4mm",
    "pvc mdf",
    "xhtml css",
    "https",
    "bjj gi",
    "vltava",
    "dyson v15",
    "rhythm",
    "nymph",
    "fjallraven kanken",
    "jbl flip 6",
    "jvc",
    "mjx drone",
    "tp-link",
    "kvm switch hdmi dp",
    "The battery lasts two days, as described at https://www.apple.com/iphone.",
    "Bought it from amazon.com and it arrived in time.",
    "My order 112-7563829-1192837 came a day late.",
    "订单号 202311291234567，物流很快",
    "比官网 https://www.mi.com 便宜200块",
    "客服让我加微信返现，差评",
    "卖家要求我加微信abc12345退款，太烦了",
    "The seller asked me to contact them on whatsapp +1 415 555 2671 for a refund.",
    "这些好评都是刷单的吧",
    "学生兼职攒钱买的，很满意",
    "双十一抢购的，用了优惠券和红包，限时秒杀，很划算",
    "免费领取的赠品没收到",
    "I earn my living with it and it works from home too.",
    "Works great!!! Love it!!!!!! <3 <3",
    "!!!!!",
    "？？？",
    "。。。。",
    "---",
    "(^_^)",
    ">_<",
    "质量不错，颜色有A款B款C款D款可以选",
    "买了M码L码都有点大",
    "Super, super, super happy!",
    "very very very very good product",
    "nice nice nice",
    "今天收到货啦，包装完好，开机速度飛快",
    "這個商品品質很好，物流也很快，推薦給大家",
    "買った商品はとても良いです",
    "정말 좋은 제품입니다 추천해요",
    "Отличный товар, всем советую",
    "Sehr gute Qualität, Strumpfhosen passen",
    "C'est très bien!",
    "It's great &amp; cheap<br/>would buy again",
    "5/5",
    "10/10",
    "A+",
    "$899 was a fair price; $799 now :(",
    "I make $15 an hour and this was worth it.",
    "Call quality is poor, wrong number of pixels, click sound here and there",
    "The link https://example.com/manual explains how to visit settings.",
    "充电器5V/3A 9V/2A，typec接口",
    "尺寸:120*60*75cm，重量:12.5kg",
    "加了微信群，客服很热情",
    "手机号换了，登录不上微信12345",
    "Great phone for WhatsApp and Telegram. 5000 mAh battery.",
    "QQ同步助手不能用",
    "fits my vw golf mk7",
    "ok ok ok",
    "哈哈哈哈哈哈哈哈哈哈",
    "好好好好好好好好",
    "a",
    "1",
    "  ",
    "。",
    "<b></b>",
    "Tested with WhatsApp: works fine.",
    "works with whatsapp galaxy s23",
    "增加wxpython支持",
    "增加qq music",
    "I make $500 a week, worth it",
    "微信：支付方便",
    "My kid typed asdf on it, keys feel fine",
    "thx ppl",
    "btw the mfr shld fix it",
    "ergo kbd",
    "bjork cd",
    "fjord",
    "Bjorn Borg",
    "przyszla szybko wszystko zgodne z opisem",
    "mfg pkg rx",
    "¯\\_(ツ)_/¯",
]

NOISE = {
    "advertising_contact": [
        "加微信 abc12345 详聊",
        "加VX：shop8888 有优惠",
        "+V：deal_888",
        "加v：abc888",
        "加 微 信 : w x 8 8 8 8 8",
        "联系QQ：123456789",
        "QQ 123456789 低价出售",
        "加我微信领红包",
        "加微信shopboss",
        "微信：shopboss",
        "wx:bossshop",
        "需要的加q群 123456789",
        "微信号：best_deal01",
        "Contact me on WhatsApp +1 (415) 555-2671 for cheap phones",
        "Add me on telegram @cheap_deals",
        "WhatsApp: +86 138 0013 8000",
        "DM on Telegram: fastcash2024",
        "wechat id: seller_9988",
        "加ｖｘ：ａｂｃ１２３４５",
        "\u52a0\u200b\u5fae\u200b\u4fe1\u200babc12345",
    ],
    "advertising_link": [
        "Visit our store https://cheap-shop.xyz/deal today",
        "www.a.com www.b.com www.c.com",
        "点击 http://t.cn/Abc123 领取优惠券",
        "best price at www.spam.com, order now!",
        "复制这条信息打开淘宝 https://m.tb.cn/h.abc",
        "use code SAVE20 at http://x.shop/",
    ],
    "advertising_slogan": [
        "刷单兼职，日结500",
        "兼职日结，在家就能做",
        "代开发票",
        "免费领取iphone",
        "立即免费领取",
        "CLICK HERE to win",
        "Earn $$$ from home",
        "Make $5000 a week working from home",
        "100% free!!!",
        "buy followers cheap",
        "招聘兼职，日赚300元",
        "轻松赚钱月入过万",
        "Act now! Limited time offer!",
        "高薪诚招，名额有限",
        "澳门新葡京线上娱乐",
        "Work from home, earn money in your spare time",
    ],
    "repetition": [
        "好好好好好好好好好好好好好好好好好好好好好好好好",
        "good good good good good good good good good good",
        "很好很好很好很好很好很好很好很好很好很好很好很好",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "1111111111111111111111111",
        "物流快，物流快，物流快，物流快，物流快，物流快，物流快，物流快",
        "abcabcabcabcabcabcabcabcabcabc",
        "buy buy buy buy buy buy buy buy buy",
        "........................................",
    ],
    "gibberish_keyboard": [
        "asdfghjkl",
        "asdfasdf asdf",
        "sdkfjhskdjfh wkjehrkjwhr",
        "fjdksla jfkdls ajfkdl",
        "qwertyuiop",
        "zxcvbnm,,,",
        "xkcjvbxkcjvb",
        "hjkl hjkl hjkl",
        "dfgdfgdfg",
        "kjhgkjhgkjhg",
        "bcdfgh jklmnp",
    ],
    "gibberish_symbols": [
        "@#$%^&*()",
        "#$%@!&*~+=",
        "%%%$$$###@@@&&&",
    ],
    "gibberish_characters": [
        "啊a啊s啊d啊f啊g啊h",
        "锟斤拷锟斤拷",
        "丂丄丅丆丏丒丗",
        "\ufffd\ufffd\ufffd\ufffd",
    ],
}


@pytest.mark.parametrize("text", GENUINE)
def test_what_a_shopper_writes_is_not_noise(text: str) -> None:
    assert reason(text) is None
    assert not is_noisy(text)


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, texts in NOISE.items() for text in texts])
def test_noise_is_named_by_the_rule_that_found_it(rule: str, text: str) -> None:
    assert reason(text) == rule
    assert is_noisy(text)


def test_every_rule_has_a_labelled_example() -> None:
    assert [rule for rule, _ in noise.RULES_IN_ORDER] == list(NOISE)


def test_disguises_do_not_hide_an_advertisement() -> None:
    plain = "加微信abc12345"
    disguised = [
        "加微信ＡＢＣ１２３４５",
        "加\u200b微\u200b信abc12345",
        "<b>加微信</b>abc12345",
        "加微信&#97;bc12345",
        "加 微 信 abc12345",
    ]
    assert {reason(text) for text in [plain, *disguised]} == {"advertising_contact"}


@given(st.text(st.characters()))
def test_any_text_is_judged_by_a_known_rule_or_none(text: str) -> None:
    assert reason(text) in {None, *NOISE}
    assert is_noisy(text) == (reason(text) is not None)


HOSTILE = [
    *(
        piece * (32768 // len(piece))
        for piece in ["<", "&amp;", "@", "1", "a.", "1 ", "加", "加v", "+", "qq", "qq ", "vx:", "earn "]
    ),
    *(
        piece * (10000 // len(piece))
        for piece in ["ﷺ", "啊a", "加微信", "earn $", "免费领取", "a,", "丂", "é", "\ufffd", "\ud800"]
    ),
    "".join(chr(0x4E00 + i % 20000) for i in range(10000)),
    "ab" * 10000 + "c" * 10000,
    "q" * 16000 + " " + "加" * 5000,
]


@pytest.mark.timeout(PATIENCE_S)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_of_the_largest_size_are_judged(text: str) -> None:
    assert reason(text) in {None, *NOISE}


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (noise, "MANY_LINKS", 5),
        (noise, "HANDLE", noise.WORD),
        (noise, "RULES_IN_ORDER", noise.RULES_IN_ORDER[::-1]),
        (lexicon, "WEAK_SLOGANS", ("act now",)),
        (cleaning, "MAX_MARKS", 3),
    ],
)
def test_a_changed_rule_changes_the_fingerprint(
    monkeypatch: pytest.MonkeyPatch, module: object, name: str, value: object
) -> None:
    before = fingerprint()
    assert len(bytes.fromhex(before)) == 32
    monkeypatch.setattr(module, name, value)
    assert fingerprint() != before
