"""Header conventions of renderers: names of attributes and AOVs, settings and their usual values, per-frame values.

The vectors were tuned on these renderers; `held_out` has others. Names are from real headers and the vendors' guides.
"""

# ruff: noqa: ARG005  (the values of a frame need not depend on the shot)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

Attributes = dict[str, Any]


@dataclass(frozen=True)
class Convention:
    """One renderer. `aovs` has by concept the renderer's name of the layer and its components."""

    name: str
    versions: tuple[str, ...]
    settings: dict[str, tuple[Any, ...]]
    aovs: dict[str, tuple[str, str]]
    static: Callable[[str], Attributes]  # from a version: attributes of every file
    shot: Callable[[Any], Attributes]  # from a shot: scene, camera, artist
    frame: Callable[[int, Random, Any], Attributes]  # attributes that change with every frame
    beauty: str = "RGBA"
    main: str = ""  # layer of the beauty pass
    cryptomatte: bool = True
    cropped: float = 0.0  # fraction of frames whose data window is cropped to the objects


def clock(frame: int, rng: Random, dash: str = ":") -> str:
    day = f"2026{dash}{rng.randint(1, 12):02}{dash}{rng.randint(1, 28):02}"
    return f"{day} {rng.randint(0, 23):02}:{frame % 60:02}:{rng.randint(0, 59):02}"


def matrix(rng: Random) -> tuple[float, ...]:
    return tuple(rng.uniform(-9, 9) for _ in range(16))


def _lens(shot: Any) -> Attributes:
    return {"CameraFocalLength": shot.focal, "CameraFilmApertureHorizontal": 36.0}


ARNOLD = Convention(
    "Arnold",
    ("7.1.4.0", "7.2.5.3", "7.3.2.1", "6.2.1.1"),
    {
        "arnold/AA_samples": (3, 4, 5, 6, 8), "arnold/diffuse_samples": (1, 2, 3, 4),
        "arnold/specular_samples": (1, 2, 3),
        "arnold/transmission_samples": (1, 2, 3), "arnold/sss_samples": (1, 2, 4), "arnold/volume_samples": (1, 2),
        "arnold/diffuse_depth": (1, 2, 3), "arnold/specular_depth": (1, 2, 4), "arnold/total_depth": (6, 10, 12),
        "arnold/auto_transparency_depth": (8, 10, 16), "arnold/threads": (16, 32, 64),
        "arnold/texture_max_memory_MB": (2048.0, 4096.0, 8192.0),
    },
    {
        "diffuse.direct": ("diffuse_direct", "RGB"), "diffuse.indirect": ("diffuse_indirect", "RGB"),
        "diffuse.albedo": ("diffuse_albedo", "RGB"), "specular.direct": ("specular_direct", "RGB"),
        "specular.indirect": ("specular_indirect", "RGB"), "coat": ("coat", "RGB"),
        "refraction": ("transmission", "RGB"), "sss": ("sss", "RGB"), "volume": ("volume", "RGBA"),
        "emission": ("emission", "RGB"), "background": ("background", "RGB"), "depth": ("Z", ""),
        "normal": ("N", "XYZ"), "position": ("P", "XYZ"), "motion": ("motionvector", "XY"), "ao": ("ao", "RGB"),
        "light.key": ("RGBA_key", "RGB"), "light.fill": ("RGBA_fill", "RGB"), "shadow": ("shadow_matte", "RGBA"),
    },
    lambda version: {
        "arnold/version": f"Arnold {version} [5a4c{len(version)}f0e] linux x86_64 clang-15 oiio-2.5.8 osl-1.13.9",
        "arnold/color_manager": "color_manager_ocio", "arnold/color_space": "ACEScg", "arnold/host/os": "linux",
    },
    lambda shot: {
        **_lens(shot), "arnold/camera/near_clip": 0.1, "arnold/camera/far_clip": 10000.0,
        "arnold/camera/name": shot.camera, "arnold/scene": shot.scene("ma"),
    },
    lambda frame, rng, shot: {
        "arnold/frame": float(frame), "arnold/host/name": f"render{rng.randint(1, 90):03}",
        "arnold/stats/date": clock(frame, rng), "arnold/stats/time/render": rng.uniform(90, 900),
        "arnold/stats/time/setup": rng.uniform(2, 9), "arnold/stats/memory/peak": rng.uniform(2e3, 9e3),
        "arnold/stats/rays/all/total": rng.uniform(1e8, 4e8), "arnold/stats/geo/triangles": rng.uniform(1e6, 4e6),
        "capDate": clock(frame, rng), "worldToCamera": matrix(rng), "worldToNDC": matrix(rng),
    },
    cropped=0.5,
)  # fmt: skip

