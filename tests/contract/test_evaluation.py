"""On a judged collection an index is as good as the folder that it was published from."""

import os
import sys
from pathlib import Path

import pytest

from indexer.build import Recipe
from indexer.folder import IndexFolder
from indexer.progress import Plain
from indexer.settings import DEFAULT_MODEL
from service.evaluation import Ranked, index_of, measure, rank, read_judged
from service.retrieval import Mode, SearchQuery
from tests.conftest import ROOT
from tests.contract import backends
from tests.contract.backends import Milvus
from tests.contract.conftest import Tell, unique

WORK = ROOT / "index-eval"  # as `make quality` has it: it takes minutes to encode once
COLLECTION = "newsquiz"
MEASURE = "nDCG@10"


def test_it_ranks_as_well_as_the_folder(milvus: Milvus, tell: Tell) -> None:
    pytest.importorskip("ir_measures")
    folder = Path(os.environ.get("DATELINE_EVAL") or ROOT.parent / "shared" / "eval") / COLLECTION
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there: DATELINE_EVAL")
    judged = read_judged(folder, WORK)
    name = unique(COLLECTION)
    modes: list[Mode] = ["hybrid", "lexical", "dense"] if milvus.words else ["dense"]
    with index_of(judged, WORK, Recipe(DEFAULT_MODEL, 200, 2, ()), Plain(sys.stderr)) as local:
        milvus.publish(IndexFolder(WORK / COLLECTION).path, name)
        with backends.index_of(milvus, WORK / COLLECTION, name).open_best(
            pytest.fail, loaded=local.models
        ) as generation:
            assert generation.id == local.id
            for mode in modes:
                ours, theirs = (rank(one, judged, SearchQuery("", mode=mode)) for one in (generation, local))
                found, expected = (measure(judged.qrels, one.run)[MEASURE] for one in (ours, theirs))
                tell(
                    f"{COLLECTION}, {mode}: {MEASURE} {found:.4f}, of the folder {expected:.4f}; "
                    f"{alike(ours, theirs)} of {len(ours.run)} questions have the same ten; "
                    f"p50 {ours.p50_ms:.0f} ms, of the folder {theirs.p50_ms:.0f} ms"
                )
                assert found == pytest.approx(expected, abs=0.01)


def alike(ours: Ranked, theirs: Ranked) -> int:
    """For how many questions the first ten articles are the same in the same order."""
    return sum(list(found)[:10] == list(theirs.run[question])[:10] for question, found in ours.run.items())
