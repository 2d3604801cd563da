"""What a passage and a question cost in arithmetic and bytes, and how near to this machine's ceiling it is.

    python bench/cost.py [--index DIR] [--passages N] [--json FILE]

The ceilings are measured in the same run, turn by turn with encoding: bf16 products of large matrices by
torch, whose kernels are those of oneDNN as OpenVINO's are, and copies of a large array by numpy on one
thread. Passages, tokens and bytes are those of a real index.
"""

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from peers import RESULTS, conditions, questions

from indexer.encoder import Encoder, locate
from indexer.folder import ENCODER, IndexFolder
from indexer.local.generation import LocalIndex
from indexer.passages import encoded_text
from indexer.settings import DEFAULT_MODEL

_SIDE = 4096  # of the matrices, in rows and columns
_COPIED = 1 << 29  # bytes
_QUESTIONS = 100


def seconds(task: Callable[[], object]) -> float:
    started = time.perf_counter()
    task()
    return time.perf_counter() - started


def gemm_gflops() -> float:
    left = torch.randn(_SIDE, _SIDE).to(torch.bfloat16)
    torch.mm(left, left)
    return float(2 * _SIDE**3 / seconds(lambda: torch.mm(left, left)) / 1e9)


def copy_gb_s() -> float:
    """Read and written both count."""
    source = np.ones(_COPIED, np.uint8)
    target = np.empty_like(source)
    np.copyto(target, source)
    return 2 * _COPIED / seconds(lambda: np.copyto(target, source)) / 1e9


def flops_of(tokens: float) -> dict[str, float]:
    """Of one text: the products with the model's weights, and the attention of each token to each."""
    model = json.loads((locate(DEFAULT_MODEL) / "config.json").read_text(encoding="utf-8"))
    layers, width, inner = (model[name] for name in ("num_hidden_layers", "hidden_size", "intermediate_size"))
    return {
        "weights": layers * 2 * (4 * width**2 + 2 * width * inner) * tokens,
        "attention": layers * 4 * width * tokens**2,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--index", type=Path, default=Path("index"))
    parser.add_argument("--passages", type=int, default=400, help="encoded in each turn")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--json", type=Path, default=RESULTS / "cost.json")
    asked = parser.parse_args()
    began = conditions()
    by_part: defaultdict[str, float] = defaultdict(float)
    with LocalIndex(IndexFolder(asked.index)).open_best(sys.exit) as generation:
        count = generation.manifest.counts["passages"]
        for name, facts in generation.manifest.files.items():
            by_part[name.split("/")[0].split(".")[0]] += facts["bytes"] / count
        rows = [row % count for row in range(asked.passages)]
        texts = [encoded_text(article, one.span) for one, article in generation.corpus.read(rows)]
        encoder, serving = Encoder(generation.path / ENCODER), generation.encoder
        tokens = [len(encoder.token_spans(text)) + 2 for text in texts]
        draw = questions(11)
        asked_texts = [next(draw) for _ in range(_QUESTIONS)]
        asked_tokens = float(np.mean([len(encoder.token_spans(text)) + 2 for text in asked_texts]))
        encoder.encode_passages(texts[:32])
        serving.load()
        turns: defaultdict[str, list[float]] = defaultdict(list)
        for _ in range(asked.turns):
            turns["gemm_gflops"].append(gemm_gflops())
            turns["copy_gb_s"].append(copy_gb_s())
            turns["passages_per_s"].append(len(texts) / seconds(lambda: encoder.encode_passages(texts)))
            turns["questions_per_s"].append(
                _QUESTIONS / seconds(lambda: [serving.encode_queries([text]) for text in asked_texts])
            )
    best = {name: max(values) for name, values in turns.items()}
    per_passage = {
        name: float(np.mean([flops_of(one)[name] for one in tokens])) for name in ("weights", "attention")
    }
    per_question = flops_of(asked_tokens)
    passage_gflops = best["passages_per_s"] * sum(per_passage.values()) / 1e9
    question_gflops = best["questions_per_s"] * sum(per_question.values()) / 1e9
    figures = {
        "conditions": began,
        "index_passages": count,
        "tokens_of_a_passage": float(np.mean(tokens)),
        "tokens_of_a_question": asked_tokens,
        "flops_of_a_passage": per_passage,
        "flops_of_a_question": per_question,
        "bytes_of_a_passage": dict(by_part),
        "measured": best,
        "passage_gflops": passage_gflops,
        "question_gflops": question_gflops,
        "passage_share": passage_gflops / best["gemm_gflops"],
        "question_share": question_gflops / best["gemm_gflops"],
    }
    asked.json.parent.mkdir(exist_ok=True)
    asked.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(f"{'ceiling: bf16 products':36} {best['gemm_gflops']:10.0f} GFLOP/s")
    print(f"{'ceiling: copies':36} {best['copy_gb_s']:10.1f} GB/s")
    print(
        f"{'encoding passages':36} {best['passages_per_s']:10.0f} /s, {passage_gflops:.0f} GFLOP/s,"
        f" {figures['passage_share']:.0%} of the ceiling"
    )
    print(
        f"{'encoding questions one by one':36} {best['questions_per_s']:10.0f} /s, {question_gflops:.0f}"
        f" GFLOP/s, {figures['question_share']:.0%} of the ceiling"
    )


if __name__ == "__main__":
    main()