VRAY = Convention(
    "V-Ray",
    ("5.20.02", "6.10.08", "6.20.02", "4.30.01"),
    {
        "cameraFNumber": (2.8, 4.0, 5.6, 8.0), "cameraAperture": (24.89, 36.0), "cameraNearClip": (0.0, 0.1),
        "cameraFarClip": (1e18, 1e6), "cameraProjection": (0, 1), "vrayInfo/numPasses": ("0", "8", "32", "64"),
        "vrayInfo/numSubdivs": ("0.00", "16.00", "24.00"), "vrayInfo/os": ("Linux", "Win10", "Win11"),
    },
    {
        "diffuse.albedo": ("diffuse", "RGB"), "gi": ("GI", "RGB"), "lighting": ("lighting", "RGB"),
        "reflection": ("reflect", "RGB"), "refraction": ("refract", "RGB"), "specular": ("specular", "RGB"),
        "sss": ("SSS2", "RGB"), "emission": ("selfIllum", "RGB"), "background": ("background", "RGB"),
        "lighting.raw": ("rawLight", "RGB"), "gi.raw": ("rawGI", "RGB"), "caustics": ("caustics", "RGB"),
        "depth": ("zDepth", ""), "normal": ("normals", "XYZ"), "motion": ("velocity", "XYZ"),
        "ao": ("VRayExtraTex_ao", "RGB"), "shadow": ("shadow", "RGB"), "light.key": ("LightSelect_key", "RGB"),
        "volume": ("atmosphere", "RGB"),
    },
    lambda version: {
        "vrayInfo/vrayversion": f"Version of V-Ray for Maya {version}", "vrayInfo/vraycore": version[:-1] + "6",
        "vrayInfo/cpu": "AMD/Model:1,Family:25,Stepping:1,Cache:0",
    },
    lambda shot: {
        "vrayInfo/camera": f"{shot.camera}Shape", "vrayInfo/filename": shot.scene("mb"),
        "vrayInfo/scenename": shot.scene("mb").rpartition("/")[2][:-3], "vrayInfo/renderlayer": "defaultRenderLayer",
        "cameraFocalLength": shot.focal,
    },
    lambda frame, rng, shot: {
        "vrayInfo/frame": f"{frame:05}", "vrayInfo/date": f"2026/Mar/{rng.randint(1, 28):02}",
        "vrayInfo/time": clock(frame, rng)[11:],
        "vrayInfo/rendertime": f" 0h  {rng.randint(1, 59)}m {rng.uniform(0, 59):4.1f}s",
        "vrayInfo/computername": f"node{rng.randint(1, 90):02}", "vrayInfo/ram": f"{rng.choice((64, 128))}752MB",
        "vrayInfo/vmem": f"{rng.randint(6000, 68000)}MB", "vrayInfo/mhz": f"{rng.randint(2000, 3600)}MHz",
        "vrayInfo/primitives": str(rng.randint(10**5, 10**7)), "cameraFov": rng.uniform(40, 60),
        "cameraTargetDistance": rng.uniform(100, 300), "cameraTransform": matrix(rng),
    },
    cropped=0.5,
)  # fmt: skip

