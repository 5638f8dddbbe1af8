"""LangChain's own standard tests, of real models on servers of ours: bare, and with Headroom around them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.load import dumpd
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests
from servers import AnthropicServer, ModelServer, OpenAIServer

pytestmark = [
    pytest.mark.filterwarnings("ignore:Unrecognized structured output method 'json_mode'"),  # Anthropic has none
    pytest.mark.filterwarnings("ignore:Received a Pydantic BaseModel V1 schema"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings"),  # from within the OpenAI SDK
]


class Provider:
    """What is the same for a bare model and ours."""

    bare: type[BaseChatModel]
    server: type[ModelServer]
    name: str
    key: str

    @pytest.fixture(autouse=True)
    def _serve(self) -> Iterator[None]:
        with self.server() as server:
            self.url = server.url
            yield

    @pytest.fixture
    def benchmark(self, benchmark: Any) -> Any:
        """Run once what would be measured."""
        benchmark.disabled = True
        return benchmark

    @pytest.fixture
    def snapshot(self) -> Callable[..., Any]:
        """How the bare model is written stands in for a snapshot, which would change with each of its versions."""
        return lambda name: dumpd(self.bare(**self.standard_chat_model_params | self.chat_model_params))

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return self.bare

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": self.name, "base_url": self.url, "api_key": "none", "stream_usage": True}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {self.key.upper(): "none"}, {"model": self.name}, {self.key: "none"}

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return "another-model"


class OpenAI(Provider):
    bare = ChatOpenAI
    server = OpenAIServer
    name = "gpt-4o-mini"
    key = "openai_api_key"


class Anthropic(Provider):
    bare = ChatAnthropic
    server = AnthropicServer
    name = "claude-haiku-4-5"
    key = "anthropic_api_key"


class TestOpenAIUnit(OpenAI, ChatModelUnitTests):
    pass


class TestOpenAI(OpenAI, ChatModelIntegrationTests):
    pass


class TestAnthropicUnit(Anthropic, ChatModelUnitTests):
    pass


class TestAnthropic(Anthropic, ChatModelIntegrationTests):
    pass
