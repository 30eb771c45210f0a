"""The words of the simulated shoppers: categories, search queries and reviews, in English and Chinese.

All text is invented here. It is drawn from a random generator and a star rating, never from money.
E-mail addresses use the domains that RFC 2606 reserves and phone numbers the range 555-0100 to 555-0199 that
the North American plan reserves for fiction, so that no masked value ever belonged to anybody.
"""

from __future__ import annotations

import random
from typing import Final, Literal

Language = Literal["en", "zh"]

_GENRES: Final = {
    "rock": ("rock", "摇滚"),
    "pop": ("pop", "流行"),
    "classical": ("classical", "古典"),
    "jazz": ("jazz", "爵士"),
    "country": ("country", "乡村"),
    "blues": ("blues", "蓝调"),
    "folk": ("folk", "民谣"),
    "soul": ("soul", "灵魂乐"),
    "hip-hop": ("hip hop", "说唱"),
    "electronic": ("electronic", "电子"),
    "soundtracks": ("soundtrack", "电影原声"),
    "opera": ("opera", "歌剧"),
    "world": ("world music", "世界音乐"),
    "latin": ("latin", "拉丁"),
    "reggae": ("reggae", "雷鬼"),
    "metal": ("metal", "金属"),
    "punk": ("punk", "朋克"),
    "gospel": ("gospel", "福音"),
    "new-age": ("new age", "新世纪"),
    "children": ("children's songs", "儿歌"),
}
CATEGORIES: Final[tuple[str, ...]] = tuple(_GENRES)
"""The closed list of categories, the most popular first."""

_QUERIES: Final = {
    "en": (
        "{} cd", "best {} albums", "new {} releases", "{} box set", "{} greatest hits", "live {} recordings",
        "{} compilation", "{} for beginners", "rare {} imports", "{} remastered", "instrumental {}",
        "{} christmas album", "{} duets", "{} gift set",
    ),
    "zh": ("{}专辑", "{}精选", "{}新碟", "{}套装", "{}现场录音", "经典{}", "{}合辑", "进口{}唱片"),
}  # fmt: skip

_PARTS: Final = {
    ("en", "good"): (
        ("I had hoped for a lively {} record and got a great one.", "This {} disc never leaves my player.",
         "A wonderful {} album from the first track to the last.", "My family loves this {} recording.",
         "Easily the finest {} collection on my shelf.", "I bought this {} set for a friend and kept it."),
        ("The sound is warm and clear.", "Every instrument can be heard.", "The singing gives me goosebumps.",
         "The remastering was done with real care.", "The quiet passages are lovely.", "No weak song on it."),
        ("The booklet is a pleasure to read.", "It arrived two days early.", "The packing was perfect.",
         "The liner notes tell the story well.", "The case came without a scratch."),
        ("Highly recommended!", "I will order from this shop again.", "Worth every minute 🎶",
         "Thank you 👍", "Buy it and turn up the volume.", "Five stars from me."),
    ),
    ("en", "mixed"): (
        ("An average {} record with two or three good songs.", "This {} disc is fine, no more than that.",
         "I expected a little more from this {} album.", "I knew half of this {} collection already."),
        ("The sound is acceptable.", "The first half is stronger than the second.",
         "Some tracks are far too long.", "The volume jumps between songs.", "The mix is a bit dull."),
        ("Delivery took the time they said.", "The booklet is thin.", "The case had a small crack.",
         "The track list is not quite what was shown."),
        ("Good enough for the car.", "Listen before you buy.", "I may keep it.", "Neither good nor bad."),
    ),
    ("en", "bad"): (
        ("A disappointing {} record.", "I regret ordering this {} disc.", "This {} album bored me to tears.",
         "The worst {} recording I have heard in years.", "This {} set is a waste of a shelf."),
        ("The sound is muffled and thin.", "Two tracks skip on every player I own.",
         "The singer is out of tune.", "The mastering clips badly.", "Half of the songs are missing."),
        ("It came three weeks late.", "The case arrived broken.", "The disc was scratched out of the box.",
         "Nobody answered my letter of complaint."),
        ("I sent it back.", "Avoid it.", "I want a refund 😡", "Never again.", "One star is too many."),
    ),
    ("zh", "good"): (
        ("这张{}专辑太好听了，", "一直在找这张{}唱片，终于买到了，", "{}迷一定要收藏，", "全家都爱这套{}，"),
        ("音质清晰温暖，", "每一首都很动人，", "录音非常细腻，", "演唱让人感动，"),
        ("包装完好，", "发货很快，", "内页印刷精美，", "比预计早到两天，"),
        ("强烈推荐！", "下次还会再来。", "非常满意👍", "值得反复听。"),
    ),
    ("zh", "mixed"): (
        ("这张{}唱片一般，", "这套{}还可以，", "对这张{}期望高了一点，"),
        ("有两三首不错，", "音质过得去，", "后半张比较平淡，", "音量忽大忽小，"),
        ("物流正常，", "盒子有点裂，", "内页很薄，"),
        ("先试听再决定吧。", "不好也不坏。", "放在车里听还行。"),
    ),
    ("zh", "bad"): (
        ("这张{}唱片让人失望，", "后悔买了这套{}，", "听过最差的{}录音，"),
        ("音质又闷又薄，", "有两首一直跳，", "演唱走调，", "曲目少了一半，"),
        ("等了三个星期才到，", "盒子碎了，", "碟面全是划痕，"),
        ("已经退货。", "不会再买了。", "要求退款😡"),
    ),
}  # fmt: skip

