"""`retrieval_strategies`: today's names, those of older files, and what is refused with what to write now."""

from __future__ import annotations

import llamafarm
import pytest
from llamafarm.errors import ConfigError
from llamafarm_rag.config.project import database_of

PROJECT = """
runtime:
  models:
    - {name: judge, provider: universal, model: org/cross, transformers: {model_type: reranking}}
    - {name: sorter, provider: universal, model: org/sorter, transformers: {model_type: classification}}
rag:
  databases:
    - name: notes
      type: ChromaStore
      embedding_strategies: [{name: small, type: UniversalEmbedder, config: {model: org/small}}]
      retrieval_strategies:
        - {name: near, type: BasicSimilarity}
        - STRATEGY
"""


def strategy(folder, text):
    file = folder / "llamafarm.yaml"
    file.write_text(PROJECT.replace("STRATEGY", text))
    with llamafarm.open(file) as farm:
        return database_of(farm.project, None).retrieval_strategies[1]


@pytest.mark.parametrize(
    "name",
    ["BasicSimilarity", "MetadataFiltered", "MultiQuery", "HybridUniversal"],
)
@pytest.mark.parametrize("ending", ["", "Strategy"])
def test_types_have_their_names_with_and_without_strategy(tmp_path, name, ending):
    assert strategy(tmp_path, f"{{name: it, type: {name}{ending}}}").config.top_k == 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("type: BasicSimilarityStrategy, config: {top_k: 10, distance_metric: cosine, score_threshold: null}", {}),
        ("type: MetadataFilteredStrategy, config: {filters: {a: b}, filter_mode: pre, fallback_multiplier: 3}", {}),
        ("type: MultiQueryStrategy, config: {num_queries: 3, aggregation_method: weighted}", {"num_queries": 3}),
        ("type: RerankedStrategy, config: {model: judge, initial_k: 30, final_k: 7}", {"top_k": 7}),
        ("type: CrossEncoderReranked, config: {model: judge, relevance_threshold: 0.4}", {"score_threshold": 0.4}),
        ("type: HybridUniversalStrategy, config: {final_k: 7, combination_method: rank_fusion}", {"top_k": 7}),
    ],
)
def test_options_of_older_files_load(tmp_path, text, expected):
    config = strategy(tmp_path, f"{{name: it, {text}}}").config
    assert {name: getattr(config, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("type: Fast", "does not match any of the expected tags.*HybridUniversalStrategy"),
        ("type: BasicSimilarity, config: {distance_metric: euclidean}", "distance_metric.*'cosine'"),
        ("type: BasicSimilarity, config: {top: 3}", "top: unknown key; did you mean 'top_k'"),
        ("type: Reranked, config: {initial_k: 3}", "model: is missing"),
        ("type: Reranked, config: {model: judge, rerank_factors: {recency_weight: 0.1}}", "name its model entry"),
        ("type: Reranked, config: {model: judge, normalize_scores: true}", "score_scale"),
        ("type: Reranked, config: {model_name: org/cross}", "write `model: NAME`"),
        ("type: Reranked, config: {model: judge, base_strategy: BasicSimilarity}", "write `base: NAME`"),
        ("type: Reranked, config: {model: judge, final_k: 3, top_k: 4}", "`final_k` is the old name of `top_k`"),
        ("type: HybridUniversal, config: {strategies: []}", "`weights: {similarity: 1, words: 1}`"),
        ("type: HybridUniversal, config: {combination_method: score_fusion}", "combination_method.*'weighted_average'"),
        ("type: HybridUniversal, config: {weights: {similarity: 0, words: 0}}", "more than 0"),
        ("type: Reranked, config: {model: sorter}", "cannot do rerank"),
        ("type: Reranked, config: {model: judg}", "Did you mean judge"),
        ("type: MultiQuery, config: {model: judge}", "cannot do chat"),
        ("type: MultiQuery, config: {base: far}", "'far' is no retrieval strategy of this database.*There are: near"),
        ("type: MultiQuery, config: {base: it}", "'it' stands on it in turn"),
    ],
)
def test_what_cannot_be_followed_is_a_located_error_that_says_what_to_write(tmp_path, text, said):
    with pytest.raises(
        ConfigError, match=rf"llamafarm.yaml:\d+:\d+: rag.databases\[0\].retrieval_strategies\[1\].*{said}"
    ):
        strategy(tmp_path, f"{{name: it, {text}}}")


def test_two_that_do_the_same_step_are_no_base_of_each_other(tmp_path):
    two = "{name: it, type: MultiQuery, config: {base: other}}\n        - {name: other, type: MultiQuery}"
    with pytest.raises(ConfigError, match="is of the same type"):
        strategy(tmp_path, two)