REDSHIFT = Convention(
    "Redshift",
    ("3.0.67", "3.5.12", "3.5.24", "2025.1.1"),
    {
        "rs/camera/nearPlane": (0.01, 0.1, 1.0), "rs/camera/farPlane": (1000.0, 10000.0),
        "rs/camera/shutterRatio": (0.25, 0.5, 1.0),
        "rs/camera/fstop": (2.8, 4.0, 5.6), "rs/camera/cdm2": (1.0, 12000.0), "rs/camera/vignetting": (0.0, 1.0),
        "rs/camera/saturation": (1.0, 0.9), "rs/camera/DOFEnabled": (0, 1), "rs/camera/blackCrushThresh": (0.0, 0.5),
    },
    {
        "diffuse.direct": ("DiffuseLighting", "RGB"), "diffuse.albedo": ("DiffuseFilter", "RGB"), "gi": ("GI", "RGB"),
        "specular": ("SpecularLighting", "RGB"), "reflection": ("Reflections", "RGB"), "refraction": ("Refractions",
        "RGB"),
        "sss": ("SubSurfaceScatter", "RGB"), "emission": ("Emission", "RGB"), "volume": ("VolumeLighting", "RGB"),
        "caustics": ("Caustics", "RGB"), "depth": ("Z", ""), "normal": ("N", "XYZ"), "position": ("P", "XYZ"),
        "motion": ("MotionVectors", "RG"), "ao": ("AO", "RGB"), "background": ("Background", "RGB"),
        "shadow": ("Shadows", "RGB"), "lighting.raw": ("DiffuseLightingRaw", "RGB"), "gi.raw": ("GIRaw", "RGB"),
    },
    lambda version: {"rs/version": version},
    lambda shot: {"rs/camera/aperture": (36.0, 20.25), "rs/scene": shot.scene("hip"), "rs/camera/name": shot.camera},
    lambda frame, rng, shot: {
        "rs/hostname": f"gpu{rng.randint(1, 40):02}", "rs/camera/transform": matrix(rng),
        "rs/camera/fov": rng.uniform(0.5, 1.1),
        "rs/camera/DOFFocusDistance": rng.uniform(10, 90),
        "rs/renderTime": f"00:{rng.randint(1, 59):02}:{frame % 60:02}",
    },
)  # fmt: skip

CYCLES = Convention(
    "Cycles",
    ("3.6.5", "4.1.0", "4.2.3 LTS", "4.5.3 LTS"),
    {
        "cycles.ViewLayer.samples": ("128", "256", "512", "1024"),
        "BlenderMultiChannel": ("Blender V2.55.1 and newer",),
        "Scene": ("Scene", "Scene.001"), "colorInteropID": ("lin_rec709_scene", "lin_ap1_scene"),
        "cycles.ViewLayer.denoiser": ("OPTIX", "OPENIMAGEDENOISE"), "Note": ("", "final", "preview"),
    },
    {
        "diffuse.direct": ("DiffDir", "RGB"), "diffuse.indirect": ("DiffInd", "RGB"), "diffuse.albedo": ("DiffCol",
        "RGB"),
        "specular.direct": ("GlossDir", "RGB"), "specular.indirect": ("GlossInd", "RGB"),
        "specular.albedo": ("GlossCol", "RGB"),
        "refraction": ("TransDir", "RGB"), "refraction.albedo": ("TransCol", "RGB"), "volume": ("VolumeDir", "RGB"),
        "emission": ("Emit", "RGB"), "background": ("Env", "RGB"), "depth": ("Depth", "Z"), "normal": ("Normal", "XYZ"),
        "position": ("Position", "XYZ"), "motion": ("Vector", "XYZW"), "ao": ("AO", "RGB"), "shadow": ("Shadow", "RGB"),
        "id.object": ("IndexOB", "X"), "id.material": ("IndexMA", "X"), "volume.mist": ("Mist", "Z"),
    },
    lambda version: {"Software": f"Blender {version}"},
    lambda shot: {"File": shot.scene("blend"), "Camera": shot.camera},
    lambda frame, rng, shot: {
        "Date": clock(frame, rng, "/"), "Time": f"00:00:{frame // 24 % 60:02}:{frame % 24:02}", "Frame": str(frame),
        "RenderTime": f"{rng.randint(0, 9):02}:{rng.uniform(0, 59):05.2f}",
        "cycles.ViewLayer.render_time": f"{rng.randint(0, 9):02}:{rng.uniform(0, 59):05.2f}",
        "cycles.ViewLayer.synchronization_time": f"00:{rng.uniform(0, 9):05.2f}",
    },
    main="Combined",
)  # fmt: skip

