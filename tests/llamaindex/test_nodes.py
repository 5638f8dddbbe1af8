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
from checks import steps_meanwhile
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


def scored(*nodes: BaseNode) -> list[NodeWithScore]:
    """Nodes with falling scores."""
    return [NodeWithScore(node=node, score=0.9 - at / 100) for at, node in enumerate(nodes)]


def found() -> list[NodeWithScore]:
    """What a retriever found, with ids, metadata and relationships."""
    made = (
        TextNode(text=text, id_=f"n{at}", metadata={"place": at}, relationships=NEXT)
        for at, text in enumerate(TEXTS)
    )
    return scored(*made)


def after(
    nodes: list[NodeWithScore], query: str | None = QUESTION, **settings: Any
) -> list[NodeWithScore]:
    return HeadroomNodePostprocessor(**settings).postprocess_nodes(nodes, query_str=query)


def ids(nodes: Sequence[NodeWithScore]) -> list[str]:
    return [one.node_id for one in nodes]


def tokens(node: BaseNode) -> int:
    return count_tokens_text(node.get_content(MetadataMode.LLM))


def dumped(nodes: Sequence[Any]) -> list[dict[str, Any]]:
    return [one.to_dict() for one in nodes]


class Recorder(BaseEventHandler):
    """Keeps the events of compression, and the prompts that a model was sent."""

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


class Cached(BaseRetriever):
    """A retriever that hands out the same nodes every time."""

    def __init__(self, nodes: list[NodeWithScore]) -> None:
        super().__init__()
        self.nodes = nodes

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self.nodes


class Latest:
    """A scorer to which the last item is the best."""

    def score_items(self, items: Sequence[str], query: str) -> list[float]:
        return [at / len(items) for at in range(len(items))]


class TestNodes:
    """What becomes of nodes."""

    def test_irrelevant_nodes_are_dropped_and_the_order_is_kept(self) -> None:
        left = after(found())
        assert "n2" in ids(left)
        assert ids(left) == sorted(ids(left))
        assert len(left) < len(TEXTS)

    def test_only_the_text_of_a_copy_changes(
        self,
    ) -> None:
        came = scored(
            TextNode(text=PAGE, id_="page", metadata={"title": "Bohemia"}, relationships=NEXT)
        )
        before = dumped(came)
        (left,) = after(came)
        assert "[…]" in left.text
        assert "1,094 km" in left.text
        assert {**left.to_dict(), "node": None} == {**before[0], "node": None}
        assert {**left.node.to_dict(), "text": PAGE} == before[0]["node"]
        assert left.node.hash != came[0].node.hash
        assert dumped(came) == before

    def test_an_unchanged_node_is_the_same_object(self) -> None:
        came = found()
        assert all(any(one is other for other in came) for one in after(came))

    def test_only_the_text_is_shortened_and_the_template_is_kept(self) -> None:
        node = TextNode(
            text=PAGE,
            metadata={"title": "Bohemia", "secret": "x"},
            excluded_llm_metadata_keys=["secret"],
            text_template="<doc>{metadata_str}|{content}</doc>",
            metadata_template="{key}={value}",
        )
        (left,) = after(scored(node))
        assert left.node.get_content(MetadataMode.LLM) == f"<doc>title=Bohemia|{left.text}</doc>"
        assert len(left.text) < len(PAGE) / 2

    @pytest.mark.parametrize("kind", [TextNode, Document])
    def test_JSON_is_shortened_losslessly(self, kind: Any) -> None:
        (left,) = after(scored(kind(text=JSON, metadata={"file_name": "gauges.json"})))
        assert type(left.node) is kind
        assert json.loads(decode_table(left.node.get_content())) == ROWS

    def test_code_is_left_unchanged(self) -> None:
        code = "def length(river):\n    return {'Elbe': 1094}[river]\n"
        assert after(scored(TextNode(text=code)), "length of the Elbe")[0].text == code

    def test_the_mimetype_of_a_text_is_kept(self) -> None:
        text = MediaResource(text=JSON, mimetype="application/json")
        (left,) = after(scored(Node(text_resource=text)))
        assert left.node.text_resource.mimetype == "application/json"
        assert left.node.text_resource.text != JSON == text.text

    def test_a_node_subclass_is_kept(self) -> None:
        class Page(TextNode):
            number: int

        (left,) = after(scored(Page(text=PAGE, number=7)))
        assert isinstance(left.node, Page)
        assert left.node.number == 7
        assert left.text != PAGE

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
        came = [*found(), *scored(node)]
        assert after(came, "What is a priest?")[-1] is came[-1]
        assert len(after(came, "What is a priest?", top_n=1)) == 1

    def test_an_empty_list_of_nodes_is_accepted(self, recorder: Recorder) -> None:
        assert after([]) == []
        assert recorder.events == []

    def test_duplicate_nodes_are_kept_once(self) -> None:
        came = found()
        assert ids(after([*came, *found()])) == ids(after(came))
        assert after([*came, came[0]], None) == came
        other = scored(TextNode(text="The Elbe is long, says another version.", id_="n2"))
        assert after([*came, *other], None) == [*came, *other]

    @pytest.mark.parametrize("query", [None, "", " "])
    def test_all_nodes_are_kept_without_a_query(self, query: str | None) -> None:
        assert after(found(), query) == found()
        assert ids(after(found(), query, top_n=2)) == ["n0", "n1"]

    def test_only_the_query_string_of_a_bundle_counts(self) -> None:
        bundle = QueryBundle(
            QUESTION, custom_embedding_strs=["Jan Hus was a priest who was burnt."]
        )
        plain = after(found())
        assert HeadroomNodePostprocessor().postprocess_nodes(found(), bundle) == plain

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
        came = [*found()[:2], *scored(titled)]
        assert after(came, top_n=1)[0].node is titled

    def test_a_section_matches_by_its_own_heading_too(self) -> None:
        sections = MarkdownNodeParser().get_nodes_from_documents([Document(text=PAGE)])
        (best,) = after(scored(*sections), "Which towns are there? Tell me of town 7.", top_n=1)
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
            [{}, {"top_n": 2}, {"token_budget": 90}, {"min_relevance": 0.5}, {"scorer": Latest()}]
        ),
    )
    def test_each_node_changes_only_its_text_and_never_gains_tokens(
        self, made: list[Any], query: str | None, settings: dict[str, Any]
    ) -> None:
        came = [
            NodeWithScore(
                node=kind(text=text, id_=str(at), metadata=metadata, relationships=NEXT),
                score=score,
            )
            for at, (text, metadata, kind, score) in enumerate(made)
        ]
        before = dumped(came)
        left = after(came, query, **settings)
        assert dumped(came) == before
        assert len(set(ids(left))) == len(left) <= settings.get("top_n", len(came))
        if "top_n" not in settings:
            assert ids(left) == sorted(ids(left))
        for one in left:
            was = came[int(one.node_id)]
            assert (one.score, one.metadata, one.node.relationships) == (
                was.score,
                was.metadata,
                NEXT,
            )
            assert one.node is was.node or tokens(one.node) < tokens(was.node)


