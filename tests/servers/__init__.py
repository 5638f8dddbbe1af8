"""Servers for tests, started in the test process, that real SDKs talk to as they would to a provider."""

from servers.anthropic import AnthropicServer
from servers.openai import OpenAIServer
from servers.wire import Call, ModelServer, Reply, Request, Task, obliging

__all__ = ["AnthropicServer", "Call", "ModelServer", "OpenAIServer", "Reply", "Request", "Task", "obliging"]
