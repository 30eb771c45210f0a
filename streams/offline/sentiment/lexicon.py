"""A baseline: adding up words that praise and words that complain, in English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Final
from xml.etree import ElementTree

from streams.offline.sentiment.corpora import package_folder

_PRAISE: Final = (
    "好 很好 不错 喜欢 满意 推荐 值得 值 超值 实惠 便宜 划算 漂亮 好看 美观 舒服 舒适 方便 快捷 快 很快 迅速 "
    "新鲜 好吃 美味 香 甜 柔软 干净 整洁 卫生 安静 热情 周到 耐心 贴心 友好 细心 专业 精彩 精美 精致 感动 "
    "经典 有趣 有意思 生动 深刻 受益 启发 实用 好用 耐用 结实 稳定 流畅 清晰 清楚 强大 完美 优秀 出色 一流 "
    "放心 信任 正品 惊喜 开心 高兴 愉快 幸福 温馨 优美 爱不释手 物美价廉 性价比高 物超所值 名不虚传 支持 赞 "
    "给力 棒 很棒 超棒 合适 合身 齐全 丰富 轻巧 好评 期待 再来 还会来 下次还会 没问题 没有问题 无异味 "
    "没有异味 不贵 不后悔"
)
_COMPLAINT: Final = (
    "差 太差 很差 坏 坏了 失望 垃圾 后悔 难看 难用 难吃 难闻 难受 糟糕 糟 烂 破 破损 脏 臭 异味 吵 噪音 慢 "
    "太慢 很慢 贵 太贵 假货 假 盗版 伪劣 劣质 骗 骗人 欺骗 上当 忽悠 退货 退款 退 投诉 差评 问题 毛病 故障 "
    "死机 卡 发热 烫 掉漆 划痕 裂 漏 断 错误 错字 错别字 缺页 缺少 少了 没用 没有用 无聊 枯燥 乏味 空洞 肤浅 "
    "浪费 浪费钱 不值 不好 不行 不满 不满意 不爽 不推荐 不建议 不方便 不舒服 不喜欢 不如 不清楚 不负责任 "
    "态度恶劣 恶劣 冷淡 敷衍 拖拉 拒绝 无语 郁闷 生气 气愤 愤怒 讨厌 恶心 可惜 遗憾 怀疑 粗糙 简陋 陈旧 老化 "
    "褪色 缩水 起球 掉毛 生锈 不新鲜 变质 过期 中差评 再也不 千万别 别买 不会再 有待 一般 一般般 勉强 凑合"
)
_CHINESE: Final = dict.fromkeys(_PRAISE.split(), 1.0) | dict.fromkeys(_COMPLAINT.split(), -1.0)
_LONGEST: Final = max(map(len, _CHINESE))
_CHINESE_NOT: Final = frozenset("不没无未别")
"""Before a word, they turn it round, unless the list has both together."""

_ENGLISH_NOT: Final = frozenset({"not", "no", "never", "without", "hardly", "nothing", "isn't", "doesn't", "don't"})
_ENGLISH_REACH: Final = 3
"""Words that stand after a negation and are turned round by it."""
_TOKEN: Final = re.compile(r"[a-z][a-z'-]*")


class Lexicon:
    """Scores texts by words. The Chinese ones are our own choice, made before any text was scored.

    The English ones are those of Pattern (De Smedt & Daelemans, public domain), which `textblob` ships, each with the
    mean polarity of its senses.

    Raises:
        MissingLibraryError: `textblob` is not installed.
    """

    @cached_property
    def _english(self) -> Mapping[str, float]:
        senses: dict[str, list[float]] = {}
        # The file is of an installed package, not of a stranger.
        for word in ElementTree.parse(package_folder("textblob") / "en" / "en-sentiment.xml").iter("word"):
            senses.setdefault(word.attrib["form"], []).append(float(word.attrib["polarity"]))
        return {form: sum(found) / len(found) for form, found in senses.items()}

    def score(self, text: str) -> float:
        """Return the mean polarity of the words that the lexicon has, -1 to 1; 0 where it has none."""
        found = [*self._of_english(text.lower()), *_of_chinese(text)]
        return sum(found) / len(found) if found else 0.0

    def _of_english(self, text: str) -> list[float]:
        found, turned = [], 0
        for token in _TOKEN.findall(text):
            if token in _ENGLISH_NOT or token.endswith("n't"):
                turned = _ENGLISH_REACH
            elif (polarity := self._english.get(token, 0.0)) != 0.0:
                found.append(-polarity if turned > 0 else polarity)
            else:
                turned -= 1
        return found


def _of_chinese(text: str) -> list[float]:
    found, place = [], 0
    while place < len(text):
        for length in range(min(_LONGEST, len(text) - place), 0, -1):
            if (polarity := _CHINESE.get(text[place : place + length])) is not None:
                turned = place > 0 and text[place - 1] in _CHINESE_NOT
                found.append(-polarity if turned else polarity)
                place += length
                break
        else:
            place += 1
    return found
