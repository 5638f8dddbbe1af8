"""`make demo`: a LangChain pipeline on real records, first without a loss, then with a row that is brought back.

The model is a small scripted one, unless OPENAI_API_KEY or ANTHROPIC_API_KEY is set and its LangChain package installed.
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
from terminal import show, show_messages, title, total

from headroom_core import count_tokens_text, retrieve, retrieve_tool
from headroom_core.results import CompressResult
from headroom_core.stores import SQLiteStore
from headroom_integrations.langchain import HeadroomCompressor

RECORDS = Path(__file__).with_name("flights.json")
FIRST = "How late did flight HA51 to Honolulu leave, and with which aircraft?"
SECOND = "And flight DL706 to Austin: when did it arrive?"
MOST_REQUESTS = 5

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


class Ledger(BaseCallbackHandler):
    """Keeps what the compressor did last, which it tells every handler."""

    result: CompressResult

    def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
        if name == "headroom_compressed":
            self.result = data


def chat_model() -> BaseChatModel:
    """Return a paid model where there is a key for one, else the scripted one."""
    for key, package, name, model in PROVIDERS:
        if os.environ.get(key) and find_spec(package):
            chosen: BaseChatModel = getattr(import_module(package), name)(model=model)
            return chosen
    return ScriptedModel()


def conversation() -> list[BaseMessage]:
    """Return a question, and the tool's answer to the call that the model made."""
    call = {
        "name": "list_departures",
        "args": {"airport": "JFK", "date": "2013-01-09"},
        "id": "call_1",
    }
    output = ToolMessage(
        RECORDS.read_text(encoding="utf-8"), tool_call_id="call_1", name="list_departures"
    )
    return [HumanMessage(FIRST), AIMessage("", tool_calls=[call]), output]


def ask(
    chain: Runnable[Any, AIMessage], messages: list[BaseMessage]
) -> tuple[AIMessage, CompressResult]:
    """Return the model's reply, and what the compressor did on the way to it."""
    ledger = Ledger()
    reply = chain.invoke({"conversation": messages}, config={"callbacks": [ledger]})
    return reply, ledger.result


def lossless(model: BaseChatModel) -> list[CompressResult]:
    """Run the plain pipeline: nothing is left out, repetition is written once."""
    title("prompt | HeadroomCompressor() | model")
    reply, result = ask(prompt | HeadroomCompressor() | model, conversation())
    show_messages(result)
    show("answer", reply.text)
    return [result]


def selecting(model: BaseChatModel, store: SQLiteStore) -> list[CompressResult]:
    """Run the pipeline of a model that can call the retrieval tool, and ask for a row that was left out."""
    title("prompt | HeadroomCompressor(retrieve=True) | model, which may call headroom_retrieve")
    chain = (
        prompt
        | HeadroomCompressor(retrieve=True, store=store)
        | model.bind_tools([retrieve_tool("openai")])
    )
    schema = schema_tokens()
    messages = conversation()
    reply, result = ask(chain, messages)
    show_messages(result, schema)
    show_marker(result)
    show("answer", reply.text)

    show("question", SECOND)
    messages += [reply, HumanMessage(SECOND)]
    results = [result]
    while len(results) < MOST_REQUESTS:
        reply, result = ask(chain, messages)
        show_messages(result, schema, before=results[-1].messages)
        results.append(result)
        if not reply.tool_calls:
            break
        messages += [reply, *(fetched(call, store) for call in reply.tool_calls)]
    show("answer", reply.text)
    return results


def fetched(call: Any, store: SQLiteStore) -> ToolMessage:
    """Return what the tool call brings back."""
    arguments = ", ".join(f"{name}={json.dumps(value)}" for name, value in call["args"].items())
    show("call", f"{call['name']}({arguments})")
    found = retrieve(**call["args"], store=store)
    show("returns", found.text or found.reason)
    return ToolMessage(found.text or found.reason, tool_call_id=call["id"], name=call["name"])


def show_marker(result: CompressResult) -> None:
    """Print the marker that stands where rows were left out."""
    lines = (line for message in result.messages for line in message.text.splitlines())
    show("marker", next(line for line in lines if any(key in line for key in result.ccr_hashes)))


def schema_tokens() -> int:
    """Return what the tool's schema costs in every request that offers it."""
    return count_tokens_text(json.dumps(retrieve_tool("openai")), model="gpt-4o")


def main() -> None:
    """Run both pipelines, in a store that is gone afterwards."""
    model = chat_model()
    print(
        f"288 departures from JFK on 9 January 2013, as an API returned them; the model: {model._llm_type}"
    )
    show("question", FIRST)
    plain = lossless(model)
    with tempfile.TemporaryDirectory() as folder:
        store = SQLiteStore(Path(folder) / "originals.db")
        retrieving = selecting(model, store)
        store.close()
    title("Totals")
    total("lossless", plain)
    total("with retrieval", retrieving, schema_tokens())
    print(
        "With retrieval, each request carries the schema of headroom_retrieve, which is part of its tokens."
    )
    if plain[0].estimated:
        print("Numbers are estimates: the model's vocabulary is not on this machine.")


if __name__ == "__main__":
    main()
