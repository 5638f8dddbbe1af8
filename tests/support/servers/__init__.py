"""Local servers that real SDKs talk to as they would to a provider."""

from servers.anthropic import AnthropicServer
from servers.openai import OpenAIServer
from servers.replies import Call, Reply, Task, obliging
from servers.wire import ModelServer, Request

__all__ = [
    "AnthropicServer",
    "Call",
    "ModelServer",
    "OpenAIServer",
    "Reply",
    "Request",
    "Task",
    "obliging",
]
