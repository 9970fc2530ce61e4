"""Give a bundle of EmoCLIP other classes, each a sentence, without training."""

from collections.abc import Mapping
from pathlib import Path

import torch

from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.manifest import CONTEXT_HEAD, GraphSpec, Manifest

from ...bundle.declared import changed
from ...bundle.writer import taken_over, write_bundle
from ...errors import TrainingError
from ...loop.progress import Progress
from .bundle import ZERO_SHOT_HEAD, zero_shot_head
from .clip_towers import ClipTowers
from .data.features import embed_classes
from .drawn_clip import open_named
from .recipe import class_sentences, read_prompts
from .sentences import SENTENCES, ClassSentences, pack_sentences, read_sentences
from .text_tower import kept_text_tower

LEAST_COSINE = 0.999  # of one sentence embedded twice by the same CLIP


def replace_prompts(bundle: Path, clip: str, prompts: Path, output: Path, progress: Progress) -> None:
    """Write `bundle` with the classes of a file to `output`, which may be the same folder.

    clip:    the CLIP that the bundle was made with, a folder or a downloaded name
    prompts: a TOML file, name of each class = a sentence

    Raises:
        ConfigError: the file of prompts is missing or not as described.
        TrainingError: there is no such CLIP, it is another one than the bundle's, or the bundle is none of EmoCLIP.
        BundleError: the bundle is damaged.
    """
    given = read_prompts(prompts)
    sentences = class_sentences(given, list(given))
    base = load_bundle(bundle)
    manifest = replace_sentences(base, open_named(clip, base.clip_dim), sentences, output)
    progress.note(manifest.label, f"{len(sentences)} classes, written to {output}")


def replace_sentences(base: Bundle, towers: ClipTowers, sentences: Mapping[str, list[str]], target: Path) -> Manifest:
    """Embed the sentences and write them to `target` with the graphs of `base`, which encode as before.

    The scores of the old classes are left out. Raises TrainingError or BundleError as `replace_prompts`.
    """
    shipped, scale = read_sentences(base.path)
    again = embed_classes(towers, shipped.sentences)
    if again.shape != shipped.embeddings.shape or (again * shipped.embeddings).sum(dim=1).min() < LEAST_COSINE:
        raise TrainingError(f"{base.path}: was made with another CLIP than the one given: its own sentences come out "
                            "otherwise than they are shipped")  # fmt: skip
    classes = ClassSentences(sentences, embed_classes(towers, sentences))
    head = zero_shot_head(classes, torch.tensor(scale).log())
    others = [one for one in base.manifest.heads if one.name != ZERO_SHOT_HEAD]

    def describe(graphs: dict[str, GraphSpec]) -> Manifest:
        return changed(base.manifest, graphs=graphs, heads=[head.spec, *others], metrics={})

    graphs = taken_over(base) | {CONTEXT_HEAD: head.graph}
    text = kept_text_tower(base)
    files = {SENTENCES: pack_sentences(classes, scale), **text.files}
    return write_bundle(graphs, describe, target, files=files, more_keys=text.keys)
