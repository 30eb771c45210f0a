"""A whole run over titles: the frozen encoder, the training, P, the comparison on unseen shoppers, the folder."""

from __future__ import annotations

import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.encoder.bert import BertEncoder
from models.encoder.locate import locate
from models.encoder.own_projection import save_projection
from models.finetuning.adapting import Adapted, embed_all, pretrained
from models.finetuning.loop import Loop, Told, Watch, shortened
from models.finetuning.options import Options
from models.finetuning.running import BEGUN_FOLDER, CHECKPOINT_FILE, check_folder
from models.finetuning.saving import save_encoder
from models.finetuning.titles.aims import Aims
from models.finetuning.titles.association import Numbers
from models.finetuning.titles.card import save_titles_result
from models.finetuning.titles.contrast import Together, start_of
from models.finetuning.titles.purchases import Pairs, Purchases, Split, split
from models.finetuning.titles.ranking import LastBaskets, interval
from models.finetuning.vocabulary import widen
from models.profile import Projection

PASSES: Final = 40
"""Passes over the titles when no number of steps is given; mostly the time is up before."""
EVALUATIONS: Final = 3
"""Passes between two points of the curve: each embeds all titles anew."""


def adapt_to_titles(
    encoder: str,
    purchases: Purchases,
    folder: Path,
    options: Options,
    *,
    pairs: Pairs,
    data: str,
    frozen_weights: bool = False,
    device: str = "auto",
    cache: Path | None = None,
    resume: bool = False,
    watch: Watch = lambda point: None,
    told: Told = lambda what, done, of: None,
) -> dict[str, Any]:
    """Adapt encoder and projection to what is bought together, and write both as an encoder's folder.

    Args:
        encoder: what `models.encoder.locate.locate` takes.
        purchases: not split.
        folder: to write to.
        options: how to train.
        pairs: which titles belong together.
        data: whose purchases they are, for the card.
        frozen_weights: train no weight, and fit the projection alone.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        cache: folder of converted encoders; None is the user's.
        resume: go on from the checkpoint of a run that was killed.
        watch: told every point of the curve.
        told: how far the run is.

    Returns:
        What is in `finetuning.json`: `encoder` `encoder_digest` `data` `pairs` `titles` `lines` `left_out` `shoppers`
        `ideographs_added` `options` `whole_seconds` `cpu_seconds`; where weights were trained also `steps` `seconds`
        `ended` `best_step` `curve`; `ranked_above`, a mean per encoder and projection over the validation shoppers,
        whose number is `judges`; `gain`, how much less of the titles rank above what is bought next than under the
        frozen encoder with a random projection, with its 95 % interval; `gain_of_weights`, the same beside the frozen
        encoder with a fitted projection.

    Raises:
        FinetuningError: the folder holds a finished run or another run's checkpoint, or the purchases are too few.
        EncoderNotFoundError: there is no such encoder here.
        EncoderLoadError: its files cannot be used, or the device is not there.
    """
    check_folder(folder, resume)
    began, spent = time.monotonic(), time.process_time()
    parts = split(purchases, options.seed)
    aims = Aims.of(parts.train, pairs)
    judges = {name: LastBaskets.of(getattr(parts, name)) for name in Split._fields[1:]}
    begun = folder / BEGUN_FOLDER
    source = locate(encoder, cache)
    added = widen(source, purchases.titles if options.widen and not frozen_weights else (), begun)
    loaded = BertEncoder.load(encoder, device, cache=cache)
    model, _ = pretrained(begun)
    tokens = shortened(BertEncoder.load(str(begun), device).tokenize(purchases.titles), options.max_tokens)
    adapted = Adapted.load(begun, loaded.device)
    told("titles embedded by the frozen encoder", 0, len(tokens))
    frozen = embed_all(model.eval().requires_grad_(False).to(loaded.device), tokens, adapted.padding, loaded.device)
    told("titles embedded by the frozen encoder", len(tokens), len(tokens))

    def measure(embeddings: Numbers) -> dict[str, float]:
        vectors = aims.projection(embeddings).apply(embeddings)
        return {f"{name}_ranked_above": float(judge.ranked_above(vectors).mean()) for name, judge in judges.items()}

    after, trained = frozen, {}
    if not frozen_weights:
        adapted.adapt(options, tokens)
        task = Together(
            adapted,
            tokens,
            aims,
            start=start_of(frozen, aims),
            measure=measure,
            options=options,
        )
        loop = Loop(
            adapted=adapted,
            task=task,
            steps=options.steps or PASSES * task.per_pass,
            every=options.evaluate_every or EVALUATIONS * task.per_pass,
            options=options,
            path=folder / CHECKPOINT_FILE,
            fingerprint=options.fingerprint(purchases.digest(), pairs, loaded.weights_digest, str(loaded.device)),
            watch=watch,
            told=told,
        )
        progress = loop.run(resume)
        after = task.embeddings()
        trained = {
            "steps": progress.step,
            "seconds": round(progress.seconds, 1),
            "ended": progress.ended,
            "best_step": int(min(progress.curve, key=lambda point: point[task.loss])["step"]),
            "curve": progress.curve,
        }
    projection = aims.projection(after)
    result = {
        "encoder": loaded.name,
        "encoder_digest": loaded.weights_digest,
        "data": data,
        "pairs": pairs.value,
        "titles": len(purchases.titles),
        "lines": len(purchases),
        "left_out": purchases.left_out,
        "shoppers": {name: len(np.unique(part.shopper)) for name, part in zip(Split._fields, parts, strict=True)},
        "ideographs_added": added,
        "options": asdict(options) | {"learning_rate": options.rate, "mixed": adapted.mixed},
        **trained,
        **_compare(judges["validation"], frozen, after, aims),
        "whole_seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(time.process_time() - spent, 1),
    }
    save_encoder(pretrained(begun)[0] if frozen_weights else adapted.snapshot(), begun, folder)
    save_projection(folder, projection)
    shutil.rmtree(begun)
    save_titles_result(folder, result)
    (folder / CHECKPOINT_FILE).unlink(missing_ok=True)
    return result


def _compare(judge: LastBaskets, frozen: Numbers, after: Numbers, aims: Aims) -> dict[str, Any]:
    """Measure both encoders under both projections on shoppers who took no part in any decision."""
    random = Projection.orthogonal(frozen.shape[1])
    found = {
        "frozen_random": judge.ranked_above(random.apply(frozen)),
        "frozen_fitted": judge.ranked_above(aims.projection(frozen).apply(frozen)),
        "adapted_random": judge.ranked_above(random.apply(after)),
        "adapted_fitted": judge.ranked_above(aims.projection(after).apply(after)),
    }
    return {
        "judges": len(judge.bought),
        "ranked_above": {name: float(each.mean()) for name, each in found.items()},
        "gain": _gain(found["frozen_random"] - found["adapted_fitted"]),
        "gain_of_weights": _gain(found["frozen_fitted"] - found["adapted_fitted"]),
    }


def _gain(differences: Numbers) -> dict[str, Any]:
    return {"mean": float(differences.mean()), "interval": interval(differences)}
