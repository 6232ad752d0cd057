"""Header conventions of renderers that the vectors were not tuned on; the published figures use these.

Names of Karma, Unreal, Corona, MoonRay and RED are from real headers and the vendors' guides; the attribute names of
Octane and Mantra are plausible, not from real files.
"""

# ruff: noqa: ARG005  (the values of a frame need not depend on the shot)

from __future__ import annotations

from benchmarks.conventions import Convention, clock, matrix

KARMA = Convention(
    "Karma",
    ("19.5.716", "20.0.547", "20.5.332"),
    {
        "karma:samplesperpixel": (64, 128, 256), "karma:engine": ("cpu", "xpu"), "karma:diffuselimit": (1, 2, 4),
        "karma:reflectlimit": (2, 4, 6), "karma:refractlimit": (4, 6), "karma:pixelfilter": ("gauss 1.8x1.8",
        "box 1x1"),
        "karma:denoiser": ("off", "oidn", "optix"), "karma:volumestep": (0.25, 0.5, 1.0),
    },
    {
        "diffuse.direct": ("directdiffuse", "RGB"), "diffuse.indirect": ("indirectdiffuse", "RGB"),
        "specular.direct": ("directglossyreflection", "RGB"), "specular.indirect": ("indirectglossyreflection", "RGB"),
        "refraction": ("glossytransmission", "RGB"), "coat": ("coat", "RGB"), "sss": ("sss", "RGB"),
        "volume": ("combinedvolume", "RGB"), "emission": ("combinedemission", "RGB"), "diffuse.albedo": ("albedo",
        "RGB"),
        "depth": ("depth", "Z"), "normal": ("N", "XYZ"), "position": ("P", "XYZ"), "motion": ("MV", "XYZ"),
        "id.object": ("primid", ""), "light.key": ("lpe_key", "RGB"),
    },
    lambda version: {"Software": f"Houdini {version}"},
    lambda shot: {"husk:usd_file": shot.scene("usd"), "artist": shot.artist, "husk:camera": f"/cameras/{shot.camera}"},
    lambda frame, rng, shot: {
        "husk:command": f"husk --renderer BRAY_HdKarma -f {frame} {shot.scene('usd')}",
        "husk:render_stats": f'{{"rendertime":{rng.uniform(90, 900):f},"peakmem":{rng.getrandbits(34)}}}',
        "space:world": matrix(rng), "worldToCamera": matrix(rng), "worldToNDC": matrix(rng),
        "hostcomputer": f"rack{rng.randint(1, 60)}",
    },
    main="C",
)  # fmt: skip

UNREAL = Convention(
    "Unreal Engine",
    ("5.2.1", "5.3.2", "5.4.4"),
    {
        "unreal/camera/shutterTiming": ("FrameOpen", "FrameCenter"), "unreal/camera/overscanPercentage": ("0.0", "0.1"),
        "unreal/camera/FinalImage/dofDiaphragmBladeCount": ("5", "7"), "unreal/camera/FinalImage/fstop": ("2.800000",
        "4.000000"),
        "unreal/camera/FinalImage/sensorWidth": ("36.000000", "24.890000"), "unreal/spatialSampleCount": ("1", "8",
        "16"),
        "unreal/temporalSampleCount": ("1", "4", "8"),
    },
    {
        "depth": ("FinalImageMovieRenderQueue_WorldDepth", "RGB"),
        "motion": ("FinalImageMovieRenderQueue_MotionVectors", "RGB"),
        "mask": ("ActorHitProxyMask00", "RGBA"), "normal": ("FinalImageMovieRenderQueue_WorldNormal", "RGB"),
        "diffuse.albedo": ("FinalImageMovieRenderQueue_BaseColor", "RGB"),
        "ao": ("FinalImageMovieRenderQueue_AmbientOcclusion", "RGB"),
        "lighting": ("FinalImageLightingOnly", "RGB"), "reflection": ("FinalImageReflectionsOnly", "RGB"),
        "specular": ("FinalImageMovieRenderQueue_Specular", "RGB"),
        "emission": ("FinalImageMovieRenderQueue_Emissive", "RGB"),
    },
    lambda version: {"unreal/engineVersion": f"{version}-29314046+++UE5+Release-{version[:3]}"},
    lambda shot: {
        "unreal/jobName": shot.name, "unreal/jobAuthor": shot.artist, "unreal/levelName": shot.level,
        "unreal/sequenceName": shot.name,
        "unreal/shotName": shot.code, "unreal/cameraName": shot.camera, "unreal/frameRate": "24",
        "unreal/camera/FinalImage/filmback": f"{shot.focal:.0f}mm",
    },
    lambda frame, rng, shot: {
        "unreal/shotFrameNumber": str(frame), "unreal/sequenceFrameNumber": str(frame - 1001),
        **{f"unreal/camera/curPos/{axis}": f"{rng.uniform(-900, 900):.6f}" for axis in "xyz"},
        **{f"unreal/camera/curRot/{axis}": f"{rng.uniform(-90, 90):.6f}" for axis in ("pitch", "yaw", "roll")},
        "unreal/camera/FinalImage/focalDistance": f"{rng.uniform(100, 900):.6f}",
    },
    cryptomatte=False,
)  # fmt: skip