class TestSettings:
    """What decides which nodes stay."""

    def test_at_most_top_n_nodes_are_kept_best_first(self) -> None:
        left = after(found()[::-1], top_n=2)
        assert ids(left)[0] == "n2"
        assert len(left) == 2
        assert left[0].score == found()[::-1][3].score

    def test_nodes_below_min_relevance_are_dropped(self) -> None:
        assert ids(after(found(), min_relevance=1.0)) == ["n2"]

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
        left = after(
            scored(*(TextNode(text=text, metadata=metadata) for text in texts)), token_budget=budget
        )
        assert budget / 2 < sum(tokens(one.node) for one in left) <= budget

    @given(st.lists(st.integers(0, 80), min_size=1, max_size=8), st.integers(20, 300))
    def test_a_budget_is_met_if_the_metadata_leave_room(
        self, sizes: list[int], budget: int
    ) -> None:
        nodes = [
            TextNode(text=f"{TEXTS[2]} It is river {at}.", metadata={"of": "a " * n})
            for at, n in enumerate(sizes)
        ]
        left = sum(tokens(one.node) for one in after(scored(*nodes), token_budget=budget))
        assert left <= budget or 2 * budget < 3 * min(map(tokens, nodes))

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
        came = scored(*carried, TextNode(text=" ".join(TEXTS)))
        budget = sum(tokens(one.node) for one in came) - 5
        left = after(came, token_budget=budget)
        assert sum(tokens(one.node) for one in left) <= budget
        assert [one.node for one in left][:6] == carried
        assert len(budgets) < 5

    @pytest.mark.parametrize("budget", [1, 5, 8])
    def test_an_unmet_budget_is_logged_without_node_contents(
        self, budget: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING):
            left = after(found(), token_budget=budget)
        assert ids(left) == ["n2"]
        (record,) = caplog.records
        assert f"more than token_budget = {budget}:" in record.getMessage()
        assert "Elbe" not in record.getMessage()

    def test_nothing_is_dropped_with_ccr_off(self) -> None:
        came = [*found(), *scored(TextNode(text=PAGE))]
        assert after(came, config=HeadroomConfig(ccr=CCRConfig(enabled=False))) == came

    def test_the_configuration_is_a_snapshot(self) -> None:
        config = HeadroomConfig()
        processor = HeadroomNodePostprocessor(config=config)
        config.ccr.enabled = False
        assert len(processor.postprocess_nodes(found(), query_str=QUESTION)) < len(TEXTS)

    def test_a_custom_scorer_is_used(self) -> None:
        assert ids(after(found(), scorer=Latest(), top_n=2)) == ["n5", "n4"]

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
        class Local(Latest):
            """A class that no pickle finds again."""

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


