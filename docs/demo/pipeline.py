"""`make demo`: a LangChain pipeline on real records, first without a loss, then with a row that is brought back.

The model is a small scripted one, unless OPENAI_API_KEY or ANTHROPIC_API_KEY is set and its LangChain package installed.
"""

from __future__ import annotations

import os
import sys
import tempfile
import textwrap
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

from headroom_core import retrieve, retrieve_tool
from headroom_core.results import CompressResult
from headroom_core.stores import SQLiteStore
from headroom_integrations.langchain import HeadroomCompressor

RECORDS = Path(__file__).with_name("flights.json")
FIRST = "How late did flight HA51 to Honolulu leave, and with which aircraft?"
SECOND = "And flight DL2379: when did it arrive?"
WIDTH = 100

PROVIDERS = (
    ("OPENAI_API_KEY", "langchain_openai", "ChatOpenAI", "gpt-4o"),
    ("ANTHROPIC_API_KEY", "langchain_anthropic", "ChatAnthropic", "claude-sonnet-4-5"),
)

prompt = ChatPromptTemplate.from_messages(
    [("system", "Answer from the records that the tools return."), MessagesPlaceholder("conversation")]
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
            return getattr(import_module(package), name)(model=model)
    return ScriptedModel()


def conversation() -> list[BaseMessage]:
    """Return a question, and the tool's answer to the call that the model made."""
    call = {"name": "list_departures", "args": {"airport": "JFK", "date": "2013-01-09"}, "id": "call_1"}
    output = ToolMessage(RECORDS.read_text(encoding="utf-8"), tool_call_id="call_1", name="list_departures")
    return [HumanMessage(FIRST), AIMessage("", tool_calls=[call]), output]


def ask(chain: Runnable[Any, AIMessage], messages: list[BaseMessage]) -> tuple[AIMessage, CompressResult]:
    """Return the model's reply, and what the compressor did on the way to it."""
    ledger = Ledger()
    reply = chain.invoke({"conversation": messages}, config={"callbacks": [ledger]})
    show_messages(ledger.result)
    return reply, ledger.result


def lossless(model: BaseChatModel) -> CompressResult:
    """Run the plain pipeline: nothing is left out, repetition is written once."""
    title("prompt | HeadroomCompressor() | model")
    reply, result = ask(prompt | HeadroomCompressor() | model, conversation())
    show("answer", reply.text)
    return result


def selecting(model: BaseChatModel, store: SQLiteStore) -> list[CompressResult]:
    """Run the pipeline of a model that can call the retrieval tool, and do what it asks for."""
    title("prompt | HeadroomCompressor(retrieve=True) | model, which may call headroom_retrieve")
    tool = retrieve_tool("openai")
    chain = prompt | HeadroomCompressor(retrieve=True, store=store) | model.bind_tools([tool])
    messages = conversation()
    reply, result = ask(chain, messages)
    show_marker(result)
    show("answer", reply.text)

    show("question", SECOND)
    messages += [reply, HumanMessage(SECOND)]
    reply, second = ask(chain, messages)
    results = [result, second]
    while reply.tool_calls and len(results) < 5:
        messages.append(reply)
        messages += [fetched(call, store) for call in reply.tool_calls]
        reply, result = ask(chain, messages)
        results.append(result)
    show("answer", reply.text)
    return results


def fetched(call: Any, store: SQLiteStore) -> ToolMessage:
    """Return what the tool call brings back."""
    arguments = ", ".join(f'{name}="{value}"' for name, value in call["args"].items())
    show("call", f"{call['name']}({arguments})")
    found = retrieve(**call["args"], store=store)
    show("returns", found.text or found.reason)
    return ToolMessage(found.text or found.reason, tool_call_id=call["id"], name=call["name"])


def styled(text: str, code: str) -> str:
    """Return the text in a style where the terminal shows styles and nobody objects."""
    plain = os.environ.get("NO_COLOR") or not sys.stdout.isatty()
    return text if plain else f"\033[{code}m{text}\033[0m"


def title(text: str) -> None:
    """Print a heading."""
    print(f"\n{styled(text, '1')}\n{styled('─' * WIDTH, '2')}")


def show(label: str, text: str, most: int = 6) -> None:
    """Print a labelled text within the width, at most so many lines of it."""
    lines = textwrap.wrap(text, WIDTH - 10, max_lines=most, placeholder=" …") or [""]
    print(f"{styled(label.ljust(9), '36')} {lines[0]}")
    print("".join(f"{'':10}{line}\n" for line in lines[1:]), end="")


def show_messages(result: CompressResult) -> None:
    """Print what became of every message."""
    print(styled(f"\n{'message':<22}{'before':>9}{'after':>9}  what was done", "2"))
    for change in result.changes:
        message = result.messages[change.message]
        name = f"{message.type} {change.path[0] if change.path[0] != 'content' else message.name or ''}"
        did = "" if change.action == "kept" else f"{change.by}: {change.reason}"
        first, *more = textwrap.wrap(did, WIDTH - 42) or [""]
        print(f"{name:<22}{change.tokens_before:>9,}{change.tokens_after:>9,}  {first}")
        print("".join(f"{'':42}{line}\n" for line in more), end="")
    print(f"{'sent':<22}{result.tokens_before:>9,}{result.tokens_after:>9,}  {styled(saving([result]), '1;32')}\n")


def show_marker(result: CompressResult) -> None:
    """Print the marker that stands where rows were left out."""
    lines = (line for message in result.messages for line in message.text.splitlines())
    show("marker", next(line for line in lines if any(key in line for key in result.ccr_hashes)))


def saving(results: list[CompressResult]) -> str:
    """Return the share of the tokens that was saved, in words."""
    before = sum(result.tokens_before for result in results)
    after = sum(result.tokens_after for result in results)
    return f"{1 - after / before:.1%} saved"


def total(name: str, results: list[CompressResult]) -> None:
    """Print what the requests of one pipeline cost, and what they would have cost."""
    before = sum(result.tokens_before for result in results)
    after = sum(result.tokens_after for result in results)
    requests = f"{len(results)} request{'s' if len(results) > 1 else ''}"
    print(f"{name:<16}{requests:<12}{before:>9,} -> {after:>7,} tokens   {styled(saving(results), '1;32')}")


def main() -> None:
    """Run both pipelines, in a store that is gone afterwards."""
    model = chat_model()
    records = RECORDS.read_text(encoding="utf-8").count('"flight"')
    print(f"{records} departures from JFK on 9 January 2013, as an API returned them; the model is {model._llm_type}.")
    show("question", FIRST)
    plain = [lossless(model)]
    with tempfile.TemporaryDirectory() as folder:
        store = SQLiteStore(Path(folder) / "originals.db")
        retrieving = selecting(model, store)
        store.close()
    title("Totals")
    total("lossless", plain)
    total("with retrieval", retrieving)
    if plain[0].estimated:
        print("Numbers are estimates: the model's vocabulary is not on this machine.")


if __name__ == "__main__":
    main()
