"""A whole run: the probe on the frozen encoder, the training, the comparison, the folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.encoder.bert import BertEncoder
from models.encoder.locate import locate
from models.finetuning.adapting import Adapted, Head, embed_all
from models.finetuning.exceptions import FinetuningError
from models.finetuning.labelled import Labelled, scaling
from models.finetuning.loop import Loop, Told, Watch
from models.finetuning.options import EPOCHS, Options
from models.finetuning.probe import Numbers, as_logits, figures, predict, ridge
from models.finetuning.saving import RESULT_FILE, save_encoder, save_result
from models.finetuning.texts import Kind, Split, Texts, split
from models.finetuning.vocabulary import widen

CHECKPOINT_FILE: Final = "checkpoint.pt"
BEGUN_FOLDER: Final = "begun"
"""The encoder that training starts from, within the folder of the one that it ends with."""


def finetune(
    encoder: str,
    texts: Texts,
    folder: Path,
    options: Options,
    *,
    data: str,
    device: str = "auto",
    cache: Path | None = None,
    resume: bool = False,
    watch: Watch = lambda point: None,
    told: Told = lambda what, done, of: None,
) -> dict[str, Any]:
    """Adapt an encoder to texts and write it as an ordinary encoder's folder.

    Args:
        encoder: what `models.encoder.locate.locate` takes.
        texts: prepared, not split.
        folder: to write to.
        options: how to train.
        data: what the texts are, for the card.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        cache: folder of converted encoders; None is the user's.
        resume: go on from the checkpoint of a run that was killed.
        watch: told every point of the curve.
        told: how far the run is.

    Returns:
        What is in `finetuning.json`: `encoder` `data` `texts` `options` `steps` `seconds` `ended` `best_step`
        `curve`, the figures `probe` `before` `after` `probe_after` on the validation texts, `head`.

    Raises:
        FinetuningError: the folder holds a finished run or another run's checkpoint, or the texts are too few.
        EncoderNotFoundError: there is no such encoder here.
        EncoderLoadError: its files cannot be used, or the device is not there.
    """
    check_folder(folder, resume)
    frozen = BertEncoder.load(encoder, device, cache=cache)
    parts = split(texts, options.seed)
    tokens = [frozen.tokenize(part.texts) for part in parts]
    embedded = _counting("texts embedded by the frozen encoder", tokens, told)
    before = [_embed(frozen, part, embedded) for part in tokens]
    probe, strength = _fit(before, parts)
    begun = folder / BEGUN_FOLDER
    added = widen(locate(encoder, cache), parts.train.texts if options.widen else (), begun)
    wider = BertEncoder.load(str(begun), device)
    tokens = [wider.tokenize(part.texts) for part in parts]
    adapted = Adapted.load(begun, frozen.device)
    scaled = scaling(parts.train)
    start, _ = ridge(before[0], scaled.shrink(parts.train.values))
    adapted.set_head(as_logits(start) if texts.kind is Kind.LABEL else start)
    adapted.adapt(options, tokens[0])
    task = Labelled(adapted, wider.tokenize, parts, options)
    loop = Loop(
        adapted=adapted,
        task=task,
        steps=options.steps or EPOCHS * task.per_pass,
        every=options.evaluate_every or max(1, task.per_pass // 2),
        options=options,
        path=folder / CHECKPOINT_FILE,
        fingerprint=options.fingerprint(texts.digest(), frozen.weights_digest, str(frozen.device)),
        watch=watch,
        told=told,
    )
    untrained = _figures(task, parts.validation, tokens[2])
    progress = loop.run(resume)
    merged = adapted.snapshot()
    embedded = _counting("texts embedded by the fine-tuned encoder", tokens, told)
    after = []
    for part in tokens:
        after.append(embed_all(merged, part, adapted.padding, frozen.device))
        embedded(len(part))
    head = adapted.get_head()
    result = {
        "encoder": frozen.name,
        "encoder_digest": frozen.weights_digest,
        "data": data,
        "texts": {name: len(part) for name, part in zip(Split._fields, parts, strict=True)},
        "kind": texts.kind.value,
        "ideographs_added": added,
        "options": asdict(options) | {"learning_rate": options.rate, "mixed": adapted.mixed},
        "steps": progress.step,
        "seconds": round(progress.seconds, 1),
        "ended": progress.ended,
        "best_step": int(min(progress.curve, key=lambda point: point[task.loss])["step"]),
        "curve": progress.curve,
        "probe_strength": strength,
        "probe": figures(predict(probe, before[2]), parts.validation.values, texts.kind),
        "before": untrained,
        "after": _figures(task, parts.validation, tokens[2]),
        "probe_after": figures(predict(_fit(after, parts)[0], after[2]), parts.validation.values, texts.kind),
        "head": {"weight": scaled.head(head).weight.tolist(), "bias": scaled.head(head).bias},
    }
    save_encoder(merged, begun, folder)
    shutil.rmtree(begun)
    save_result(folder, result)
    (folder / CHECKPOINT_FILE).unlink()
    return result


def check_folder(folder: Path, resume: bool) -> None:
    """Refuse a folder that holds what must not be written over."""
    begun = (folder / CHECKPOINT_FILE).exists()
    # The result is written last: without it, a run that was killed while it wrote its encoder goes on.
    if (folder / RESULT_FILE).exists() or ((folder / "config.json").exists() and not begun):
        raise FinetuningError(f"expected a folder without an encoder, found one in {folder}: give another folder")
    if begun and not resume:
        raise FinetuningError(f"expected a new folder, found a checkpoint in {folder}: resume it or give another one")


def _counting(what: str, parts: Sequence[Sequence[object]], told: Told) -> Callable[[int], None]:
    """Return a function that adds to what is done, and tells it and how many there are in all parts."""
    done, of = 0, sum(map(len, parts))

    def add(count: int) -> None:
        nonlocal done
        done += count
        told(what, done, of)

    return add


def _embed(encoder: BertEncoder, tokens: Sequence[Sequence[int]], embedded: Callable[[int], None]) -> Numbers:
    """Embed texts by an encoder as it is served, those of like length together."""
    found = np.zeros((len(tokens), encoder.dimension))
    order = np.argsort([len(one) for one in tokens], kind="stable")
    for first in range(0, len(order), 32):
        batch = order[first : first + 32]
        found[batch] = encoder.embed([tokens[index] for index in batch])
        embedded(len(batch))
    return found


def _fit(embeddings: Sequence[Numbers], parts: Split) -> tuple[Head, float]:
    """Fit the probe to all that the run may see, stopping texts included."""
    return ridge(np.concatenate(embeddings[:2]), np.concatenate([parts.train.values, parts.stopping.values]))


def _figures(task: Labelled, part: Texts, tokens: Sequence[Sequence[int]]) -> dict[str, float]:
    """Measure the predictions for whole texts, uncut."""
    return figures(task.predictions(part, tokens), part.values, part.kind)
