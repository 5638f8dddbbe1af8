"""Test LangChain's standard suites with real models on local servers, bare and wrapped."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.load import dumpd
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests
from servers import AnthropicServer, ModelServer, OpenAIServer

from headroom_integrations.langchain import HeadroomChatModel, wrap_chat_model

pytestmark = [
    pytest.mark.filterwarnings(
        "ignore:Unrecognized structured output method 'json_mode'"
    ),  # Anthropic has none
    pytest.mark.filterwarnings("ignore:Received a Pydantic BaseModel V1 schema"),
    pytest.mark.filterwarnings("ignore:.*is in beta"),  # events of version 3
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings"),  # from within the OpenAI SDK
]


class Provider:
    """Settings that bare and wrapped models share."""

    bare: type[BaseChatModel]
    server: type[ModelServer]
    name: str
    key: str
    url = "http://127.0.0.1:9"

    @pytest.fixture(autouse=True)
    def _serve(self) -> Iterator[None]:
        """Start a server for each test, because clients of closed event loops are unusable."""
        with self.server() as server:
            if isinstance(self, ChatModelIntegrationTests):
                self.url = server.url
            yield

    @pytest.fixture
    def benchmark(self, benchmark: Any) -> Any:
        """Run the measured function only once."""
        benchmark.disabled = True
        return benchmark

    @pytest.fixture
    def snapshot(self) -> Callable[..., Any]:
        """Compare with the bare model, because a snapshot would change with its versions."""
        return lambda name: dumpd(
            self.bare(**self.standard_chat_model_params | self.chat_model_params)
        )

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


@cache
def class_returning(
    base: type[BaseChatModel], make: Callable[..., BaseChatModel]
) -> type[BaseChatModel]:
    """Return a subclass whose constructor returns what `make` creates from its settings."""
    return type(base.__name__, (base,), {"__new__": lambda _, **settings: make(**settings)})


class Wrapped(Provider):
    """Settings of a model that `HeadroomChatModel` wraps."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return class_returning(HeadroomChatModel, self._wrapped)

    @classmethod
    def _wrapped(cls, **settings: Any) -> BaseChatModel:
        return HeadroomChatModel(cls.bare(**settings))


class Variant(Provider):
    """Settings of a variant that `wrap_chat_model` returns."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return class_returning(self.bare, self._variant)

    @classmethod
    def _variant(cls, **settings: Any) -> BaseChatModel:
        return wrap_chat_model(cls.bare(**settings))


class TestOpenAIUnit(OpenAI, ChatModelUnitTests):
    pass


class TestOpenAI(OpenAI, ChatModelIntegrationTests):
    pass


class TestAnthropicUnit(Anthropic, ChatModelUnitTests):
    pass


class TestAnthropic(Anthropic, ChatModelIntegrationTests):
    pass


class TestWrappedOpenAIUnit(Wrapped, OpenAI, ChatModelUnitTests):
    pass


class TestWrappedOpenAI(Wrapped, OpenAI, ChatModelIntegrationTests):
    pass


class TestWrappedAnthropicUnit(Wrapped, Anthropic, ChatModelUnitTests):
    pass


class TestWrappedAnthropic(Wrapped, Anthropic, ChatModelIntegrationTests):
    pass


class TestVariantOpenAIUnit(Variant, OpenAI, ChatModelUnitTests):
    pass


class TestVariantOpenAI(Variant, OpenAI, ChatModelIntegrationTests):
    pass


class TestVariantAnthropicUnit(Variant, Anthropic, ChatModelUnitTests):
    pass


class TestVariantAnthropic(Variant, Anthropic, ChatModelIntegrationTests):
    pass


def skipped_tests(suite: type[Any]) -> set[str]:
    """Return the tests of a suite that skip before they use their arguments."""
    own = suite()
    return {name for name in dir(suite) if name.startswith("test_") and _skips(getattr(own, name))}


def _skips(test: Callable[..., Any]) -> bool:
    try:
        with suppress(Exception):
            outcome = test(**dict.fromkeys(inspect.signature(test).parameters))
            if inspect.iscoroutine(outcome):
                outcome.send(None)
    except pytest.skip.Exception:
        return True
    return False


DOWNLOADS = {
    "test_audio_inputs",
    "test_image_inputs",
    "test_image_tool_message",
    "test_pdf_inputs",
    "test_pdf_tool_message",
    "test_stream_time",
}


@pytest.mark.parametrize(
    ("unit", "integration"),
    [
        (TestOpenAIUnit, TestOpenAI),
        (TestWrappedOpenAIUnit, TestWrappedOpenAI),
        (TestVariantOpenAIUnit, TestVariantOpenAI),
        (TestAnthropicUnit, TestAnthropic),
        (TestWrappedAnthropicUnit, TestWrappedAnthropic),
        (TestVariantAnthropicUnit, TestVariantAnthropic),
    ],
)
def test_only_tests_that_download_files_are_skipped(
    unit: type[Any], integration: type[Any]
) -> None:
    assert skipped_tests(unit) == set()
    assert skipped_tests(integration) == DOWNLOADS
