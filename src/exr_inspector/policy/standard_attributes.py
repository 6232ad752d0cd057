"""Types of standard attributes. Source: OpenEXR, Standard Attributes."""

from __future__ import annotations

DEVICE_TEXTS = tuple(
    f"{device}{name}"
    for device in ("camera", "lens", "recorder")
    for name in ("FirmwareVersion", "Make", "Model", "SerialNumber")
)
TEXTS = frozenset(
    (
        "cameraIdentifier", "cameraLabel", "lensAttributes", "comments", "creator", "owner", "reelName", "renderer",
        "storageMediaSerialNumber", "capDate", "ascFramingDecisionList", "colorInteropID",
        *DEVICE_TEXTS,
    )
)  # fmt: skip
POSITIVE = ("captureRate", "expTime", "aperture", "tStop", "isoSpeed", "focus", "nominalFocalLength")
TYPES = {
    **dict.fromkeys(TEXTS, "string"),
    "wrapmodes": "string",
    **dict.fromkeys(
        (
            "altitude", "aperture", "cameraCCTSetting", "cameraColorBalanceTint", "cameraTintSetting", "expTime",
            "focus", "isoSpeed", "latitude", "longitude", "pixelAspectRatio", "screenWindowWidth", "shutterOpenAngle",
            "tStop", "whiteLuminance", "xDensity", "nominalFocalLength", "pinholeFocalLength",
            "effectiveFocalLength", "entrancePupilOffset", "dwaCompressionLevel",
        ),
        "float",
    ),
    **dict.fromkeys(("framesPerSecond", "captureRate"), "rational"),
    **dict.fromkeys(("acesImageContainerFlag", "maxSamplesPerPixel", "chunkCount", "version"), "int"),
    **dict.fromkeys(("adoptedNeutral", "screenWindowCenter", "sensorCenterOffset", "sensorOverallDimensions"), "v2f"),
    **dict.fromkeys(("originalDataWindow", "dataWindow", "displayWindow"), "box2i"),
    **dict.fromkeys(("worldToCamera", "worldToNDC"), "m44f"),
    "chromaticities": "chromaticities",
    "keyCode": "keycode",
    "timeCode": "timecode",
    "envmap": "envmap",
    "preview": "preview",
    "multiView": "stringvector",
    "view": "string",
}  # fmt: skip
