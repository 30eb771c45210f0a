"""The words of the simulated shoppers: search queries and reviews, in English and Chinese.

All text is invented here. It is drawn from a random generator and a star rating, never from money.
E-mail addresses use the domains that RFC 2606 reserves and phone numbers the range 555-0100 to 555-0199 that
the North American plan reserves for fiction, so that no masked value ever belonged to anybody.
"""

from __future__ import annotations

import random
from typing import Final, Literal

Language = Literal["en", "zh"]

_NAMES: Final = {
    "soft drinks": ("soft drinks", "汽水"),
    "fluid milk products": ("milk", "牛奶"),
    "baked bread buns rolls": ("bread", "面包"),
    "cheese": ("cheese", "奶酪"),
    "bag snacks": ("snacks", "零食"),
    "soup": ("soup", "罐头汤"),
    "yogurt": ("yogurt", "酸奶"),
    "beef": ("beef", "牛肉"),
    "frozen pizza": ("frozen pizza", "冷冻披萨"),
    "cold cereal": ("cereal", "麦片"),
    "tropical fruit": ("bananas", "香蕉"),
    "ice cream milk sherbet": ("ice cream", "冰淇淋"),
    "candy packaged": ("candy", "糖果"),
    "eggs": ("eggs", "鸡蛋"),
    "coffee": ("coffee", "咖啡"),
    "beers ales": ("beer", "啤酒"),
    "cookies cones": ("cookies", "饼干"),
    "juice": ("juice", "果汁"),
    "dog foods": ("dog food", "狗粮"),
    "laundry detergents": ("detergent", "洗衣液"),
}
CATEGORIES: Final[tuple[str, ...]] = tuple(_NAMES)
"""The categories that simulated shoppers browse: some of those that real ones buy most of."""

_QUERIES: Final = {
    "en": (
        "{}", "{} offers", "cheap {}", "best {}", "organic {}", "{} family pack", "{} near me", "{} sugar free",
        "{} for a party", "new {}", "{} delivery", "{} multipack", "low fat {}", "{} coupons",
    ),
    "zh": ("{}", "{}优惠", "进口{}", "{}家庭装", "有机{}", "{}哪个好", "便宜的{}", "{}配送"),
}  # fmt: skip

_PARTS: Final = {
    ("en", "good"): (
        ("I had hoped for good {} and got great ones.", "This {} never lasts a day in our house.",
         "Wonderful {}, from the first to the last bite.", "My family loves this {}.",
         "Easily the finest {} in the shop.", "I bought this {} for a friend and kept it."),
        ("It is fresh and full of flavour.", "The taste is just right.", "Not too sweet, not too salty.",
         "You can tell the care behind it.", "The quality is the same every week.", "Nothing artificial about it."),
        ("The pack closes well.", "It arrived two hours early.", "The packing was perfect.",
         "The label says what is in it.", "It keeps for a long time."),
        ("Highly recommended!", "I will order from this shop again.", "Worth every minute 😋",
         "Thank you 👍", "Buy it and see.", "Five stars from me."),
    ),
    ("en", "mixed"): (
        ("Average {} with little to remember.", "This {} is fine, no more than that.",
         "I expected a little more from this {}.", "We have had better {} already."),
        ("The taste is acceptable.", "The first pack was better than the second.",
         "The portions are far too small.", "The quality changes from week to week.", "It is a bit dull."),
        ("Delivery took the time they said.", "The label is hard to read.", "The box had a small dent.",
         "The pack is not quite what was shown."),
        ("Good enough for lunch.", "Try it before you buy more.", "I may keep it.", "Neither good nor bad."),
    ),
    ("en", "bad"): (
        ("Disappointing {}.", "I regret ordering this {}.", "This {} went straight into the bin.",
         "The worst {} I have had in years.", "This {} is a waste of a shelf."),
        ("It tastes of nothing.", "Two packs were past their date.",
         "It was stale.", "Far too much salt.", "Half of it was missing."),
        ("It came three hours late.", "The box arrived broken.", "The pack was open.",
         "Nobody answered my complaint."),
        ("I sent it back.", "Avoid it.", "I want a refund 😡", "Never again.", "One star is too many."),
    ),
    ("zh", "good"): (
        ("这款{}太好吃了，", "一直在找这种{}，终于买到了，", "喜欢{}的一定要试试，", "全家都爱这款{}，"),
        ("新鲜又好味道，", "口感刚刚好，", "不甜不腻，", "品质一直很稳定，"),
        ("包装完好，", "送货很快，", "标签清楚，", "比预计早到两小时，"),
        ("强烈推荐！", "下次还会再来。", "非常满意👍", "值得回购。"),
    ),
    ("zh", "mixed"): (
        ("这款{}一般，", "这种{}还可以，", "对这款{}期望高了一点，"),
        ("味道过得去，", "分量有点少，", "品质时好时坏，", "比较平淡，"),
        ("送货正常，", "盒子有点压坏，", "标签看不清，"),
        ("先少买点试试吧。", "不好也不坏。", "当午饭还行。"),
    ),
    ("zh", "bad"): (
        ("这款{}让人失望，", "后悔买了这种{}，", "吃过最差的{}，"),
        ("一点味道都没有，", "有两包过期了，", "不新鲜，", "少了一半，"),
        ("等了三个小时才到，", "盒子碎了，", "包装是开的，"),
        ("已经退货。", "不会再买了。", "要求退款😡"),
    ),
}  # fmt: skip