OCTANE = Convention(
    "Octane",
    ("2022.1.1", "2023.1.2", "2024.1"),
    {
        "octane/kernel": ("Path tracing", "Direct lighting", "Photon tracing"),
        "octane/maxSamples": (500, 1000, 2000, 4000),
        "octane/diffuseDepth": (4, 8, 16), "octane/specularDepth": (8, 16, 24), "octane/giClamp": (1.0, 10.0, 100.0),
        "octane/filterSize": (1.0, 1.2, 1.5), "octane/denoiser": ("off", "AI"), "octane/adaptive": (0, 1),
    },
    {
        "diffuse.direct": ("Diffuse direct", "RGB"), "diffuse.indirect": ("Diffuse indirect", "RGB"),
        "specular.direct": ("Reflection direct", "RGB"), "specular.indirect": ("Reflection indirect", "RGB"),
        "refraction": ("Refraction", "RGB"), "sss": ("Subsurface scattering", "RGB"), "emission": ("Emitters", "RGB"),
        "background": ("Environment", "RGB"), "volume": ("Volume", "RGBA"), "depth": ("Z-depth", "RGB"),
        "normal": ("Shading normal", "RGB"), "position": ("Position", "RGB"), "motion": ("Motion vector", "RGB"),
        "ao": ("Ambient occlusion", "RGB"), "shadow": ("Shadow", "RGB"), "diffuse.albedo": ("Diffuse filter", "RGB"),
        "light.key": ("Light 1", "RGB"),
    },
    lambda version: {"Software": f"OctaneRender {version}"},
    lambda shot: {"octane/scene": shot.scene("orbx"), "octane/camera": shot.camera, "octane/focalLength": shot.focal},
    lambda frame, rng, shot: {
        "octane/renderTime": rng.uniform(30, 600), "octane/frame": frame,
        "octane/gpus": f"RTX 4090 x{rng.randint(1, 4)}",
        "DateTime": clock(frame, rng), "octane/usedVramMB": rng.randint(10**3, 2 * 10**4),
    },
)  # fmt: skip

CORONA = Convention(
    "Corona",
    ("9.2", "10.1", "11.0", "12.1"),
    {
        "corona.cm.exposure": (-1.0, 0.0, 0.5), "corona.cm.highlightcompression": (1.0, 1.5, 3.0),
        "corona.cm.contrast": (1.0, 1.2, 2.0),
        "corona.bg.enabled": (0, 1), "corona.denoise.amount": (0.0, 0.5, 0.65), "corona.sharp.enabled": (0, 1),
        "corona.passlimit": (50, 100, 250), "corona.noiselimit": (3.0, 4.0, 5.0),
    },
    {
        "lighting.direct": ("CESSENTIAL_Direct", "RGB"), "gi": ("CESSENTIAL_Indirect", "RGB"),
        "reflection": ("CESSENTIAL_Reflect", "RGB"), "refraction": ("CESSENTIAL_Refract", "RGB"),
        "sss": ("CESSENTIAL_Translucency", "RGB"), "emission": ("CESSENTIAL_Emission", "RGB"),
        "volume": ("CESSENTIAL_Volumetrics", "RGB"), "depth": ("CGEOMETRY_ZDepth", "RGB"),
        "normal": ("CGEOMETRY_NormalsShading", "RGB"), "motion": ("CGEOMETRY_Velocity", "RGB"),
        "position": ("CGEOMETRY_WorldPosition", "RGB"), "id.object": ("CMASKING_ID", "RGB"),
        "diffuse.albedo": ("CSHADING_Albedo", "RGB"), "light.key": ("LightSelect_key", "RGB"), "ao": ("CTEXMAP_ao",
        "RGB"),
        "background": ("CESSENTIAL_Background", "RGB"),
    },
    lambda version: {"corona.iscoronaexr": 1, "corona.version": f"Chaos Corona {version} (core)"},
    lambda shot: {"corona.scene": shot.scene("max"), "corona.camera": shot.camera, "corona.user": shot.artist},
    lambda frame, rng, shot: {
        "corona.rendertime": rng.uniform(90, 900), "corona.passes": rng.randint(40, 90),
        "corona.raysTotal": rng.uniform(1e8, 9e8),
        "corona.computer": f"WS-{rng.randint(1, 40):02}", "corona.date": clock(frame, rng, "-"),
    },
)  # fmt: skip

