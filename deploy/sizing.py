"""What so many passages take: time to encode, disks, memory. Prints the table of docs/scale.md.

python deploy/sizing.py [--passages N …] [--tokens N] [--bits 0|1|2] [--cores N] [--gpu-tflops F]
"""

import argparse
from collections.abc import Callable

# Measured: newsquiz, 1,496 articles in 10,827 passages of 192 tokens.
PASSAGES_PER_ARTICLE = 7.2
CORPUS, FULLTEXT, COLUMNS = 1_383, 220, 23  # bytes a passage, on disk
VECTOR_F16 = 768
CODE = 48  # bytes a token and bit: 384 numbers
RESIDENT = 1_313  # bytes a passage of a service over 100,000 in a folder (docs/benchmarks.md)
PER_CORE = (
    71,
    28,
)  # passages/s: encoding alone, and the whole command (README.md, docs/benchmarks.md; two cores)
# The model's arithmetic (bench/cost.py), in FLOP: of each token with the weights, and with each other token.
WITH_WEIGHTS, WITH_TOKEN = 21.2e6, 9.2e3
SHARE = 0.2  # assumed: of a GPU's peak in bf16 that so small a model gets
# In Milvus: vectors in f32; HNSW's links (M 24, both ways, four bytes); codes in base64; and, as publishing
# newsquiz sends them, documents, a passage's 110 different words (eight bytes each as vectors, and as many in
# the lists of their index) and its columns.
VECTOR_F32, LINKS = 4 * 384, 24 * 2 * 4
BASE64 = 4 / 3
DOCUMENTS, WORDS, NUMBERS = 680, 110 * 8 * 2, 6 * 8


def flop(tokens: float) -> float:
    """Of one passage."""
    return tokens * (WITH_WEIGHTS + WITH_TOKEN * tokens)


def amount(value: float) -> str:
    """In bytes, with a decimal prefix."""
    for unit in ("MB", "GB", "TB"):
        if value < 1e9 or unit == "TB":
            return f"{value / 1e6:,.1f} {unit}" if value < 1e7 else f"{value / 1e6:,.0f} {unit}"
        value /= 1e3
    raise AssertionError


def hours(value: float) -> str:
    return f"{value:,.1f} h" if value < 48 else f"{value / 24:,.1f} days"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--passages", type=float, nargs="+", default=[1e7, 1e8, 1e9])
    parser.add_argument("--tokens", type=float, default=192, help="of a passage")
    parser.add_argument("--bits", type=int, choices=[0, 1, 2], default=2, help="the setting token_bits")
    parser.add_argument("--cores", type=int, default=64, help="that encode")
    parser.add_argument("--gpu-tflops", type=float, default=989, help="peak of one, in bf16 (an H100's)")
    asked = parser.parse_args()
    codes = CODE * asked.bits * asked.tokens
    best, whole = PER_CORE
    shorter = flop(192) / flop(asked.tokens)  # what was measured had 192
    on_gpu = asked.gpu_tflops * 1e12 * SHARE / flop(asked.tokens)
    beside = BASE64 * codes + DOCUMENTS + WORDS + NUMBERS
    rows: dict[str, Callable[[float], str]] = {
        "articles": lambda n: f"{n / PASSAGES_PER_ARTICLE / 1e6:,.1f} M",
        "encoding, hours of one core": lambda n: " to ".join(
            f"{n / (rate * shorter) / 3600:,.0f}" for rate in (best, whole)
        ),
        f"encoding on {asked.cores} cores": lambda n: " to ".join(
            hours(n / (rate * shorter * asked.cores) / 3600) for rate in (best, whole)
        ),
        "encoding on one GPU (estimate)": lambda n: hours(n / on_gpu / 3600),
        "index folder, a generation": lambda n: amount(
            n * (codes + VECTOR_F16 + CORPUS + FULLTEXT + COLUMNS)
        ),
        "served from the folder: resident": lambda n: amount(n * RESIDENT),
        "Milvus, a generation: vectors and their graph": lambda n: amount(n * (VECTOR_F32 + LINKS)),
        "Milvus, a generation: all else": lambda n: amount(n * beside),
    }
    print("|  |", *(f"{n / 1e6:,.0f} M passages |" for n in asked.passages))
    print("|---|" + "---:|" * len(asked.passages))
    for name, figure in rows.items():
        print(f"| {name} |", *(f"{figure(n)} |" for n in asked.passages))


if __name__ == "__main__":
    main()
