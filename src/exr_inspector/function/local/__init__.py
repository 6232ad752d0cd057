"""A local host for the function: CloudEvents over HTTP, context and sink.

In: HTTP requests and a configuration file. Out: the responses that the platform's runtime would send.
Must not know: how events are handled.
"""

# Variables of options of `function serve` that are not settings.
TOKEN = "EXR_INSPECTOR_TOKEN"  # noqa: S105 (a name)
INSECURE = "EXR_INSPECTOR_INSECURE"