MANTRA = Convention(
    "Mantra",
    ("18.5.596", "19.0.589", "19.5.716"),
    {
        "vm_samples": ((3.0, 3.0), (6.0, 6.0), (9.0, 9.0)), "vm_minraysamples": (1, 2, 4),
        "vm_maxraysamples": (9, 16, 32),
        "vm_variance": (0.01, 0.005, 0.001), "vm_diffuselimit": (1, 2, 4), "vm_volumestepsize": (0.1, 0.25),
        "vm_renderengine": ("pbrraytrace", "raytrace", "micropoly"), "vm_pfilter": ("gaussian -w 2", "combine -t 20.0"),
    },
    {
        "diffuse.direct": ("direct_diffuse", "rgb"), "diffuse.indirect": ("indirect_diffuse", "rgb"),
        "specular.direct": ("direct_reflect", "rgb"), "specular.indirect": ("indirect_reflect", "rgb"),
        "refraction": ("all_refract", "rgb"), "emission": ("all_emission", "rgb"), "volume": ("all_volume", "rgb"),
        "sss": ("all_sss", "rgb"), "depth": ("Pz", ""), "normal": ("N", "xyz"), "position": ("P", "xyz"),
        "motion": ("v", "xyz"), "diffuse.albedo": ("basecolor", "rgb"), "shadow": ("shadow_matte", "rgb"),
    },
    lambda version: {"Software": f"Houdini {version} (mantra)"},
    lambda shot: {"artist": shot.artist, "hipfile": shot.scene("hip"), "camera": f"/obj/{shot.camera}"},
    lambda frame, rng, shot: {
        "renderTime": rng.uniform(90, 900), "renderMemory": rng.uniform(1e9, 9e9),
        "hostcomputer": f"rack{rng.randint(1, 60)}",
        "space:world": matrix(rng), "worldToCamera": matrix(rng), "worldToNDC": matrix(rng),
        "capDate": clock(frame, rng),
    },
    cropped=0.5,
)  # fmt: skip

MOONRAY = Convention(
    "MoonRay",
    ("1.5.0.1", "1.6.0.0", "1.7.0.0", "2.15.0.1"),
    {
        "pixel_samples": (4, 6, 8, 12), "light_samples": (1, 2, 4), "bsdf_samples": (1, 2, 3), "max_depth": (4, 5, 8),
        "max_diffuse_depth": (1, 2, 3), "max_glossy_depth": (2, 3), "sample_clamping_value": (0.0, 10.0, 100.0),
        "pixel_filter": ("box", "cubic b-spline", "quadratic b-spline"), "sampling_mode": ("uniform", "adaptive"),
        "roughness_clamping_factor": (0.0, 0.5, 1.0), "texture_blur": (0.0, 0.5),
    },
    {
        "diffuse.direct": ("direct_diffuse", "RGB"), "diffuse.indirect": ("indirect_diffuse", "RGB"),
        "specular.direct": ("direct_specular", "RGB"), "specular.indirect": ("indirect_specular", "RGB"),
        "refraction": ("transmission", "RGB"), "sss": ("subsurface", "RGB"), "emission": ("emission", "RGB"),
        "volume": ("volume", "RGB"), "depth": ("depth", "Z"), "normal": ("normal", "XYZ"),
        "position": ("position", "XYZ"), "motion": ("motionvec", "XY"), "diffuse.albedo": ("albedo", "RGB"),
        "light.key": ("lpe_light_key", "RGB"), "cost": ("heat_map", ""),
    },
    lambda version: {"moonray/version": version},
    lambda shot: {"rdl_scene": shot.scene("rdla"), "camera_name": f"/cams/{shot.camera}", "artist": shot.artist},
    lambda frame, rng, shot: {
        "resumeHistory": f'{{"history":[{{"timingSec":{rng.uniform(90, 900):f}}}]}}', "frame": float(frame),
        "progressCheckpointTileSamples": rng.randint(64, 4096), "hostname": f"r{rng.randint(1, 900):04}",
        "render_time": f"{rng.randint(0, 5)}h {rng.randint(0, 59)}m", "worldToCamera": matrix(rng),
        "worldToNDC": matrix(rng),
    },
)  # fmt: skip

RED = Convention(
    "RED camera",
    ("V-RAPTOR 8K VV", "DSMC2 MONSTRO 8K VV", "KOMODO 6K"),
    {
        "isoSpeed": (400.0, 800.0, 1280.0), "expTime": (0.0208333, 0.01), "aperture": (2.8, 4.0, 5.6),
        "whiteBalance": (3200, 4300, 5600), "lensModel": ("Supreme 35", "Supreme 85", "Cooke S7i 50"),
        "GammaCurve": ("Log3G10", "BT1886"), "owner": ("", "unit A", "unit B"),
    },
    {},
    lambda version: {"cameraMake": "RED", "cameraModel": version},
    lambda shot: {
        "reelName": shot.reel, "cameraSerialNumber": shot.serial, "nominalFocalLength": shot.focal,
        "cameraLabel": shot.camera[:1].upper(),
    },
    lambda frame, rng, shot: {
        "capDate": clock(frame, rng), "focus": rng.uniform(1, 9), "timeCode": frame,
        "EdgeTC": f"01:00:10:{frame % 24:02}",
        "GMTDate": f"2026{rng.randint(101, 128):04}",
    },
    beauty="RGB",
    cryptomatte=False,
)  # fmt: skip

HELD_OUT = (KARMA, UNREAL, OCTANE, CORONA, MANTRA, MOONRAY, RED)
