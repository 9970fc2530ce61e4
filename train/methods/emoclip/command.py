"""What is done with a finished EmoCLIP: `python -m train.methods.emoclip.command score|prompts`.

score     zero-shot WAR and UAR of a run on the test part of any data set, such as one that it was not trained on
prompts   give a bundle other classes, each a sentence, without training
"""

import argparse
import json
import sys
from pathlib import Path

from lightning_fabric import Fabric
from rich.console import Console
from safetensors import SafetensorError
from safetensors.torch import load_file

from streamaffect.errors import ConfigError, StreamAffectError
from streamaffect.runtime.bundle import load_bundle

from ...errors import TrainingError
from ...loop.progress import Progress
from ..command import load_emoclip_recipe
from .bundle import replace_sentences
from .clip_towers import ClipTowers, open_clip
from .drawn_clip import DRAWN, drawn_clip
from .recipe import class_sentences, read_prompts
from .run import DRAWN_SIDE, WEIGHTS, ScaledTransformer, baseline, data_set_reader, new_transformer, open_towers
from .run import score as score_videos


def score(config: Path, run: Path, data: Path | None, progress: Progress) -> dict[str, float]:
    """Scores of the run's transformer on the test part of the data set that the recipe `config` names.

    Raises ConfigError, DataError or TrainingError if recipe, data, run or CLIP are missing or do not fit.
    """
    recipe = load_emoclip_recipe(config)
    if recipe.data in ("drawn", "features"):
        raise ConfigError(f'{config}: names no data set, but data = "{recipe.data}"')
    prompts = read_prompts(config.parent / recipe.prompts) if recipe.prompts else {}
    fabric = Fabric()
    reader = data_set_reader(
        recipe, data, open_towers(recipe), prompts, folder=run / f"features-{config.stem}", fabric=fabric,
        progress=progress,
    )  # fmt: skip
    model = ScaledTransformer(new_transformer(recipe), recipe.log_scale)
    try:
        model.load_state_dict(load_file(run / WEIGHTS))
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"{run / WEIGHTS}: cannot be read ({error}); --run takes a finished run's folder"
        ) from error
    except RuntimeError as error:
        raise TrainingError(f"{run / WEIGHTS}: holds a transformer of another shape than {config}") from error
    videos = reader.read("test")
    scores = score_videos(model.to(fabric.device), videos, recipe)
    return scores | {f"baseline_{name}": value for name, value in baseline(videos).items()}


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code: 0, 2 for a user's mistake with one line on stderr, 130 when interrupted."""
    options = _parser().parse_args(arguments)
    try:
        if options.verb == "score":
            with Progress(Console()) as progress:
                scores = score(options.config, options.run, options.data, progress)
                progress.console.print_json(json.dumps(scores))
        else:
            prompts = read_prompts(options.prompts)
            sentences = class_sentences(prompts, list(prompts))
            target = options.output or options.bundle
            towers = _open_towers(options.clip, load_bundle(options.bundle).clip_dim)
            manifest = replace_sentences(options.bundle, towers, sentences, target)
            sys.stdout.write(f"{manifest.label}: {len(sentences)} classes, written to {target}\n")
    except StreamAffectError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on from the last chunk of videos\n")
        return 130
    return 0


def _open_towers(source: str, dim: int) -> ClipTowers:
    return drawn_clip(dim, DRAWN_SIDE, seed=0) if source == DRAWN else open_clip(source)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.methods.emoclip.command",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    scoring = verbs.add_parser("score", help="score a run on the test part of a data set")
    scoring.add_argument("--config", type=Path, required=True, metavar="FILE", help="recipe that names the data set")
    scoring.add_argument("--run", type=Path, required=True, metavar="DIR", help="folder of a finished run")
    scoring.add_argument("--data", type=Path, metavar="DIR", help="the data set's folder")
    prompts = verbs.add_parser("prompts", help="give a bundle other classes, without training")
    prompts.add_argument("--bundle", type=Path, required=True, metavar="DIR", help="a bundle of EmoCLIP")
    prompts.add_argument("--clip", required=True, metavar="CLIP", help="the CLIP it was made with, a folder or a name")
    prompts.add_argument("--prompts", type=Path, required=True, metavar="FILE", help='lines of: name = "A sentence."')
    prompts.add_argument("--output", type=Path, metavar="DIR", help="folder of the new bundle (default: the old one)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
