"""Labelled renders of a synthetic studio: shows, recipes, shots, versions and frames, as EXR headers.

A recipe is a renderer with its version, AOVs, precision, compression, resolution, colour space and settings. Two shows
of each split have noise: numbers and words that change with the frame, under names without a known meaning. Half of
the second versions of a shot drift: another compression, another renderer version, one more AOV, another setting.
Random choices are seeded with texts, so a corpus is the same on every machine.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from random import Random
from struct import pack
from typing import Any

from benchmarks.conventions import TUNING, Attributes, Convention
from benchmarks.held_out import HELD_OUT
from exr_inspector import Inspection, inspect
from exr_inspector.sources.memory import MemorySource
from tests.support import exr_writer as w

COMPRESSIONS = {"ZIPS": 2, "ZIP": 3, "PIZ": 4, "DWAA": 8, "DWAB": 9, "NONE": 0}
GAMUTS = {
    "lin_rec709": (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329),
    "ACEScg": (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767),
    "ACES2065-1": (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767),
    "lin_p3d65": (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329),
}


@dataclass(frozen=True)
class Show:
    name: str
    shot_pattern: str
    sizes: tuple[tuple[int, int], ...]
    rate: tuple[int, int] | None
    pipeline: str  # prefix of the pipeline's attributes, "" for none
    noise: tuple[str, ...]  # attributes that change with every frame; their names have no known meaning


SHOWS = {
    "tuning": (
        Show("harbor", "{show}_sq{sq:03}_sh{sh:04}", ((1920, 1080), (2048, 1152)), (24, 1), "", ()),
        Show(
            "tundra",
            "{show}_{sq:03}_{sh:03}",
            ((3840, 2160),),
            (24000, 1001),
            "ftrack/",
            ("slot", "lane", "qx", "zone/w", "state", "blk"),
        ),
        Show(
            "kestrel",
            "{sq:02}{sh:03}_{show}",
            ((2048, 858), (4096, 1716)),
            None,
            "studio/",
            ("bucket", "colourway", "f1", "unit", "outcome", "seg"),
        ),
        Show("oasis", "{show}-s{sq:02}-c{sh:03}", ((1998, 1080),), (25, 1), "", ()),
    ),
    "held-out": (
        Show("meridian", "{show}_{sq:03}_{sh:04}", ((2156, 1134), (4312, 2268)), (24, 1), "", ()),
        Show(
            "lumen",
            "lmn_e{sq:02}_sc{sh:03}",
            ((3840, 2160), (1920, 1080)),
            (24000, 1001),
            "ayon/",
            ("bay", "tag2", "k0", "pod", "verdict", "chunkRef"),
        ),
        Show(
            "cobalt",
            "{show}.{sq:02}.{sh:03}",
            ((4096, 2304),),
            None,
            "job_",
            ("pri", "pool", "load", "site", "last", "ticket"),
        ),
        Show("willow", "wlw_sc{sq:03}_p{sh:03}", ((1920, 800),), (30, 1), "", ()),
    ),
}
RENDERERS = {"tuning": TUNING, "held-out": HELD_OUT}
ARTISTS = "kim ada joao mei lars priya tomas zoe omar lena".split()
TASKS = "lighting fx comp lookdev env crowd".split()


@dataclass(frozen=True)
class Recipe:
    renderer: Convention
    version: str
    aovs: tuple[str, ...]
    crypto: bool
    pixel_type: int
    compression: str
    size: tuple[int, int]
    gamut: str
    named_gamut: bool
    settings: tuple[tuple[str, Any], ...]
    tiled: bool
    multipart: bool

    @property
    def label(self) -> str:
        """A text that identifies the recipe, the same in every process."""
        return repr([*(getattr(self, each.name) for each in fields(self)[1:]), self.renderer.name])


@dataclass(frozen=True)
class Shot:
    show: Show
    code: str
    name: str
    artist: str
    task: str
    camera: str
    focal: float
    version: int
    reel: str
    serial: str
    level: str

    def scene(self, extension: str) -> str:
        """The path of the scene file."""
        folder = f"/shows/{self.show.name}/{self.name}/{self.task}/scenes"
        return f"{folder}/{self.name}_{self.task}_v{self.version:03}.{extension}"


@dataclass(frozen=True)
class Render:
    """One file and its labels."""

    source: MemorySource
    inspection: Inspection
    sequence: str
    recipe: str
    renderer: str
    concepts: frozenset[str]  # its AOVs, independent of the renderer's names


def make_recipe(renderer: Convention, show: Show, rng: Random) -> Recipe:
    aovs = sorted(renderer.aovs)
    names = sorted(renderer.settings)
    chosen = rng.sample(names, min(len(names), rng.randint(3, 12)))
    return Recipe(
        renderer=renderer,
        version=rng.choice(renderer.versions),
        aovs=tuple(sorted(rng.sample(aovs, rng.randint(min(3, len(aovs)), len(aovs))))) if aovs else (),
        crypto=renderer.cryptomatte and rng.random() < 0.4,
        pixel_type=rng.choice((w.HALF, w.HALF, w.FLOAT)),
        compression=rng.choice(("ZIPS", "ZIP", "ZIP", "DWAA", "PIZ", "DWAB")),
        size=rng.choice(show.sizes),
        gamut=rng.choice(sorted(GAMUTS)),
        named_gamut=rng.random() < 0.6,
        settings=tuple((name, rng.choice(renderer.settings[name])) for name in sorted(chosen)),
        tiled=rng.random() < 0.15,
        multipart=rng.random() < 0.2,
    )


CHANGES = (
    "compression", "version", "AOV missing", "AOV added", "precision", "resolution", "setting", "colour", "other tool",
    "stripped",
)  # fmt: skip
DRIFTS = ("compression", "version", "AOV added", "setting")


def changed(recipe: Recipe, kind: str, rng: Random) -> Recipe | None:
    """The recipe with one property changed; None if it does not have the property."""
    renderer = recipe.renderer

    def other(choices: Any, now: Any) -> Any:
        rest = [each for each in choices if each != now]
        return rng.choice(rest) if rest else now

    if kind == "compression":
        return replace(recipe, compression=other(sorted(COMPRESSIONS), recipe.compression))
    if kind == "version":
        return replace(recipe, version=other(renderer.versions, recipe.version))
    if kind == "AOV missing" and len(recipe.aovs) > 1:
        gone = rng.choice(recipe.aovs)
        return replace(recipe, aovs=tuple(aov for aov in recipe.aovs if aov != gone))
    if kind == "AOV added" and (rest := sorted(set(renderer.aovs) - set(recipe.aovs))):
        return replace(recipe, aovs=tuple(sorted((*recipe.aovs, rng.choice(rest)))))
    if kind == "precision":
        return replace(recipe, pixel_type=w.HALF if recipe.pixel_type == w.FLOAT else w.FLOAT)
    if kind == "resolution":
        width, height = recipe.size
        return replace(recipe, size=(width // 2, height // 2))
    if kind == "setting":
        open_ = [name for name, _ in recipe.settings if len(renderer.settings[name]) > 1]
        if open_:
            name = rng.choice(open_)
            now = dict(recipe.settings)
            return replace(recipe, settings=tuple((now | {name: other(renderer.settings[name], now[name])}).items()))
    if kind == "colour":
        return replace(recipe, gamut=other(sorted(GAMUTS), recipe.gamut))
    return recipe if kind in ("other tool", "stripped") else None


# ── bytes ────────────────────────────────────────────────────


def encoded(name: str, value: Any) -> bytes:
    """An attribute whose type follows from its value."""
    if name == "timeCode":
        return w.attribute(name, "timecode", w.timecode(1, value // 1440 % 60, value // 24 % 60, value % 24))
    if isinstance(value, str):
        return w.text(name, value)
    if isinstance(value, int):
        return w.fixed(name, "int", value)
    if isinstance(value, float):
        return w.fixed(name, "float", value)
    return w.fixed(name, {2: "v2f", 3: "v3f", 16: "m44f"}[len(value)], *value)


def channels_of(recipe: Recipe) -> list[tuple[str, list[w.Channel]]]:
    """The channels of a file by layer, the beauty pass first."""
    renderer, kind = recipe.renderer, recipe.pixel_type
    prefix = f"{renderer.main}." if renderer.main else ""
    layers = [("rgba", [(prefix + letter, kind, 1, 1, 0) for letter in renderer.beauty])]
    for concept in recipe.aovs:
        layer, letters = renderer.aovs[concept]
        exact = w.FLOAT if concept in ("depth", "position", "id.object", "id.material", "samples") else kind
        names = [f"{layer}.{letter}" for letter in letters] or [layer]
        layers.append((layer, [(name, exact, 1, 1, 0) for name in names]))
    if recipe.crypto:
        for rank in range(3):
            name = f"CryptoObject{rank:02}"
            layers.append((name, [(f"{name}.{letter}", w.FLOAT, 1, 1, 0) for letter in "RGBA"]))
    return layers


def _noise(show: Show, rng: Random) -> Attributes:
    values = (
        rng.randint(0, 31),
        rng.choice(("amber", "birch", "cedar", "delta", "ember")),
        round(rng.uniform(0, 9), 2),
        rng.choice(("rk01", "rk02", "rk07", "rk11")),
        rng.choice(("clean", "dirty", "retry")),
        rng.randint(100, 999),
    )
    return dict(zip(show.noise, values, strict=False))


def _pipeline_attributes(shot: Shot, frame: int, rng: Random) -> Attributes:
    prefix = shot.show.pipeline
    if not prefix:
        return {}
    return {
        f"{prefix}project": shot.show.name, f"{prefix}shot": shot.name, f"{prefix}task": shot.task,
        f"{prefix}artist": shot.artist, f"{prefix}version": f"v{shot.version:03}",
        f"{prefix}job_id": f"{rng.getrandbits(48):012x}", f"{prefix}submitted": 1_760_000_000 + frame,
        f"{prefix}worker": f"farm-{rng.randint(1, 400):03}",
    }  # fmt: skip


def header(recipe: Recipe, shot: Shot, frame: int, seed: str, *, change: str = "") -> Inspection:
    """The inspection of one frame."""
    return inspect(file(recipe, shot, frame, seed, change=change))


def file(recipe: Recipe, shot: Shot, frame: int, seed: str, *, change: str = "") -> MemorySource:
    """One frame: a header without pixels."""
    rng = Random(f"{seed}/{shot.name}/{shot.task}/{shot.version}/{frame}")
    renderer = recipe.renderer
    attributes: Attributes = {}
    if change != "stripped":
        attributes |= renderer.static(recipe.version) | renderer.shot(shot) | dict(recipe.settings)
        attributes |= renderer.frame(frame, rng, shot) | _pipeline_attributes(shot, frame, rng) | _noise(shot.show, rng)
        if recipe.named_gamut:
            attributes["colorSpace"] = recipe.gamut
    if change == "other tool":
        attributes |= {
            "Software": "OpenImageIO 2.5.8.0 : oiiotool",
            "DateTime": "2026:05:01 10:00:00",
            "oiio:ColorSpace": "scene_linear",
        }
    extra = [encoded(name, value) for name, value in attributes.items()]
    extra.append(w.fixed("chromaticities", "chromaticities", *GAMUTS[recipe.gamut]))
    if shot.show.rate:
        extra.append(w.fixed("framesPerSecond", "rational", *shot.show.rate))
    width, height = recipe.size
    display = (0, 0, width - 1, height - 1)
    window = display
    if rng.random() < renderer.cropped:
        window = (rng.randint(0, width // 4), rng.randint(0, height // 4), width - 1 - rng.randint(0, 99), height - 1)
    layers = channels_of(recipe)
    if recipe.crypto and change != "stripped":
        objects = ",".join(f'"obj{each}":"{each * 7919:08x}"' for each in sorted(rng.sample(range(40), 20)))
        for key, value in (("name", "CryptoObject"), ("hash", "MurmurHash3_32"), ("conversion", "uint32_to_float32"),
                           ("manifest", f"{{{objects}}}")):  # fmt: skip
            extra.append(w.text(f"cryptomatte/3ae39a5/{key}", value))
    split = layers if recipe.multipart else [("", [channel for _, each in layers for channel in each])]
    parts = [_part(recipe, window, display, name, channels, extra) for name, channels in split]
    path = f"/shows/{shot.show.name}/{shot.name}/{shot.task}/v{shot.version:03}/{shot.name}.{frame}.exr"
    return MemorySource(w.build(parts).data, f"file://{path}")


def _part(
    recipe: Recipe, window: w.Window, display: w.Window, name: str, channels: list[w.Channel], extra: list[bytes]
) -> w.Part:
    stored = w.required(
        window=window, display=display, channels=sorted(channels), compression=COMPRESSIONS[recipe.compression],
        line_order=2 if recipe.tiled else 0,
    )  # fmt: skip
    if recipe.tiled:
        stored["tiles"] = w.attribute("tiles", "tiledesc", w.Tiles(64, 64).encoded())
    if name:
        stored |= {
            "name": w.text("name", name),
            "type": w.text("type", w.TYPES[False, recipe.tiled]),
            "chunkCount": w.attribute("chunkCount", "int", pack("<i", 100)),
        }
    return w.Part((*stored.values(), *extra), (), w.TILED if recipe.tiled else 0)


# ── corpora ──────────────────────────────────────────────────


def make_shots(show: Show, count: int, rng: Random) -> Iterator[Shot]:
    for number in range(count):
        sq, sh = 10 * (1 + number // 4), 10 * (1 + number % 4)
        name = show.shot_pattern.format(show=show.name, sq=sq, sh=sh)
        yield Shot(
            show=show, code=f"sh{sh:04}", name=name, artist=rng.choice(ARTISTS), task=rng.choice(TASKS),
            camera=rng.choice(("renderCam", "shotCam", "camMain", "cam_a")) + rng.choice(("", "1", f"_{sh}")),
            focal=rng.choice((24.0, 35.0, 50.0, 75.0)), version=rng.randint(1, 9),
            reel=f"A{rng.randint(1, 99):03}C{rng.randint(1, 20):03}", serial=str(rng.randint(10000, 60000)),
            level=rng.choice(("Main", "Harbor", "Forest")),
        )  # fmt: skip


def corpus(split: str, seed: int, *, shots: int = 14) -> list[Render]:
    """A labelled corpus; 14 shots per show give about 700 files in 150 sequences."""
    found: list[Render] = []
    renderers = itertools.cycle(RENDERERS[split])
    for show in SHOWS[split]:
        rng = Random(f"{split}/{seed}/{show.name}")
        recipes = []
        for count in (2, 2, 1):
            renderer = next(renderers)
            recipes += [make_recipe(renderer, show, rng) for _ in range(count)]
        for shot in make_shots(show, shots, rng):
            for recipe in rng.sample(recipes, rng.choice((1, 2, 2))):
                task = rng.choice(TASKS)
                first = replace(shot, task=task)
                found += _sequence(recipe, first, f"{seed}", rng)
                if recipe.renderer.aovs and rng.random() < 0.6:  # camera footage has one version
                    drifted = recipe
                    if rng.random() < 0.5:
                        drifted = changed(recipe, rng.choice(DRIFTS), rng) or recipe
                    found += _sequence(drifted, replace(first, version=shot.version + 1), f"{seed}", rng)
    return found


def _sequence(recipe: Recipe, shot: Shot, seed: str, rng: Random) -> list[Render]:
    start = 1001 + rng.randint(0, 200)
    concepts = frozenset(("beauty", *recipe.aovs, *(["cryptomatte"] if recipe.crypto else [])))
    sequence = f"{shot.name}/{shot.task}/{shot.version}/{recipe.label}"
    frames = [file(recipe, shot, start + number, seed) for number in range(rng.randint(4, 6))]
    return [Render(frame, inspect(frame), sequence, recipe.label, recipe.renderer.name, concepts) for frame in frames]


def odd_sequences(split: str, seed: int, each: int = 30) -> Iterator[tuple[str, list[Inspection], int]]:
    """(kind of change, five frames, index of the frame that was rendered differently), `each` per kind."""
    for kind in CHANGES:
        rng = Random(f"odd/{split}/{seed}/{kind}")
        made = 0
        for number in itertools.count():
            show = SHOWS[split][number % 4]
            renderer = rng.choice(RENDERERS[split])
            recipe = make_recipe(renderer, show, rng)
            other = changed(recipe, kind, rng)
            if other is None or (other == recipe and kind not in ("other tool", "stripped")):
                continue
            (shot,) = make_shots(show, 1, rng)
            odd = rng.randrange(5)
            frames = [
                header(
                    other if at == odd else recipe,
                    shot,
                    1001 + at,
                    f"{seed}/{number}",
                    change=kind if at == odd else "",
                )
                for at in range(5)
            ]
            yield kind, frames, odd
            made += 1
            if made == each:
                break


def two_forms(split: str, seed: int, count: int = 40) -> Iterator[tuple[Inspection, Inspection]]:
    """Pairs of a frame as one part and as one part per layer."""
    rng = Random(f"forms/{split}/{seed}")
    for _ in range(count):
        show = rng.choice(SHOWS[split])
        recipe = make_recipe(rng.choice([r for r in RENDERERS[split] if r.aovs]), show, rng)
        (shot,) = make_shots(show, 1, rng)
        yield (
            header(replace(recipe, multipart=False), shot, 1001, "forms"),
            header(replace(recipe, multipart=True), shot, 1001, "forms"),
        )
