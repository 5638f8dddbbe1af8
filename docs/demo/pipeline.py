"""`make demo`: run a LangChain pipeline on real records, first lossless, then with retrieval.

The model is scripted, unless OPENAI_API_KEY or ANTHROPIC_API_KEY is set and the LangChain package
of that provider is installed.
"""

from __future__ import annotations

import json
import os
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import Runnable
from scripted import ScriptedModel
from terminal import print_messages, print_text, print_title, print_total

from headroom_core import count_tokens_text, retrieve, retrieve_tool
from headroom_core.results import CompressResult
from headroom_core.stores import SQLiteStore
from headroom_integrations.langchain import EVENT, HeadroomCompressor

RECORDS = Path(__file__).with_name("flights.json")
FIRST_QUESTION = "How late did flight HA51 to Honolulu leave, and with which aircraft?"
SECOND_QUESTION = "And flight DL706 to Austin: when did it arrive?"
MAX_REQUESTS = 5
"""A real model might keep calling the tool; the scripted one needs three requests."""

PROVIDERS = (
    ("OPENAI_API_KEY", "langchain_openai", "ChatOpenAI", "gpt-4o"),
    ("ANTHROPIC_API_KEY", "langchain_anthropic", "ChatAnthropic", "claude-sonnet-4-5"),
)

prompt = ChatPromptTemplate.from_messages(
    [
        ("system", "Answer from the records that the tools return."),
        MessagesPlaceholder("conversation"),
    ]
)


class ResultHandler(BaseCallbackHandler):
    """Callback handler that keeps the last result of the compressor."""

    result: CompressResult

    def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
        if name == EVENT:
            self.result = data


def create_model() -> BaseChatModel:
    """Create a provider's model if its API key is set, else the scripted model."""
    for key, package, class_name, model_name in PROVIDERS:
        if os.environ.get(key) and find_spec(package):
            model_class = getattr(import_module(package), class_name)
            model: BaseChatModel = model_class(model=model_name)
            return model
    return ScriptedModel()


def start_conversation() -> list[BaseMessage]:
    """Build a conversation of a question, a tool call and the output of the tool."""
    call = {
        "name": "list_departures",
        "args": {"airport": "JFK", "date": "2013-01-09"},
        "id": "call_1",
    }
    output = ToolMessage(
        RECORDS.read_text(encoding="utf-8"), tool_call_id="call_1", name="list_departures"
    )
    return [HumanMessage(FIRST_QUESTION), AIMessage("", tool_calls=[call]), output]


def ask(
    chain: Runnable[Any, AIMessage], messages: list[BaseMessage]
) -> tuple[AIMessage, CompressResult]:
    """Run the chain and return the model's reply with the result of the compressor."""
    handler = ResultHandler()
    reply = chain.invoke({"conversation": messages}, config={"callbacks": [handler]})
    return reply, handler.result


def run_lossless(model: BaseChatModel) -> list[CompressResult]:
    """Run the lossless pipeline, which drops nothing and writes repetition once."""
    print_title("prompt | HeadroomCompressor() | model")
    reply, result = ask(prompt | HeadroomCompressor() | model, start_conversation())
    print_messages(result)
    print_text("answer", reply.text)
    return [result]


def run_with_retrieval(model: BaseChatModel, store: SQLiteStore) -> list[CompressResult]:
    """Run the pipeline with the retrieve tool and ask for a row that was left out."""
    print_title(
        "prompt | HeadroomCompressor(retrieve=True) | model, which may call headroom_retrieve"
    )
    chain = (
        prompt
        | HeadroomCompressor(retrieve=True, store=store)
        | model.bind_tools([retrieve_tool("openai")])
    )
    schema_tokens = count_schema_tokens()
    messages = start_conversation()
    reply, result = ask(chain, messages)
    print_messages(result, schema_tokens)
    print_marker(result)
    print_text("answer", reply.text)

    print_text("question", SECOND_QUESTION)
    messages += [reply, HumanMessage(SECOND_QUESTION)]
    results = [result]
    while len(results) < MAX_REQUESTS:
        reply, result = ask(chain, messages)
        print_messages(result, schema_tokens, previous=results[-1].messages)
        results.append(result)
        if not reply.tool_calls:
            break
        messages += [reply, *(answer_call(call, store) for call in reply.tool_calls)]
    print_text("answer", reply.text)
    return results


def answer_call(call: Any, store: SQLiteStore) -> ToolMessage:
    """Answer the model's call of the retrieve tool."""
    arguments = ", ".join(f"{name}={json.dumps(value)}" for name, value in call["args"].items())
    print_text("call", f"{call['name']}({arguments})")
    retrieved = retrieve(**call["args"], store=store)
    text = retrieved.text or retrieved.reason
    print_text("returns", text)
    return ToolMessage(text, tool_call_id=call["id"], name=call["name"])


def print_marker(result: CompressResult) -> None:
    """Print the marker in place of the rows that were left out."""
    lines = (line for message in result.messages for line in message.text.splitlines())
    marker = next(line for line in lines if any(key in line for key in result.ccr_hashes))
    print_text("marker", marker)


def count_schema_tokens() -> int:
    """Count the tokens that the tool's schema adds to every request."""
    return count_tokens_text(json.dumps(retrieve_tool("openai")), model="gpt-4o")


def main() -> None:
    """Run both pipelines with a temporary store."""
    model = create_model()
    print(
        "288 departures from JFK on 9 January 2013, as returned by an API; "
        f"model: {model._llm_type}"
    )
    print_text("question", FIRST_QUESTION)
    lossless_results = run_lossless(model)
    with tempfile.TemporaryDirectory() as folder:
        store = SQLiteStore(Path(folder) / "originals.db")
        retrieval_results = run_with_retrieval(model, store)
        store.close()
    print_title("Totals")
    print_total("lossless", lossless_results)
    print_total("with retrieval", retrieval_results, count_schema_tokens())
    print("With retrieval, the tokens of each request include the schema of headroom_retrieve.")
    if lossless_results[0].estimated:
        print("Token counts are estimates: the model's vocabulary is not on this machine.")


if __name__ == "__main__":
    main()
