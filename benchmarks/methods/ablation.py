"""What the relational loss, the context and the clip bring: stage 2 of a finished run, trained again without them.

Only stage 2 is trained, on the features that the run has cached; the schedule is the recipe's with fewer batches.
Checkpoints are kept below RUN/ablation, so the same command continues where it was stopped; delete that folder after
the run's frame encoder has changed.

    python benchmarks/methods/ablation.py --run runs/default --data faces
    python benchmarks/methods/ablation.py --run runs/default --data faces --seeds 7 8 9 10 --batches 1800
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # a bare checkout is enough, wherever it is started from

import argparse
import json
from collections.abc import Mapping, Sequence

from rich.console import Console

from benchmarks.measures.ablated_stage import FULL, VARIANTS, AblatedStage, Predictions, Variant
from benchmarks.measures.ablation_scores import Metric, metrics
from benchmarks.measures.report import Row, show, write
from benchmarks.render import to_markdown
from streamaffect.errors import ConfigError, StreamAffectError
from train.loop.progress import Progress
from train.methods.harness import open_context
from train.methods.registry import load_recipe
from train.methods.relational.recipe import Recipe
from train.methods.relational.run import Run


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and score all variants; show the table, write JSON and Markdown."""
    options = _options(arguments)
    try:
        rows = _measured(options)
    except StreamAffectError as error:
        raise SystemExit(f"ablation: {error}") from None
    show("ablation of stage 2", rows)
    file = write("ablation", rows, options.out)
    page = file.with_suffix(".md")
    page.write_text(to_markdown(json.loads(file.read_text(encoding="utf-8"))) + "\n", encoding="utf-8")
    print(file, page, sep="\n")


def _measured(options: argparse.Namespace) -> list[Row]:
    config = options.config or ROOT / "configs" / "train" / "relational" / f"{options.run.name}.toml"
    chosen = [one for one in VARIANTS if one == FULL or options.variants is None or one.name in options.variants]
    with Progress(Console()) as progress:
        loaded = load_recipe(config)
        if not isinstance(loaded.recipe, Recipe):
            raise ConfigError(f"{config}: is a recipe of {loaded.method.name}, not of the default model")
        run = Run(loaded.recipe, open_context("fit", loaded, config, progress, data=options.data, folder=options.run))
        weight = run.recipe.temporal.loss.relational if options.relational is None else options.relational
        if weight == 0:
            raise ConfigError(f"{config}: temporal.loss.relational is 0, so there is nothing to take away; "
                              "--relational gives the full model a weight")  # fmt: skip
        stage = AblatedStage(run, relational=weight, batches=options.batches)
        pictures = "FER+" if run.recipe.data.kind == "faces" else "held-out pictures"
        found: dict[Variant, Predictions] = {}
        for variant in chosen:
            progress.note(variant.name, f"seeds {', '.join(map(str, options.seeds))}")
            found[variant] = stage.predictions(variant, options.seeds)
        return [row for metric in metrics(stage, pictures) for row in _rows(metric, found)]


def _rows(metric: Metric, found: Mapping[Variant, Predictions]) -> list[Row]:
    """One row a variant: mean and range over seeds, and the difference to the full model with its interval."""
    rows: list[Row] = []
    for variant, predictions in found.items():
        values = metric.of_seeds(predictions)
        gain = None if variant == FULL else metric.difference(predictions, found[FULL])
        rows.append(
            {
                "figure": metric.name,
                "variant": variant.name,
                "mean": round(sum(values) / len(values), 4),
                "lowest seed": round(min(values), 4),
                "highest seed": round(max(values), 4),
                "difference": None if gain is None else round(gain.value, 4),
                "low": None if gain is None else round(gain.low, 4),
                "high": None if gain is None else round(gain.high, 4),
                "rows": len(metric.groups),
                "groups": len(set(metric.groups)),
            }
        )
    return rows


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="folder of a finished run")
    parser.add_argument(
        "--config", type=Path, help="its recipe (default: configs/train/relational/<name of the run>.toml)"
    )
    parser.add_argument("--data", type=Path, help="folder with ferplus/, lfw_faces/ and videos/, as for training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9], help="(default: 7 8 9)")
    parser.add_argument("--batches", type=_count, default=600, help="of each training (default: %(default)s)")
    parser.add_argument("--relational", type=float, help="weight of the relational loss (default: the recipe's)")
    parser.add_argument(
        "--variants", nargs="+", choices=[one.name for one in VARIANTS], metavar="NAME",
        help=f"beside the full model, of: {', '.join(repr(one.name) for one in VARIANTS[1:])} (default: all)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/ablation.json); .md beside it")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value


if __name__ == "__main__":
    main()
