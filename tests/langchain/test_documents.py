"""Test `HeadroomDocumentCompressor` alone and in the retrievers of langchain-classic."""

from __future__ import annotations

import json
import logging
import pickle
import time
from collections.abc import Sequence
from typing import Any

import pytest
from bohemia import PAGE, QUESTION, ROWS, TEXTS
from checks import count_loop_steps
from hypothesis import given
from hypothesis import strategies as st
from langchain_classic.retrievers import ContextualCompressionRetriever
from langchain_classic.retrievers.document_compressors import (
    CrossEncoderReranker,
    DocumentCompressorPipeline,
)
from langchain_classic.retrievers.document_compressors.cross_encoder_rerank import BaseCrossEncoder
from langchain_core.callbacks import (
    AsyncCallbackManager,
    AsyncCallbackManagerForRetrieverRun,
    BaseCallbackHandler,
    CallbackManager,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import BaseDocumentTransformer, Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda

from headroom_core import BM25Scorer, CCRConfig, HeadroomConfig, count_tokens_text, decode_table
from headroom_core.results import DocumentsResult
from headroom_integrations.langchain import EVENT, HeadroomCompressor, HeadroomDocumentCompressor


def retrieved_documents() -> list[Document]:
    """Return retrieved documents with ids and metadata."""
    return [
        Document(text, id=f"d{index}", metadata={"source": f"{index}.txt"})
        for index, text in enumerate(TEXTS)
    ]


class Recorder(BaseCallbackHandler):
    """Handler that records custom events with their runs."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any, Any]] = []
        self.runs: list[Any] = []

    def on_custom_event(self, name: str, data: Any, *, run_id: Any, **kwargs: Any) -> None:
        self.events.append((name, data, run_id))

    def on_retriever_start(
        self, serialized: Any, query: str, *, run_id: Any, **kwargs: Any
    ) -> None:
        self.runs.append(run_id)


class FixedRetriever(BaseRetriever):
    """Retriever that always returns the same documents."""

    documents: list[Document]

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return self.documents

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        return self.documents


class DocumentWithState(Document):
    """Document with state that a transformer passes on to the next."""

    state: dict[str, int]


class UniqueDocuments(BaseDocumentTransformer):
    """Transformer that drops repeated documents."""

    def transform_documents(
        self, documents: Sequence[Document], **kwargs: Any
    ) -> Sequence[Document]:
        unique = {document.page_content: document for document in documents}.values()
        return [
            DocumentWithState(**dict(document), state={"place": index})
            for index, document in enumerate(unique)
        ]


class ShortestFirst(BaseCrossEncoder):
    """Cross encoder that ranks short texts first."""

    def score(self, text_pairs: list[tuple[str, str]]) -> list[float]:
        return [-float(len(text)) for _, text in text_pairs]


class TestDocuments:
    """Compression of documents."""

    def test_the_best_document_comes_first_and_irrelevant_documents_are_dropped(self) -> None:
        best, *others = HeadroomDocumentCompressor().compress_documents(
            retrieved_documents(), QUESTION
        )
        assert best.page_content == TEXTS[2]
        assert len(others) < len(TEXTS) - 1
        scores = [document.metadata["relevance_score"] for document in [best, *others]]
        assert scores == sorted(scores, reverse=True)
        assert scores[0] == 1.0

    def test_ids_and_metadata_are_kept_and_the_input_is_unchanged(self) -> None:
        before = retrieved_documents()
        best = HeadroomDocumentCompressor().compress_documents(before, QUESTION)[0]
        assert (best.id, best.metadata) == ("d2", {"source": "2.txt", "relevance_score": 1.0})
        assert before == retrieved_documents()

    def test_a_document_subclass_is_kept(self) -> None:
        class Page(Document):
            number: int

        (page,) = HeadroomDocumentCompressor().compress_documents([Page(PAGE, number=7)], QUESTION)
        assert isinstance(page, Page)
        assert page.number == 7
        assert page.page_content != PAGE

    def test_passages_are_cut_inside_long_documents(self) -> None:
        (page,) = HeadroomDocumentCompressor().compress_documents([Document(PAGE)], QUESTION)
        assert "1,094 km" in page.page_content
        assert "# Bohemia\n\n" in page.page_content
        assert "[…]" in page.page_content
        assert len(page.page_content) < len(PAGE) / 2

    def test_JSON_is_shortened_losslessly(self) -> None:
        gauges = Document(json.dumps(ROWS), metadata={"source": "gauges.json"})
        (after,) = HeadroomDocumentCompressor().compress_documents([gauges], QUESTION)
        assert json.loads(decode_table(after.page_content)) == ROWS

    def test_a_title_in_the_metadata_counts(self) -> None:
        documents = [
            *retrieved_documents()[:2],
            Document("It is 1,094 km in length.", metadata={"title": "Elbe"}),
        ]
        best = HeadroomDocumentCompressor().compress_documents(documents, QUESTION)[0]
        assert best.metadata["title"] == "Elbe"
        odd = [Document(text, metadata={"title": 7}) for text in TEXTS]
        assert HeadroomDocumentCompressor().compress_documents(odd, QUESTION)

    @pytest.mark.parametrize("query", ["", "  "])
    def test_without_a_query_documents_are_kept_in_order_without_scores(self, query: str) -> None:
        assert (
            HeadroomDocumentCompressor().compress_documents(retrieved_documents(), query)
            == retrieved_documents()
        )

    def test_an_empty_list_of_documents_is_accepted(self) -> None:
        recorder = Recorder()
        assert (
            HeadroomDocumentCompressor().compress_documents([], QUESTION, callbacks=[recorder])
            == []
        )
        assert recorder.events == []

    def test_empty_documents_are_kept_while_there_is_room(self) -> None:
        image = Document("", metadata={"image": "river.png"})
        after = HeadroomDocumentCompressor().compress_documents(
            [image, *retrieved_documents()], QUESTION
        )
        assert after[-1].metadata == {"image": "river.png", "relevance_score": 0.0}
        assert (
            len(
                HeadroomDocumentCompressor(max_documents=2).compress_documents(
                    [image, *retrieved_documents()], QUESTION
                )
            )
            == 2
        )

    @given(
        st.lists(st.sampled_from([*TEXTS, PAGE, json.dumps(ROWS), "", "x"]), max_size=6),
        st.sampled_from([QUESTION, "Town 3", "", "zyzzyva"]),
        st.sampled_from([{}, {"max_documents": 2}, {"token_budget": 90}, {"prefer_diverse": True}]),
    )
    def test_each_copy_differs_only_in_text_and_score(
        self, texts: list[str], query: str, settings: dict[str, Any]
    ) -> None:
        documents = [
            Document(text, id=str(index), metadata={"at": index})
            for index, text in enumerate(texts)
        ]
        after = HeadroomDocumentCompressor(**settings).compress_documents(documents, query)
        assert (
            len({document.id for document in after})
            == len(after)
            <= settings.get("max_documents", len(texts))
        )
        for document in after:
            original = documents[int(document.id or "")]
            assert {**document.metadata, "relevance_score": 0} == {
                **original.metadata,
                "relevance_score": 0,
            }
            assert count_tokens_text(document.page_content) <= count_tokens_text(
                original.page_content
            )
        assert documents == [
            Document(text, id=str(index), metadata={"at": index})
            for index, text in enumerate(texts)
        ]


class TestSettings:
    """Settings that select the kept documents."""

    def test_at_most_max_documents_are_kept(self) -> None:
        after = HeadroomDocumentCompressor(max_documents=1).compress_documents(
            retrieved_documents(), QUESTION
        )
        assert [document.id for document in after] == ["d2"]

    def test_a_budget_is_met(self) -> None:
        documents = [Document(PAGE), *retrieved_documents()]
        after = HeadroomDocumentCompressor(token_budget=60).compress_documents(documents, QUESTION)
        assert 0 < sum(count_tokens_text(document.page_content) for document in after) <= 60

    def test_documents_below_min_relevance_are_dropped(self) -> None:
        after = HeadroomDocumentCompressor(min_relevance=0.5).compress_documents(
            retrieved_documents(), QUESTION
        )
        assert after
        assert all(document.metadata["relevance_score"] >= 0.5 for document in after)

    def test_repetitions_are_dropped(self) -> None:
        twice = [*retrieved_documents(), Document(TEXTS[2], id="again")]
        plain = {
            document.id
            for document in HeadroomDocumentCompressor().compress_documents(twice, QUESTION)
        }
        diverse = HeadroomDocumentCompressor(prefer_diverse=True).compress_documents(
            twice, QUESTION
        )
        assert {"d2", "again"} <= plain
        assert "again" not in {document.id for document in diverse}

    def test_nothing_is_dropped_with_ccr_off(self) -> None:
        config = HeadroomConfig(ccr=CCRConfig(enabled=False))
        documents = [*retrieved_documents(), Document(PAGE)]
        after = HeadroomDocumentCompressor(config=config).compress_documents(documents, QUESTION)
        assert sorted(document.page_content for document in after) == sorted([*TEXTS, PAGE])

    def test_the_configuration_is_a_snapshot(self) -> None:
        config = HeadroomConfig()
        compressor = HeadroomDocumentCompressor(config=config)
        config.ccr.enabled = False
        assert len(compressor.compress_documents(retrieved_documents(), QUESTION)) < len(TEXTS)

    def test_a_custom_scorer_is_used(self) -> None:
        class LastItemScorer:
            def score_items(self, items: Sequence[str], query: str) -> list[float]:
                return [index / len(items) for index in range(len(items))]

        after = HeadroomDocumentCompressor(
            scorer=LastItemScorer(), max_documents=2
        ).compress_documents(retrieved_documents(), QUESTION)
        assert [document.id for document in after] == ["d5", "d4"]

    def test_it_pickles(self) -> None:
        compressor = HeadroomDocumentCompressor(
            max_documents=2, config=HeadroomConfig(), scorer=BM25Scorer(k1=1.2)
        )
        again = pickle.loads(pickle.dumps(compressor))
        assert again.compress_documents(
            retrieved_documents(), QUESTION
        ) == compressor.compress_documents(retrieved_documents(), QUESTION)


class TestEvents:
    """Events and logs."""

    def test_handlers_receive_the_result(self) -> None:
        recorder = Recorder()
        HeadroomDocumentCompressor().compress_documents(
            retrieved_documents(), QUESTION, callbacks=[recorder]
        )
        ((name, result, _),) = recorder.events
        assert name == EVENT
        assert isinstance(result, DocumentsResult)
        assert result.tokens_after < result.tokens_before

    @pytest.mark.parametrize("manager", [CallbackManager, AsyncCallbackManager])
    async def test_sync_and_async_managers_receive_the_result(self, manager: Any) -> None:
        recorder = Recorder()
        compressor = HeadroomDocumentCompressor()
        compressor.compress_documents(
            retrieved_documents(), QUESTION, callbacks=manager([recorder])
        )
        await compressor.acompress_documents(
            retrieved_documents(), QUESTION, callbacks=manager([recorder])
        )
        assert len(recorder.events) == 2

    def test_a_failing_handler_does_no_harm(self) -> None:
        class Failing(BaseCallbackHandler):
            def on_custom_event(self, *args: Any, **kwargs: Any) -> None:
                raise RuntimeError

        assert HeadroomDocumentCompressor().compress_documents(
            retrieved_documents(), QUESTION, callbacks=[Failing()]
        )

    async def test_inside_a_runnable_the_outer_run_receives_the_event(self) -> None:
        compressor = HeadroomDocumentCompressor()
        step = RunnableLambda(lambda documents: compressor.compress_documents(documents, QUESTION))
        events = [event async for event in step.astream_events(retrieved_documents(), version="v2")]
        assert [event["name"] for event in events if event["event"] == "on_custom_event"] == [EVENT]

    def test_warnings_are_logged_without_document_contents(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING):
            HeadroomDocumentCompressor(token_budget=1).compress_documents(
                retrieved_documents(), QUESTION
            )
        (record,) = caplog.records
        assert "token_budget = 1" in record.getMessage()
        assert "Elbe" not in record.getMessage()


class TestAsync:
    """Asynchronous calls."""

    async def test_the_async_result_is_the_same(self) -> None:
        compressor = HeadroomDocumentCompressor(max_documents=3)
        documents = [*retrieved_documents(), Document(PAGE)]
        assert await compressor.acompress_documents(
            documents, QUESTION
        ) == compressor.compress_documents(documents, QUESTION)
        assert await compressor.acompress_documents([], QUESTION) == []

    async def test_the_event_loop_is_not_blocked(self) -> None:
        documents = [Document(f"{n} {PAGE}") for n in range(60)]
        assert (
            await count_loop_steps(
                HeadroomDocumentCompressor().acompress_documents(documents, QUESTION)
            )
            > 5
        )


class TestClassic:
    """Use in langchain-classic."""

    def test_it_works_in_a_contextual_compression_retriever(self) -> None:
        cached, recorder = retrieved_documents(), Recorder()
        retriever = ContextualCompressionRetriever(
            base_compressor=HeadroomDocumentCompressor(max_documents=2),
            base_retriever=FixedRetriever(documents=cached),
        )
        for _ in range(2):
            after = retriever.invoke(QUESTION, config={"callbacks": [recorder]})
            assert after[0].id == "d2"
            assert len(after) == 2
        assert cached == retrieved_documents()
        assert [name for name, _, _ in recorder.events] == [EVENT, EVENT]
        assert {run for _, _, run in recorder.events} <= set(recorder.runs)

    async def test_it_works_in_an_awaited_contextual_compression_retriever(self) -> None:
        recorder = Recorder()
        retriever = ContextualCompressionRetriever(
            base_compressor=HeadroomDocumentCompressor(),
            base_retriever=FixedRetriever(documents=retrieved_documents()),
        )
        after = await retriever.ainvoke(QUESTION, config={"callbacks": [recorder]})
        assert after[0].id == "d2"
        assert [name for name, _, _ in recorder.events] == [EVENT]
        empty = retriever.model_copy(update={"base_retriever": FixedRetriever(documents=[])})
        assert await empty.ainvoke(QUESTION) == []

    async def test_it_works_beside_other_transformers_and_rerankers(self) -> None:
        distinct, reranker = UniqueDocuments(), CrossEncoderReranker(model=ShortestFirst(), top_n=3)
        headroom = HeadroomDocumentCompressor(max_documents=4)
        for steps in (
            [distinct, headroom],
            [headroom, reranker],
            [distinct, reranker, headroom],
            [headroom, distinct],
        ):
            pipeline = DocumentCompressorPipeline(transformers=steps)
            after = pipeline.compress_documents(
                [*retrieved_documents(), *retrieved_documents()], QUESTION
            )
            assert 0 < len(after) <= 4
            assert all(
                {"source", "relevance_score"} <= document.metadata.keys() for document in after
            )
            assert after == await pipeline.acompress_documents(
                [*retrieved_documents(), *retrieved_documents()], QUESTION
            )
            assert all(isinstance(document, DocumentWithState) for document in after) == (
                distinct in steps
            )

    def test_the_message_compressor_gives_documents_the_same_text(self) -> None:
        best = HeadroomDocumentCompressor().compress_documents([Document(PAGE)], QUESTION)[0]
        (same,) = HeadroomCompressor(query=QUESTION, retrieve=True).invoke([Document(PAGE)])
        assert same.page_content == best.page_content


def test_a_hundred_pages_are_compressed_in_time() -> None:
    documents = [Document(f"{n} {PAGE}") for n in range(100)]
    HeadroomDocumentCompressor().compress_documents(documents[:1], QUESTION)
    start = time.process_time()
    HeadroomDocumentCompressor().compress_documents(documents, QUESTION)
    assert time.process_time() - start < 2