_CONTACTS: Final = {
    "en": (
        " Write to {name}@example.com if you want my copy.",
        " Call me on +1 202-555-01{number:02d} about a swap.",
        " Questions? {name}@example.org or (212) 555-01{number:02d}.",
    ),
    "zh": (" 想交换请写信到{name}@example.com。", " 联系电话 +1 202-555-01{number:02d}。"),
}
_NAMES: Final = ("listener", "vinyl.fan", "collector", "music.lover", "second.hand")

_ADVERTS: Final = (
    "CHEAP {} CDs!!! Visit https://deals{}.example.com NOW and use code SAVE{} for 90% OFF!!!",
    "Best price guaranteed >>> www.example.net/{}{} <<< click here, limited offer, free gift {}",
    "加微信领取{}优惠券，点击 https://shop{}.example.com ，满{}减一半，限时抢购！！！",
)
_KEYS: Final = "asdfghjklqwertyuiopzxcvbnm"


def query(rng: random.Random, category: str, language: Language) -> str:
    """Draw a search query about `category`; the k-th template has weight 1/k (Zipf's law)."""
    templates = _QUERIES[language]
    weights = [1 / rank for rank in range(1, len(templates) + 1)]
    return rng.choices(templates, weights)[0].format(_genre(category, language))


def review(rng: random.Random, category: str, language: Language, rating: int) -> str:
    """Draw the text of a review whose wording agrees with its rating, but for one in twenty.

    Args:
        rng: the source of chance.
        category: one of `CATEGORIES`.
        language: of the text.
        rating: stars, 1 to 5; 4 and 5 sound good, 3 mixed, 1 and 2 bad.
    """
    mood = "good" if rating >= 4 else "mixed" if rating == 3 else "bad"
    if rng.random() < 0.05:
        mood = rng.choice(("good", "mixed", "bad"))
    joint = " " if language == "en" else ""
    text = joint.join(rng.choice(part) for part in _PARTS[language, mood]).format(_genre(category, language))
    if rng.random() < 0.03:
        contact = rng.choice(_CONTACTS[language])
        text += contact.format(name=rng.choice(_NAMES), number=rng.randrange(100))
    return text


def noise(rng: random.Random, category: str) -> str:
    """Draw the text of a worthless review: advertising, or keys struck at random."""
    if rng.random() < 0.6:
        return rng.choice(_ADVERTS).format(category, rng.randrange(1, 100), rng.randrange(10, 1000))
    words = ("".join(rng.choices(_KEYS, k=rng.randint(4, 12))) for _ in range(rng.randint(3, 9)))
    return " ".join(words)


def _genre(category: str, language: Language) -> str:
    return _GENRES[category][0 if language == "en" else 1]
