"""The methods by the name that a recipe's key `method` gives, and how a recipe is read.

A method's package has the same roles everywhere: `recipe` (values alone), `data`, `model`, `loss`, `bundle`, `run`.
None is imported before it is asked for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from streamaffect.errors import ConfigError

from ..config import read_toml, typed_recipe

if TYPE_CHECKING:
    from ..loop.context import Context, Report


@dataclass(frozen=True, slots=True)
class Method:
    """Where the parts of a method stand, as "module:name" below this package.

    recipe:   its struct
    run:      `run(recipe, context) -> report`: trains or goes on, scores, and has the bundle written
    prepare:  `prepare(recipe, context)`: what of `run` can be done beforehand; "" where there is nothing
    evaluate: `evaluate(recipe, context) -> report`, where a finished run is scored in another way than `run` does
    quantise: `quantise(recipe, context)`: gives the bundle at `context.target` its int8 twin, on the recipe's data
    upgrade:  `upgrade(content) -> notes`: changes the plain values of an older recipe to today's keys, and says which
    """

    name: str
    recipe: str
    run: str
    prepare: str = ""
    evaluate: str = ""
    quantise: str = ""
    upgrade: str = ""

    def recipe_type(self) -> type[msgspec.Struct]:
        """The struct of its recipes."""
        found: type[msgspec.Struct] = _load(self.recipe)
        return found

    def work(self, verb: str) -> "Callable[[Any, Context], Report] | None":
        """What does the verb, or None where the method has nothing for it."""
        others = {"prepare": self.prepare, "evaluate": self.evaluate or self.run, "quantise": self.quantise}
        place = others.get(verb, self.run)
        return _load(place) if place else None


RELATIONAL = Method(
    "relational",
    "relational.recipe:Recipe",
    "relational.run:run",
    prepare="relational.run:prepare",
    quantise="relational.run:quantise",
)
PROTOCOL = Method(
    "protocol",
    "relational.protocol.recipe:ProtocolRecipe",
    "relational.protocol.run:run",
    prepare="relational.protocol.run:prepare",
    upgrade="relational.protocol.recipe:upgrade",
)
METHODS: Mapping[str, Method] = MappingProxyType(
    {
        method.name: method
        for method in (
            RELATIONAL,
            PROTOCOL,
            Method("au_guided", "au_guided.recipe:AuGuidedRecipe", "au_guided.run:run"),
            Method("au_guided_lens", "au_guided.recipe:AlignedLensRecipe", "au_guided.aligned.run:run"),
            Method("compound", "compound.recipe:CompoundRecipe", "compound.run:run", prepare="compound.run:prepare"),
            Method(
                "compound_text",
                "compound_text.recipe:CompoundTextRecipe",
                "compound_text.run:run",
                prepare="compound_text.run:prepare",
            ),
            Method("emoclip", "emoclip.recipe:EmoClipRecipe", "emoclip.run:run", evaluate="emoclip.evaluate:evaluate"),
            Method(
                "emoclip_downstream",
                "emoclip.downstream.recipe:EmoClipDownstreamRecipe",
                "emoclip.downstream.run:run",
            ),
            Method("lens_compound", "lens.recipe:CompoundLensRecipe", "lens.compound:run"),
            Method(
                "lens_map",
                "lens.recipe:MapLensRecipe",
                "lens.occlusion.run:run",
                prepare="lens.occlusion.run:prepare",
            ),
            Method("lens", "lens.recipe:LensRecipe", "lens.run:run", prepare="lens.run:prepare"),
            Method("jmt", "jmt.recipe:JmtRecipe", "jmt.run:run"),
            Method("pkdot", "pkdot.recipe:PkdotRecipe", "pkdot.run:run"),
            Method(
                "stochastic_softmax", "stochastic_softmax.recipe:StochasticSoftmaxRecipe", "stochastic_softmax.run:run"
            ),
            Method(
                "moments",
                "stochastic_softmax.recipe:MomentsRecipe",
                "stochastic_softmax.moments.run:run",
                prepare="stochastic_softmax.moments.run:prepare",
            ),
            Method("subject_msda", "subject_msda.recipe:SubjectMsdaRecipe", "subject_msda.run:run"),
            Method("voice", "voice.recipe:VoiceRecipe", "voice.run:run"),
        )
    }
)


@dataclass(frozen=True, slots=True)
class LoadedRecipe:
    """A recipe that was read. notes: what a reader should know of its file, such as keys that have moved."""

    method: Method
    recipe: Any
    notes: list[str]


def load_recipe(path: Path) -> LoadedRecipe:
    """Read and check a recipe of any method.

    Raises:
        ConfigError: the file is missing or not TOML, names no method that there is, has an unknown key, or a value of
            the wrong type or range.
    """
    content = read_toml(path)
    method = _method(path, content)
    notes = _load(method.upgrade)(content) if method.upgrade else []
    return LoadedRecipe(method, typed_recipe(path, content, method.recipe_type()), notes)


def _method(path: Path, content: Mapping[str, object]) -> Method:
    """Recipes that were written before the default model was a method like the others do not name it."""
    name = content.get("method", PROTOCOL.name if "objective" in content else RELATIONAL.name)
    if not isinstance(name, str) or name not in METHODS:
        raise ConfigError(f"{path}: method = {name!r} is none of {', '.join(METHODS)}")
    return METHODS[name]


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f".{module}", __package__), name)
