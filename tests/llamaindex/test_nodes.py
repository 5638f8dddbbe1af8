"""Test the compression of LlamaIndex nodes, after retrieval and before indexing."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from bohemia import PAGE, QUESTION, ROWS, TEXTS
from checks import count_loop_steps
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core import Settings, SummaryIndex, VectorStoreIndex
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.ingestion import IngestionCache, IngestionPipeline
from llama_index.core.ingestion.pipeline import get_transformation_hash
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.llms import MockLLM
from llama_index.core.node_parser import MarkdownNodeParser
from llama_index.core.postprocessor import LongContextReorder, SimilarityPostprocessor
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import ResponseMode
from llama_index.core.schema import (
    BaseNode,
    Document,
    ImageNode,
    IndexNode,
    MediaResource,
    MetadataMode,
    Node,
    NodeRelationship,
    NodeWithScore,
    QueryBundle,
    RelatedNodeInfo,
    TextNode,
)
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores import SimpleVectorStore

from headroom_core import BM25Scorer, CCRConfig, HeadroomConfig, count_tokens_text, decode_table
from headroom_integrations.llamaindex import (
    CompressionEndEvent,
    CompressionStartEvent,
    HeadroomNodePostprocessor,
    HeadroomTransform,
)

JSON = json.dumps(ROWS)
NEXT = {NodeRelationship.NEXT: RelatedNodeInfo(node_id="after")}


def score_nodes(*nodes: BaseNode) -> list[NodeWithScore]:
    """Return nodes with falling scores."""
    return [NodeWithScore(node=node, score=0.9 - index / 100) for index, node in enumerate(nodes)]


def retrieved_nodes() -> list[NodeWithScore]:
    """Return retrieved nodes with ids, metadata and relationships."""
    nodes = (
        TextNode(text=text, id_=f"n{index}", metadata={"place": index}, relationships=NEXT)
        for index, text in enumerate(TEXTS)
    )
    return score_nodes(*nodes)


def postprocess(
    nodes: list[NodeWithScore], query: str | None = QUESTION, **settings: Any
) -> list[NodeWithScore]:
    return HeadroomNodePostprocessor(**settings).postprocess_nodes(nodes, query_str=query)


def node_ids(nodes: Sequence[NodeWithScore]) -> list[str]:
    return [item.node_id for item in nodes]


def tokens(node: BaseNode) -> int:
    return count_tokens_text(node.get_content(MetadataMode.LLM))


def dump_nodes(nodes: Sequence[Any]) -> list[dict[str, Any]]:
    return [item.to_dict() for item in nodes]


class Recorder(BaseEventHandler):
    """Handler that records events of compression and the prompts sent to a model."""

    events: list[Any]
    prompts: list[str]

    def handle(self, event: Any, **kwargs: Any) -> None:
        if isinstance(event, (CompressionStartEvent, CompressionEndEvent)):
            self.events.append(event)
        if event.class_name() == "LLMCompletionStartEvent":
            self.prompts.append(event.prompt)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    handler, root = Recorder(events=[], prompts=[]), get_dispatcher("root")
    root.add_event_handler(handler)
    yield handler
    root.event_handlers.remove(handler)


class FixedRetriever(BaseRetriever):
    """Retriever that always returns the same nodes."""

    def __init__(self, nodes: list[NodeWithScore]) -> None:
        super().__init__()
        self.nodes = nodes

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self.nodes


class LastItemScorer:
    """Scorer that prefers later items."""

    def score_items(self, items: Sequence[str], query: str) -> list[float]:
        return [index / len(items) for index in range(len(items))]


class TestNodes:
    """Compression of nodes."""

    def test_irrelevant_nodes_are_dropped_and_the_order_is_kept(self) -> None:
        result = postprocess(retrieved_nodes())
        assert "n2" in node_ids(result)
        assert node_ids(result) == sorted(node_ids(result))
        assert len(result) < len(TEXTS)

    def test_only_the_text_of_a_copy_changes(
        self,
    ) -> None:
        nodes = score_nodes(
            TextNode(text=PAGE, id_="page", metadata={"title": "Bohemia"}, relationships=NEXT)
        )
        before = dump_nodes(nodes)
        (result,) = postprocess(nodes)
        assert "[…]" in result.text
        assert "1,094 km" in result.text
        assert {**result.to_dict(), "node": None} == {**before[0], "node": None}
        assert {**result.node.to_dict(), "text": PAGE} == before[0]["node"]
        assert result.node.hash != nodes[0].node.hash
        assert dump_nodes(nodes) == before

    def test_an_unchanged_node_is_the_same_object(self) -> None:
        nodes = retrieved_nodes()
        assert all(any(item is other for other in nodes) for item in postprocess(nodes))

    def test_only_the_text_is_shortened_and_the_template_is_kept(self) -> None:
        node = TextNode(
            text=PAGE,
            metadata={"title": "Bohemia", "secret": "x"},
            excluded_llm_metadata_keys=["secret"],
            text_template="<doc>{metadata_str}|{content}</doc>",
            metadata_template="{key}={value}",
        )
        (result,) = postprocess(score_nodes(node))
        assert (
            result.node.get_content(MetadataMode.LLM) == f"<doc>title=Bohemia|{result.text}</doc>"
        )
        assert len(result.text) < len(PAGE) / 2

    @pytest.mark.parametrize("kind", [TextNode, Document])
    def test_JSON_is_shortened_losslessly(self, kind: Any) -> None:
        (result,) = postprocess(score_nodes(kind(text=JSON, metadata={"file_name": "gauges.json"})))
        assert type(result.node) is kind
        assert json.loads(decode_table(result.node.get_content())) == ROWS

    def test_code_is_left_unchanged(self) -> None:
        code = "def length(river):\n    return {'Elbe': 1094}[river]\n"
        assert postprocess(score_nodes(TextNode(text=code)), "length of the Elbe")[0].text == code

    def test_the_mimetype_of_a_text_is_kept(self) -> None:
        text = MediaResource(text=JSON, mimetype="application/json")
        (result,) = postprocess(score_nodes(Node(text_resource=text)))
        assert result.node.text_resource.mimetype == "application/json"
        assert result.node.text_resource.text != JSON == text.text

    def test_a_node_subclass_is_kept(self) -> None:
        class Page(TextNode):
            number: int

        (result,) = postprocess(score_nodes(Page(text=PAGE, number=7)))
        assert isinstance(result.node, Page)
        assert result.node.number == 7
        assert result.text != PAGE

    @pytest.mark.parametrize(
        "node",
        [
            ImageNode(text=PAGE, image_path="river.png"),
            IndexNode(text=PAGE, index_id="all", obj=TextNode(text="x")),
            Document(text=PAGE, image_resource=MediaResource(url="https://example.com/a.png")),
            TextNode(text="", metadata={"title": "empty"}),
            Node(),
        ],
    )
    def test_nodes_without_plain_text_pass_through(self, node: BaseNode) -> None:
        nodes = [*retrieved_nodes(), *score_nodes(node)]
        assert postprocess(nodes, "What is a priest?")[-1] is nodes[-1]
        assert len(postprocess(nodes, "What is a priest?", top_n=1)) == 1

    def test_an_empty_list_of_nodes_is_accepted(self, recorder: Recorder) -> None:
        assert postprocess([]) == []
        assert recorder.events == []

    def test_duplicate_nodes_are_kept_once(self) -> None:
        nodes = retrieved_nodes()
        assert node_ids(postprocess([*nodes, *retrieved_nodes()])) == node_ids(postprocess(nodes))
        assert postprocess([*nodes, nodes[0]], None) == nodes
        other = score_nodes(TextNode(text="The Elbe is long, says another version.", id_="n2"))
        assert postprocess([*nodes, *other], None) == [*nodes, *other]

    @pytest.mark.parametrize("query", [None, "", " "])
    def test_all_nodes_are_kept_without_a_query(self, query: str | None) -> None:
        assert postprocess(retrieved_nodes(), query) == retrieved_nodes()
        assert node_ids(postprocess(retrieved_nodes(), query, top_n=2)) == ["n0", "n1"]

    def test_only_the_query_string_of_a_bundle_counts(self) -> None:
        bundle = QueryBundle(
            QUESTION, custom_embedding_strs=["Jan Hus was a priest who was burnt."]
        )
        plain = postprocess(retrieved_nodes())
        assert HeadroomNodePostprocessor().postprocess_nodes(retrieved_nodes(), bundle) == plain

    @pytest.mark.parametrize(
        "metadata",
        [
            {"title": "Elbe"},
            {"document_title": "Elbe"},
            {"header_path": "/Elbe/"},
            {"file_name": "elbe.txt"},
            {"title": "", "file_name": "Elbe.pdf"},
            {"header_path": "/", "title": 7, "file_name": "Elbe.pdf"},
        ],
    )
    def test_a_title_in_the_metadata_counts(self, metadata: dict[str, Any]) -> None:
        titled = TextNode(text="It is 1,094 km in length.", metadata=metadata)
        nodes = [*retrieved_nodes()[:2], *score_nodes(titled)]
        assert postprocess(nodes, top_n=1)[0].node is titled

    def test_a_section_matches_by_its_own_heading_too(self) -> None:
        sections = MarkdownNodeParser().get_nodes_from_documents([Document(text=PAGE)])
        (best,) = postprocess(
            score_nodes(*sections), "Which towns are there? Tell me of town 7.", top_n=1
        )
        assert "Town 7" in best.text

    @given(
        st.lists(
            st.tuples(
                st.sampled_from([*TEXTS, PAGE, JSON, "", "x", "a\r\n\r\nb  "]),
                st.sampled_from([{}, {"title": "Elbe"}, {"file_name": "a.txt", "place": 3}]),
                st.sampled_from([TextNode, Document, ImageNode]),
                st.none() | st.floats(-1, 1),
            ),
            max_size=7,
        ),
        st.sampled_from([QUESTION, "Town 3", "", None, "zyzzyva"]),
        st.sampled_from(
            [
                {},
                {"top_n": 2},
                {"token_budget": 90},
                {"min_relevance": 0.5},
                {"scorer": LastItemScorer()},
            ]
        ),
    )
    def test_each_node_changes_only_its_text_and_never_gains_tokens(
        self, specs: list[Any], query: str | None, settings: dict[str, Any]
    ) -> None:
        nodes = [
            NodeWithScore(
                node=kind(text=text, id_=str(index), metadata=metadata, relationships=NEXT),
                score=score,
            )
            for index, (text, metadata, kind, score) in enumerate(specs)
        ]
        before = dump_nodes(nodes)
        result = postprocess(nodes, query, **settings)
        assert dump_nodes(nodes) == before
        assert len(set(node_ids(result))) == len(result) <= settings.get("top_n", len(nodes))
        if "top_n" not in settings:
            assert node_ids(result) == sorted(node_ids(result))
        for item in result:
            original = nodes[int(item.node_id)]
            assert (item.score, item.metadata, item.node.relationships) == (
                original.score,
                original.metadata,
                NEXT,
            )
            assert item.node is original.node or tokens(item.node) < tokens(original.node)


class TestSettings:
    """Settings that select the kept nodes."""

    def test_at_most_top_n_nodes_are_kept_best_first(self) -> None:
        result = postprocess(retrieved_nodes()[::-1], top_n=2)
        assert node_ids(result)[0] == "n2"
        assert len(result) == 2
        assert result[0].score == retrieved_nodes()[::-1][3].score

    def test_nodes_below_min_relevance_are_dropped(self) -> None:
        assert node_ids(postprocess(retrieved_nodes(), min_relevance=1.0)) == ["n2"]

    @pytest.mark.parametrize("budget", [60, 150, 400])
    @pytest.mark.parametrize(
        "metadata", [{}, {"source": "https://example.com/a/long/address?of=the&page=17"}]
    )
    def test_the_budget_includes_the_metadata(self, budget: int, metadata: dict[str, Any]) -> None:
        texts = [
            PAGE,
            *TEXTS,
            *(f"The Elbe at gauge {n} is {n} m high. It is {n} m wide." for n in range(40)),
        ]
        result = postprocess(
            score_nodes(*(TextNode(text=text, metadata=metadata) for text in texts)),
            token_budget=budget,
        )
        assert budget / 2 < sum(tokens(item.node) for item in result) <= budget

    @given(st.lists(st.integers(0, 80), min_size=1, max_size=8), st.integers(20, 300))
    def test_a_budget_is_met_if_the_metadata_leave_room(
        self, sizes: list[int], budget: int
    ) -> None:
        nodes = [
            TextNode(text=f"{TEXTS[2]} It is river {index}.", metadata={"of": "a " * n})
            for index, n in enumerate(sizes)
        ]
        result = sum(
            tokens(item.node) for item in postprocess(score_nodes(*nodes), token_budget=budget)
        )
        assert result <= budget or 2 * budget < 3 * min(map(tokens, nodes))

    def test_a_budget_nearly_filled_by_unchangeable_nodes_is_met_quickly(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        budgets: list[int | None] = []
        select = HeadroomNodePostprocessor._select

        def counting_select(self: Any, candidates: Any, query: str, budget: int | None) -> Any:
            budgets.append(budget)
            return select(self, candidates, query, budget)

        monkeypatch.setattr(HeadroomNodePostprocessor, "_select", counting_select)
        carried = [
            IndexNode(text=f"Chapter {n}. " + PAGE[:2_000], index_id=f"i{n}") for n in range(6)
        ]
        nodes = score_nodes(*carried, TextNode(text=" ".join(TEXTS)))
        budget = sum(tokens(item.node) for item in nodes) - 5
        result = postprocess(nodes, token_budget=budget)
        assert sum(tokens(item.node) for item in result) <= budget
        assert [item.node for item in result][:6] == carried
        assert len(budgets) < 5

    @pytest.mark.parametrize("budget", [1, 5, 8])
    def test_an_unmet_budget_is_logged_without_node_contents(
        self, budget: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING):
            result = postprocess(retrieved_nodes(), token_budget=budget)
        assert node_ids(result) == ["n2"]
        (record,) = caplog.records
        assert f"more than token_budget = {budget}:" in record.getMessage()
        assert "Elbe" not in record.getMessage()

    def test_nothing_is_dropped_with_ccr_off(self) -> None:
        nodes = [*retrieved_nodes(), *score_nodes(TextNode(text=PAGE))]
        assert postprocess(nodes, config=HeadroomConfig(ccr=CCRConfig(enabled=False))) == nodes

    def test_the_configuration_is_a_snapshot(self) -> None:
        config = HeadroomConfig()
        processor = HeadroomNodePostprocessor(config=config)
        config.ccr.enabled = False
        assert len(processor.postprocess_nodes(retrieved_nodes(), query_str=QUESTION)) < len(TEXTS)

    def test_a_custom_scorer_is_used(self) -> None:
        assert node_ids(postprocess(retrieved_nodes(), scorer=LastItemScorer(), top_n=2)) == [
            "n5",
            "n4",
        ]

    def test_it_serialises_and_pickles(self) -> None:
        config = HeadroomConfig(ccr=CCRConfig(enabled=False))
        processor = HeadroomNodePostprocessor(
            config=config, top_n=3, token_budget=99, min_relevance=0.1
        )
        assert processor.to_dict()["class_name"] == HeadroomNodePostprocessor.class_name()
        assert (
            HeadroomNodePostprocessor.from_dict(processor.to_dict()).to_dict()
            == processor.to_dict()
        )
        assert HeadroomNodePostprocessor.from_json(processor.to_json()).config == config
        assert pickle.loads(pickle.dumps(processor)).to_dict() == processor.to_dict()
        again = pickle.loads(pickle.dumps(HeadroomNodePostprocessor(scorer=BM25Scorer(k1=1.2))))
        assert again.scorer.k1 == 1.2

    def test_a_scorer_that_cannot_be_pickled_is_left_behind(self) -> None:
        class Local(LastItemScorer):
            """Class that cannot be pickled."""

        processor = HeadroomNodePostprocessor(scorer=Local(), token_budget=100)
        assert pickle.loads(pickle.dumps(processor)).token_budget == 100
        assert isinstance(processor.scorer, Local)

    @pytest.mark.parametrize("component", [HeadroomNodePostprocessor, HeadroomTransform])
    def test_only_settings_that_were_set_are_serialised(self, component: Any) -> None:
        config = HeadroomConfig()
        config.smart_crusher.min_tokens_to_crush = 77
        again = component.from_json(component(config=config).to_json()).config
        assert again == config
        assert again.smart_crusher.model_fields_set == {"min_tokens_to_crush"}


class TestEvents:
    """Events for the instrumentation."""

    def test_events_report_nodes_and_tokens_before_and_after(self, recorder: Recorder) -> None:
        result = postprocess(retrieved_nodes())
        start, end = recorder.events
        assert (start.nodes, end.nodes) == (len(TEXTS), len(result))
        assert end.tokens_before == sum(tokens(item.node) for item in retrieved_nodes())
        assert end.tokens_after == sum(tokens(item.node) for item in result)
        assert end.scores["n2"] == 1.0
        assert end.scores.keys() == {item.node_id for item in retrieved_nodes()}
        assert not any(text in event.model_dump_json() for event in (start, end) for text in TEXTS)
        assert end.model_dump()["class_name"] == "CompressionEndEvent"

    def test_events_have_no_scores_without_a_query(self, recorder: Recorder) -> None:
        postprocess(retrieved_nodes(), None)
        assert recorder.events[1].scores == {}

    async def test_async_events_are_dispatched_in_the_event_loop(self) -> None:
        loops = []

        class Handler(BaseEventHandler):
            def handle(self, event: Any, **kwargs: Any) -> None:
                loops.append(asyncio.get_running_loop())

        handler, root = Handler(), get_dispatcher("root")
        root.add_event_handler(handler)
        try:
            await HeadroomNodePostprocessor().apostprocess_nodes(
                retrieved_nodes(), query_str=QUESTION
            )
            await HeadroomTransform().acall([item.node for item in retrieved_nodes()])
        finally:
            root.event_handlers.remove(handler)
        assert loops == [asyncio.get_running_loop()] * 4


class TestAsync:
    """Asynchronous calls."""

    async def test_the_async_result_is_the_same(self) -> None:
        nodes = [*retrieved_nodes(), *score_nodes(TextNode(text=PAGE, id_="page"))]
        processor = HeadroomNodePostprocessor(token_budget=100)
        same = processor.postprocess_nodes(nodes, query_str=QUESTION)
        assert await processor.apostprocess_nodes(nodes, query_str=QUESTION) == same
        assert await processor.apostprocess_nodes([]) == []
        nodes = [TextNode(text=JSON, id_="rows")]
        assert await HeadroomTransform().acall(nodes) == HeadroomTransform()(nodes)

    async def test_the_event_loop_is_not_blocked(self) -> None:
        many = score_nodes(*(TextNode(text=f"{n} {PAGE}") for n in range(60)))
        assert (
            await count_loop_steps(
                HeadroomNodePostprocessor().apostprocess_nodes(many, query_str=QUESTION)
            )
            > 5
        )


class TestEngines:
    """Use in query engines."""

    @pytest.mark.parametrize(
        "mode", [mode for mode in ResponseMode if mode is not ResponseMode.GENERATION]
    )
    async def test_models_receive_less_text_in_every_response_mode(
        self, mode: ResponseMode, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Settings, "_llm", MockLLM())  # Even `no_text` needs a model.
        documents = [Document(text=PAGE), *(Document(text=text) for text in TEXTS)]
        index = VectorStoreIndex.from_documents(documents, embed_model=MockEmbedding(8))
        engine = index.as_query_engine(
            llm=MockLLM(max_tokens=20),
            similarity_top_k=9,
            response_mode=mode,
            node_postprocessors=[HeadroomNodePostprocessor()],
        )
        for answer in (engine.query(QUESTION), await engine.aquery(QUESTION)):
            page = next(item for item in answer.source_nodes if "Bohemia" in item.text)
            assert len(page.text) < len(PAGE) / 2
            assert len(answer.source_nodes) < len(documents)
        assert not any("Town 7" in prompt for prompt in recorder.prompts)
        if mode not in (ResponseMode.NO_TEXT, ResponseMode.CONTEXT_ONLY):
            assert any("1,094 km" in prompt for prompt in recorder.prompts)
        assert len(recorder.events) == 4

    def test_nodes_of_a_summary_index_stay_without_scores(self) -> None:
        index = SummaryIndex.from_documents([Document(text=text) for text in TEXTS])
        engine = index.as_query_engine(
            llm=MockLLM(), node_postprocessors=[HeadroomNodePostprocessor(top_n=2)]
        )
        sources = engine.query(QUESTION).source_nodes
        assert [item.score for item in sources] == [None, None]
        assert sources[0].text == TEXTS[2]

    def test_cached_nodes_are_not_mutated(self) -> None:
        cached = score_nodes(TextNode(text=PAGE), TextNode(text=JSON))
        before = dump_nodes(cached)
        engine = RetrieverQueryEngine.from_args(
            FixedRetriever(cached), llm=MockLLM(), node_postprocessors=[HeadroomNodePostprocessor()]
        )
        first, second = engine.query(QUESTION), engine.query("Tell me of Town 7")
        assert "Town 7" not in first.source_nodes[0].text
        assert "Town 7" in second.source_nodes[0].text
        assert dump_nodes(cached) == before

    def test_it_works_beside_other_postprocessors(self) -> None:
        engine = RetrieverQueryEngine.from_args(
            FixedRetriever(retrieved_nodes()),
            llm=MockLLM(),
            node_postprocessors=[
                HeadroomNodePostprocessor(),
                SimilarityPostprocessor(similarity_cutoff=0.87),
                LongContextReorder(),
            ],
        )
        assert {"n0", "n2"} >= set(node_ids(engine.query(QUESTION).source_nodes)) >= {"n2"}


class TestTransform:
    """Compression before indexing."""

    def test_the_transform_shortens_the_text_of_a_copy_losslessly(self) -> None:
        rows = TextNode(
            text=JSON, metadata={"title": "gauges"}, relationships=NEXT, embedding=[0.5]
        )
        before = rows.to_dict()
        prose, image = TextNode(text=PAGE), ImageNode(text=JSON, image_path="a.png")
        shorter, same, carried = HeadroomTransform()([rows, prose, image])
        assert json.loads(decode_table(shorter.get_content())) == ROWS
        assert {**shorter.to_dict(), "text": JSON} == before == rows.to_dict()
        assert shorter.hash != rows.hash
        assert (same, carried) == (prose, image)
        assert tokens(shorter) < tokens(rows)
        assert HeadroomTransform()([]) == []

    def test_the_transform_is_lossless_whatever_the_configuration(self) -> None:
        config = HeadroomConfig()
        config.smart_crusher.max_items_after_crush = 5
        (shorter,) = HeadroomTransform(config=config)([TextNode(text=JSON)])
        assert json.loads(decode_table(shorter.get_content())) == ROWS

    def test_the_transform_emits_events(self, recorder: Recorder) -> None:
        HeadroomTransform()([TextNode(text=JSON)])
        start, end = recorder.events
        assert (start.nodes, end.nodes, end.scores) == (1, 1, {})
        assert end.tokens_after < end.tokens_before

    def test_a_pipeline_recognises_documents_it_has_transformed(self) -> None:
        pipeline = IngestionPipeline(
            transformations=[HeadroomTransform(), MockEmbedding(8)],
            docstore=SimpleDocumentStore(),
            vector_store=SimpleVectorStore(),
            disable_cache=True,
        )
        documents = [Document(text=JSON, doc_id="rows"), Document(text=PAGE, doc_id="page")]
        assert {node.node_id for node in pipeline.run(documents=documents)} == {"rows", "page"}
        assert pipeline.run(documents=documents) == []
        changed = [Document(text=JSON.replace("ok", "late"), doc_id="rows"), documents[1]]
        assert [node.node_id for node in pipeline.run(documents=changed)] == ["rows"]

    def test_the_cache_key_of_a_transform_includes_its_settings(self) -> None:
        nodes = [TextNode(text=JSON)]
        lossy = HeadroomConfig(content_router_enabled=False)
        first, second = (
            get_transformation_hash(nodes, HeadroomTransform(config=config))
            for config in (lossy, HeadroomConfig())
        )
        assert first != second
        assert first == get_transformation_hash(nodes, HeadroomTransform(config=lossy.snapshot()))

    def test_a_cache_returns_the_same_nodes(self, recorder: Recorder) -> None:
        cache = IngestionCache()
        runs = [
            IngestionPipeline(transformations=[HeadroomTransform()], cache=cache).run(
                nodes=[TextNode(text=JSON)]
            )
            for _ in range(2)
        ]
        assert runs[0][0].get_content() == runs[1][0].get_content() != JSON
        assert len(recorder.events) == 2

    async def test_parallel_workers_give_the_same_nodes(self) -> None:
        documents = [Document(text=f"{n}\n{JSON}", doc_id=str(n)) for n in range(4)]
        pipeline = IngestionPipeline(
            transformations=[HeadroomTransform(config=HeadroomConfig())], disable_cache=True
        )
        alone = [node.get_content() for node in pipeline.run(documents=documents)]
        assert all(len(text) < len(JSON) / 2 for text in alone)
        assert [
            node.get_content() for node in pipeline.run(documents=documents, num_workers=2)
        ] == alone
        assert [
            node.get_content() for node in await pipeline.arun(documents=documents, num_workers=2)
        ] == alone

    def test_it_serialises_and_pickles(self) -> None:
        transform = HeadroomTransform(
            config=HeadroomConfig(content_router_enabled=False), model="gpt-4"
        )
        assert HeadroomTransform.from_dict(transform.to_dict()) == transform
        assert HeadroomTransform.from_json(transform.to_json()) == transform
        assert pickle.loads(pickle.dumps(transform)) == transform