class TestTelling:
    """What the instrumentation is told."""

    def test_events_report_nodes_and_tokens_before_and_after(self, recorder: Recorder) -> None:
        left = after(found())
        start, end = recorder.events
        assert (start.nodes, end.nodes) == (len(TEXTS), len(left))
        assert end.tokens_before == sum(tokens(one.node) for one in found())
        assert end.tokens_after == sum(tokens(one.node) for one in left)
        assert end.scores["n2"] == 1.0
        assert end.scores.keys() == {one.node_id for one in found()}
        assert not any(text in event.model_dump_json() for event in (start, end) for text in TEXTS)
        assert end.model_dump()["class_name"] == "CompressionEndEvent"

    def test_events_have_no_scores_without_a_query(self, recorder: Recorder) -> None:
        after(found(), None)
        assert recorder.events[1].scores == {}

    async def test_async_events_are_dispatched_in_the_event_loop(self) -> None:
        loops = []

        class Handler(BaseEventHandler):
            def handle(self, event: Any, **kwargs: Any) -> None:
                loops.append(asyncio.get_running_loop())

        handler, root = Handler(), get_dispatcher("root")
        root.add_event_handler(handler)
        try:
            await HeadroomNodePostprocessor().apostprocess_nodes(found(), query_str=QUESTION)
            await HeadroomTransform().acall([one.node for one in found()])
        finally:
            root.event_handlers.remove(handler)
        assert loops == [asyncio.get_running_loop()] * 4


class TestAsync:
    """Without blocking the event loop."""

    async def test_the_async_result_is_the_same(self) -> None:
        came = [*found(), *scored(TextNode(text=PAGE, id_="page"))]
        processor = HeadroomNodePostprocessor(token_budget=100)
        same = processor.postprocess_nodes(came, query_str=QUESTION)
        assert await processor.apostprocess_nodes(came, query_str=QUESTION) == same
        assert await processor.apostprocess_nodes([]) == []
        nodes = [TextNode(text=JSON, id_="rows")]
        assert await HeadroomTransform().acall(nodes) == HeadroomTransform()(nodes)

    async def test_the_event_loop_is_not_blocked(self) -> None:
        many = scored(*(TextNode(text=f"{n} {PAGE}") for n in range(60)))
        assert (
            await steps_meanwhile(
                HeadroomNodePostprocessor().apostprocess_nodes(many, query_str=QUESTION)
            )
            > 5
        )


class TestEngines:
    """In query engines."""

    @pytest.mark.parametrize(
        "mode", [mode for mode in ResponseMode if mode is not ResponseMode.GENERATION]
    )
    async def test_models_receive_less_text_in_every_response_mode(
        self, mode: ResponseMode, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Settings, "_llm", MockLLM())  # Even `no_text` wants one.
        documents = [Document(text=PAGE), *(Document(text=text) for text in TEXTS)]
        index = VectorStoreIndex.from_documents(documents, embed_model=MockEmbedding(8))
        engine = index.as_query_engine(
            llm=MockLLM(max_tokens=20),
            similarity_top_k=9,
            response_mode=mode,
            node_postprocessors=[HeadroomNodePostprocessor()],
        )
        for answer in (engine.query(QUESTION), await engine.aquery(QUESTION)):
            page = next(one for one in answer.source_nodes if "Bohemia" in one.text)
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
        assert [one.score for one in sources] == [None, None]
        assert sources[0].text == TEXTS[2]

    def test_cached_nodes_are_not_mutated(self) -> None:
        cached = scored(TextNode(text=PAGE), TextNode(text=JSON))
        before = dumped(cached)
        engine = RetrieverQueryEngine.from_args(
            Cached(cached), llm=MockLLM(), node_postprocessors=[HeadroomNodePostprocessor()]
        )
        first, second = engine.query(QUESTION), engine.query("Tell me of Town 7")
        assert "Town 7" not in first.source_nodes[0].text
        assert "Town 7" in second.source_nodes[0].text
        assert dumped(cached) == before

    def test_it_works_beside_other_postprocessors(self) -> None:
        engine = RetrieverQueryEngine.from_args(
            Cached(found()),
            llm=MockLLM(),
            node_postprocessors=[
                HeadroomNodePostprocessor(),
                SimilarityPostprocessor(similarity_cutoff=0.87),
                LongContextReorder(),
            ],
        )
        assert {"n0", "n2"} >= set(ids(engine.query(QUESTION).source_nodes)) >= {"n2"}


class TestTransform:
    """Nodes that are shortened before they are indexed."""

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
