"""The header attributes of renderers and tools: a frame number in, attribute values for the writer out.

Values that change with every frame are computed from the frame number, so they are the same on every run.
"""

from __future__ import annotations

from ..exr.attributes import Chromaticities, Rational, TimeCode

Values = dict[str, object]  # by attribute name

SHOT_ROOT = "/shows/harbor"


def clock(frame: int, separator: str = ":") -> tuple[str, str]:
    """Date and time at which a frame was finished; a frame takes 7 minutes and 19 seconds."""
    seconds = 9 * 3600 + (frame - 1001) * 439
    time = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"2026{separator}03{separator}02", time


def vary(frame: int, low: float, high: float) -> float:
    """A number between `low` and `high` that changes from frame to frame like a measured one."""
    return round(low + (high - low) * (frame * 7919 % 1000) / 1000, 2)


def camera_matrix(frame: int) -> object:
    """The matrix of a slow dolly move, row by row."""
    x = -1.2 + 0.01 * (frame - 1001)
    return (1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (x, -1.6, -10.0, 1.0)


def timecode(frame: int) -> TimeCode:
    """The time code of a plate frame; frame 1001 has 10:21:05:00."""
    number = frame - 1001
    packed = int(f"102105{number:02}", 16)  # two decimal digits per byte
    return TimeCode(10, 21, 5, number, False, False, False, False, False, False, packed, 0)


def arnold(frame: int, aovs: tuple[str, ...]) -> Values:
    """Arnold for Maya."""
    date, time = clock(frame)
    header: Values = {
        "arnold/version": "Arnold 7.3.2.1 [5a4c1f0e] linux x86_64 clang-15 oiio-2.5.8 osl-1.13.9 vdb-7.1.1",
        "arnold/AA_samples": 6,
        "arnold/auto_transparency_depth": 10,
        "arnold/total_depth": 10,
        "arnold/threads": 32,
        "arnold/color_manager": "color_manager_ocio",
        "arnold/color_space": "ACEScg",
        "arnold/texture_max_memory_MB": 4096.0,
        "arnold/fps": 24.0,
        "arnold/camera/near_clip": 0.1,
        "arnold/camera/far_clip": 10000.0,
        "arnold/host/os": "linux",
        "arnold/frame": float(frame),
        "arnold/host/name": f"render{frame % 7 + 1:02}",
        "arnold/stats/date": f"{date} {time}",
        "arnold/stats/time/render": vary(frame, 380, 430),
        "arnold/stats/time/setup": vary(frame + 3, 4, 9),
        "arnold/stats/memory/peak": vary(frame, 3900, 4400),
        "arnold/stats/rays/all/total": vary(frame, 2.1e8, 2.4e8),
        "capDate": f"{date} {time}",
        "worldToCamera": camera_matrix(frame),
        "worldToNDC": camera_matrix(frame),
    }
    for kind in ("diffuse", "specular", "transmission", "sss", "volume"):
        header[f"arnold/{kind}_samples"] = 3
        header[f"arnold/{kind}_depth"] = 2
    for aov in aovs:
        header[f"arnold/aovs/{aov}/filter"] = "gaussian_filter"
        header[f"arnold/aovs/{aov}/filter_width"] = 2.0
    return header


def vray(frame: int, width: int, height: int) -> Values:
    """V-Ray for Maya: all `vrayInfo/` values are text."""
    date, time = clock(frame, "/")
    scene = "harbor_sq010_sh0020_light_v0012"
    return {
        "vrayInfo/vrayversion": "Version of V-Ray for Maya 6.20.02",
        "vrayInfo/vraycore": "6.20.06",
        "vrayInfo/vrayrevision": "32707 Jan 16 2024 05:12:31",
        "vrayInfo/camera": "renderCamShape",
        "vrayInfo/filename": f"{SHOT_ROOT}/sq010/sh0020/lighting/maya/{scene}.mb",
        "vrayInfo/scenename": scene,
        "vrayInfo/renderlayer": "defaultRenderLayer",
        "vrayInfo/os": "Linux",
        "vrayInfo/cpu": "AMD/Model:1,Family:25,Stepping:1,Cache:0",
        "vrayInfo/w": str(width),
        "vrayInfo/h": str(height),
        "vrayInfo/frame": f"{frame:05}",
        "vrayInfo/date": date.replace("03", "Mar"),
        "vrayInfo/time": time,
        "vrayInfo/rendertime": f" 0h  5m {vary(frame, 10, 59):4.1f}s",
        "vrayInfo/computername": f"render{frame % 5 + 11:02}",
        "vrayInfo/ram": "128752MB",
        "vrayInfo/vmem": f"{vary(frame, 61000, 68000):.0f}MB",
        "vrayInfo/mhz": "0MHz",
        "vrayInfo/primitives": "0",
        "cameraAperture": 36.0,
        "cameraFNumber": 8.0,
        "cameraFocalLength": 35.0,
        "cameraFov": 54.43,
        "cameraNearClip": 0.0,
        "cameraFarClip": 1e30,
        "cameraProjection": 0,
        "cameraTargetDistance": vary(frame, 195, 205),
        "cameraTransform": camera_matrix(frame),
    }


def cycles(frame: int) -> Values:
    """Blender's multilayer files: numbers are text, and attribute names contain the view layer."""
    date, time = clock(frame, "/")
    return {
        "BlenderMultiChannel": "Blender V2.55.1 and newer",
        "Software": "Blender 4.5.3 LTS",
        "File": f"{SHOT_ROOT}/sq020/sh0010/lighting/blender/harbor_sq020_sh0010_env_v001.blend",
        "Scene": "Scene",
        "Camera": "ShotCam",
        "Date": f"{date} {time}",
        "Time": f"00:00:{(frame - 1001) // 24:02}:{(frame - 1001) % 24:02}",
        "Frame": str(frame),
        "RenderTime": f"03:{vary(frame, 10, 59):05.2f}",
        "cycles.ViewLayer.samples": "512",
        "cycles.ViewLayer.render_time": f"03:{vary(frame, 5, 50):05.2f}",
        "cycles.ViewLayer.synchronization_time": f"00:{vary(frame, 1, 4):05.2f}",
        "cycles.ViewLayer.total_time": f"03:{vary(frame, 10, 59):05.2f}",
    }


def camera(frame: int) -> Values:
    """A converted camera plate, with time code and frame rate."""
    date, time = clock(frame)
    return {
        "cameraMake": "ARRI",
        "cameraModel": "ALEXA 35",
        "cameraSerialNumber": "50412",
        "lensModel": "Signature Prime 35",
        "reelName": "A012C004",
        "isoSpeed": 800.0,
        "aperture": 2.8,
        "expTime": 1 / 48,
        "capDate": f"{date} {time}",
        "framesPerSecond": Rational(24000, 1001),
        "timeCode": timecode(frame),
        "chromaticities": Chromaticities((0.713, 0.293), (0.165, 0.83), (0.128, 0.044), (0.32168, 0.33767)),
    }


def nuke(frame: int) -> Values:
    """Nuke's Write node."""
    date, time = clock(frame, "-")
    return {
        "nuke/version": "15.1v3",
        "nuke/full_layer_names": 0,
        "nuke/node_hash": f"{frame * 0x9E3779B97F4A7C15 % 2**64:016x}",
        "version": 1,
        "input/ctime": f"{date} {time}",
    }


def karma(frame: int) -> Values:
    """Houdini's Karma, rendered with husk."""
    stats = f'{{"rendertime":{vary(frame, 90, 120)},"peakmem":{vary(frame, 2e9, 3e9):.0f}}}'
    return {
        "husk:command": f"husk --renderer BRAY_HdKarma -f {frame} harbor_sq010_sh0020_fx.usd",
        "husk:usd_file": f"{SHOT_ROOT}/sq010/sh0020/fx/usd/harbor_sq010_sh0020_fx_v002.usd",
        "husk:render_stats": stats,
    }


def unreal(frame: int) -> Values:
    """Unreal Engine's Movie Render Queue: all values are text."""
    return {
        "unreal/jobName": "harbor_sq020_sh0020_previs",
        "unreal/jobAuthor": "layout",
        "unreal/levelName": "Harbor_Main",
        "unreal/sequenceName": "sq020_sh0020",
        "unreal/cameraName": "CineCam_sh0020",
        "unreal/frameRate": "24",
        "unreal/shotFrameNumber": str(frame),
        "unreal/sequenceFrameNumber": str(frame - 1001),
        "unreal/camera/overscanPercentage": "0.1",
        "unreal/camera/curPos/x": f"{-120 + frame - 1001:.6f}",
        "unreal/camera/FinalImage/fov": "54.432220",
        "unreal/camera/FinalImage/focalLength": "35.000000",
    }