NUKE = Convention(
    "Nuke",
    ("12.2v4", "13.2v5", "14.0v2", "15.1v3"),
    {"nuke/full_layer_names": (0, 1), "version": (1,), "input/bitsperchannel": ("16-bit half float", "32-bit float")},
    {
        "depth": ("depth", "Z"), "mask": ("mask", "a"), "motion": ("forward", "uv"), "id.object": ("id", "R"),
        "normal": ("normals", "XYZ"),
    },
    lambda version: {"nuke/version": version},
    lambda shot: {"input/filename": shot.scene("exr").replace("scenes", "plates"), "nuke/script": shot.scene("nk")},
    lambda frame, rng, shot: {
        "nuke/node_hash": f"{rng.getrandbits(64):016x}", "input/ctime": clock(frame, rng, "-"),
        "input/mtime": clock(frame, rng, "-"), "input/timecode": f"01:00:{frame // 24 % 60:02}:{frame % 24:02}",
    },
    cryptomatte=False,
    cropped=1.0,
)  # fmt: skip

ARRI = Convention(
    "ARRI camera",
    ("ALEXA 35", "ALEXA Mini LF", "ALEXA LF"),
    {
        "isoSpeed": (400.0, 800.0, 1600.0), "expTime": (0.0208333, 0.01), "shutterAngle": (172.8, 180.0),
        "whiteBalance": (3200, 4300, 5600),
        "lensModel": ("Signature Prime 35", "Signature Prime 75", "Master Prime 50"),
        "com.arri.camera.ColorGamma": ("LOG-C", "LOG-C4"), "owner": ("", "unit A", "unit B"),
    },
    {},
    lambda version: {"cameraMake": "ARRI", "cameraModel": version},
    lambda shot: {
        "reelName": shot.reel, "cameraSerialNumber": shot.serial, "nominalFocalLength": shot.focal,
        "cameraLabel": shot.camera[:1].upper(),
    },
    lambda frame, rng, shot: {
        "capDate": clock(frame, rng), "focus": rng.uniform(1, 9), "tilt": rng.uniform(-5, 5),
        "roll": rng.uniform(-1, 1),
        "timeCode": frame, "com.arri.camera.ArriUuid": f"{rng.getrandbits(64):016X}",
    },
    beauty="RGB",
    cryptomatte=False,
)  # fmt: skip
RENDERMAN = Convention(
    "RenderMan",
    ("24.4", "25.2", "26.1", "26.3"),
    {
        "pixelvariance": (0.001, 0.005, 0.015, 0.03), "samples": ((0.0, 256.0), (16.0, 512.0), (32.0, 1024.0)),
        "fstop": (2.8, 4.0, 5.6, 8.0), "haperture": (36.0, 24.0), "vaperture": (20.25, 24.0), "shutter": (0.25, 0.5),
        "integrator": ("PxrPathTracer", "PxrUnified"), "maxdepth": (6, 8, 10), "ri:hider:maxsamples": (256, 512, 1024),
    },
    {
        "diffuse.direct": ("directDiffuse", "rgb"), "diffuse.indirect": ("indirectDiffuse", "rgb"),
        "diffuse.albedo": ("albedo", "rgb"), "specular.direct": ("directSpecular", "rgb"),
        "specular.indirect": ("indirectSpecular", "rgb"), "coat": ("directSpecularClearcoat", "rgb"),
        "sss": ("subsurface", "rgb"), "refraction": ("transmissive", "rgb"), "emission": ("emissive", "rgb"),
        "depth": ("z", ""), "normal": ("Nn", "XYZ"), "position": ("__Pworld", "XYZ"), "motion": ("dPdtime", "XYZ"),
        "samples": ("sampleCount", ""), "light.key": ("lightgroup_key", "rgb"), "ao": ("occluded", "rgb"),
        "cost": ("cpuTime", ""),
    },
    lambda version: {"dcc": f"Maya 2024\nRenderMan for Maya {version}", "comment": "final"},
    lambda shot: {"renderscene": shot.scene("ma"), "user": shot.artist, "focal": shot.focal, "camera": shot.camera},
    lambda frame, rng, shot: {
        "focaldistance": rng.uniform(1, 90), "statistics": f"/tmp/stats/{shot.name}.{frame}.xml", "Nl": matrix(rng),
        "NP": matrix(rng),
        "rendertime": rng.uniform(90, 900),
    },
    beauty="rgba",
    main="Ci",
)  # fmt: skip

TUNING = (ARNOLD, VRAY, REDSHIFT, CYCLES, NUKE, ARRI, RENDERMAN)
