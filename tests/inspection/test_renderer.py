"""The renderer is detected from the attributes of a header."""

import random
from dataclasses import replace

import pytest

from benchmarks import studio
from benchmarks.conventions import TUNING
from benchmarks.held_out import HELD_OUT
from exr_inspector import inspect
from exr_inspector.exr import Attribute
from exr_inspector.inspection.renderer import renderer
from tests.support import corpus


def attributes(values):
    return [
        Attribute(name, "string" if isinstance(value, str) else "float", b"", value) for name, value in values.items()
    ]


# Attributes as the renderers write them, and the deciding one.
HEADERS = [
    ("Arnold", "arnold/version", {"arnold/version": "Arnold 7.3.2.1 [5a4c1f0e] linux", "arnold/frame": 1001.0}),
    ("Arnold", "arnold/frame", {"arnold/frame": 1001.0}),
    ("V-Ray", "vrayInfo/vrayversion", {"vrayInfo/os": "Linux", "vrayInfo/vrayversion": "Version of V-Ray for Maya"}),
    ("V-Ray", "vfb2_layers_json", {"vfb2_layers_json": "{}", "cameraFNumber": 8.0}),
    ("Redshift", "rs/version", {"rs/version": "3.5.24", "rs/camera/fov": 0.9}),
    ("RenderMan", "integrator", {"integrator": "PxrPathTracer", "user": "kim"}),
    ("RenderMan", "dcc", {"dcc": "Blender 4.1\nRenderMan for Blender 26.1"}),
    ("Karma", "husk:command", {"husk:command": "husk -R BRAY_HdKarmaXPU a.usd", "husk:render_stats": "{}"}),
    ("RenderMan", "husk:command", {"husk:command": "husk -R HdPrmanLoaderRendererPlugin a.usd"}),
    ("MoonRay", "husk:command", {"husk:command": "husk -R HdMoonrayRendererPlugin a.usd", "husk:render_stats": "{}"}),
    ("Cycles", "husk:command", {"husk:command": "husk --renderer HdCyclesPlugin a.usd"}),
    ("Embree", "husk:command", {"husk:command": 'husk -R "HdEmbreeRendererPlugin" a.usd'}),
    ("Octane", "husk:command", {"husk:command": "husk -R HdOctaneRendererPlugin a.usd"}),
    ("Rpr", "husk:command", {"husk:command": "husk --verbose 3 --renderer=HdRprPlugin /shots/HdTest/a.usd"}),
    ("Karma", "husk:command", {"husk:command": "husk -R BRAY_HdKarma /shots/HdTest/a.usd"}),
    ("Karma", "husk:command", {"husk:command": "husk -R HdKarma a.usd"}),
    ("Mantra", "Software", {"Software": "Houdini 19.5 mantra"}),
    ("Cycles", "cycles.ViewLayer.samples", {"cycles.ViewLayer.samples": "128", "Software": "Blender 4.1.0"}),
    ("Blender", "BlenderMultiChannel", {"BlenderMultiChannel": "Blender V2.55.1 and newer"}),
    ("Blender", "Software", {"Software": "Blender 4.1.0"}),
    ("Karma", "Software", {"Software": "Houdini 20.5 Karma XPU"}),
    ("RenderMan", "ri:hider:maxsamples", {"ri:hider:maxsamples": 512.0, "camera": "a"}),
    ("Octane", "Software", {"Software": "OctaneRender 2023.1"}),
    ("Octane", "octane/kernel", {"octane/kernel": "Path tracing"}),
    ("Unreal Engine", "unreal/jobName", {"unreal/jobName": "a", "unreal/levelName": "b"}),
    ("Corona", "corona.iscoronaexr", {"corona.iscoronaexr": "1", "vfb2_layers_json": "{}"}),
    ("MoonRay", "resumeHistory", {"resumeHistory": "{}"}),
    ("Nuke", "nuke/version", {"nuke/version": "13.2v5", "nuke/node_hash": "c0ffee"}),
    ("Houdini", "Software", {"Software": "Houdini 20.0.506"}),
    ("Maya", "Software", {"Software": "Autodesk Maya 2024"}),
    ("ARRI camera", "com.arri.camera.ColorGamma", {"com.arri.camera.ColorGamma": "LOG-C", "cameraMake": "ARRI"}),
    ("ARRI camera", "cameraModel", {"cameraModel": "ALEXA Mini LF"}),
    ("RED camera", "cameraMake", {"cameraMake": "RED", "cameraModel": "DSMC2"}),
    ("RED camera", "cameraModel", {"cameraModel": "V-RAPTOR 8K VV"}),
    ("Leitz camera", "cameraMake", {"cameraMake": "Leitz "}),
    # A comp of a render still has attributes of its renderer; the path of a scene file does not decide.
    ("Arnold", "arnold/version", {"nuke/version": "13.2v5", "arnold/version": "Arnold 7"}),
    ("Nuke", "nuke/version", {"nuke/version": "13.2v5", "comment": "redshift look", "scene": "/a/vray/arnold.ma"}),
]


@pytest.mark.parametrize(("name", "evidence", "values"), HEADERS, ids=[f"{h[0]} by {h[1]}" for h in HEADERS])
def test_a_renderer_is_detected_from_its_attributes(name, evidence, values):
    """In any order."""
    found = attributes(values)
    for _ in range(4):
        random.Random(1).shuffle(found)
        told = renderer(found)
        assert (told.renderer, told.attr_name, told.value) == (name, evidence, str(values[evidence]))


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"owner": "Octane Street Films", "comments": "rendered with Arnold"},
        {"Software": "OpenImageIO 2.5.8 : oiiotool --resize"},
        {"Software": "Barnold 1.0"},
        {"scene": "/shows/arnold/redshift.ma", "vrayLike": "x", "arnold": "x"},
        {"integrator": "path"},
        {"cameraMake": " "},
    ],
    ids=["nothing", "free text", "converter", "part of a word", "look-alikes", "another integrator", "no maker"],
)
def test_nothing_is_guessed(values):
    assert renderer(attributes(values)) is None


def test_a_long_value_is_truncated_in_the_evidence():
    told = renderer(attributes({"husk:render_stats": "x" * 1000}))
    assert len(told.value) == 120


@corpus.need_corpus
def test_renderers_of_real_files():
    """One was rendered, one photographed with a known camera; the others have no evidence."""
    named = {}
    for path in corpus.VALID_FILES:
        told = {part.renderer for part in inspect(path).parts} - {None}
        if told:
            named[path.name] = told
    assert named == {"Carrots.exr": {"Sony camera"}, "cornellBox_CryptoWildcard.0001.exr": {"V-Ray"}}


@pytest.mark.parametrize("convention", [*TUNING, *HELD_OUT], ids=lambda each: each.name)
def test_every_generated_header_has_its_renderer(convention):
    """From the attributes that it always has; settings can be missing."""
    rng = random.Random(convention.name)
    show = studio.SHOWS["tuning"][1]
    (shot,) = studio.make_shots(show, 1, rng)
    recipe = studio.make_recipe(convention, show, rng)
    for settings in ((), recipe.settings):
        inspection = studio.header(replace(recipe, settings=settings), shot, 1001, "a")
        assert {part.renderer for part in inspection.parts} == {convention.name}