_CONTACTS: Final = {
    "en": (
        " Write to {name}@example.com if you want mine.",
        " Call me on +1 202-555-01{number:02d} about it.",
        " Questions? {name}@example.org or (212) 555-01{number:02d}.",
    ),
    "zh": (" 想交换请写信到{name}@example.com。", " 联系电话 +1 202-555-01{number:02d}。"),
}
_CONTACT_NAMES: Final = ("cook", "tea.fan", "big.family", "night.shopper", "second.helping")

_ADVERTS: Final = (
    "CHEAP {}!!! Visit https://deals{}.example.com NOW and use code SAVE{} for 90% OFF!!!",
    "Best price guaranteed >>> www.example.net/{}{} <<< click here, limited offer, free gift {}",
    "加微信领取{}优惠券，点击 https://shop{}.example.com ，满{}减一半，限时抢购！！！",
)
_KEYS: Final = "asdfghjklqwertyuiopzxcvbnm"


def query(rng: random.Random, category: str, language: Language) -> str:
    """Draw a search query about `category`; the k-th template has weight 1/k (Zipf's law)."""
    templates = _QUERIES[language]
    weights = [1 / rank for rank in range(1, len(templates) + 1)]
    return rng.choices(templates, weights)[0].format(_name(category, language))


def review(rng: random.Random, category: str, language: Language, rating: int) -> str:
    """Draw the text of a review whose wording agrees with its rating, but for one in twenty.

    Args:
        rng: the source of chance.
        category: what it is about; one that is not among `CATEGORIES` is named as it is, in both languages.
        language: of the text.
        rating: stars, 1 to 5; 4 and 5 sound good, 3 mixed, 1 and 2 bad.
    """
    mood = "good" if rating >= 4 else "mixed" if rating == 3 else "bad"
    if rng.random() < 0.05:
        mood = rng.choice(("good", "mixed", "bad"))
    joint = " " if language == "en" else ""
    text = joint.join(rng.choice(part) for part in _PARTS[language, mood]).format(_name(category, language))
    if rng.random() < 0.03:
        contact = rng.choice(_CONTACTS[language])
        text += contact.format(name=rng.choice(_CONTACT_NAMES), number=rng.randrange(100))
    return text


def noise(rng: random.Random, category: str) -> str:
    """Draw the text of a worthless review: advertising, or keys struck at random."""
    if rng.random() < 0.6:
        return rng.choice(_ADVERTS).format(category, rng.randrange(1, 100), rng.randrange(10, 1000))
    words = ("".join(rng.choices(_KEYS, k=rng.randint(4, 12))) for _ in range(rng.randint(3, 9)))
    return " ".join(words)


def _name(category: str, language: Language) -> str:
    english, chinese = _NAMES.get(category, (category, category))
    return english if language == "en" else chinese
